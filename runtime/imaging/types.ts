/** One decoded page: grey, oriented, without metadata. */
export type GreyImage = {
  readonly width: number;
  readonly height: number;
} & ({ readonly depth: 8; readonly pixels: Uint8Array } | { readonly depth: 16; readonly pixels: Uint16Array });

export type ImageFormat = "jpeg" | "png" | "tiff" | "bmp" | "webp" | "dicom" | "nifti";

/** Where the recipe took its pixels from: maps recipe coordinates back to the original image. */
export interface Geometry {
  /** Foreground box in the original, pixels. */
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  /** Original pixels a recipe pixel. */
  readonly scale: number;
  /** Padding of the fitted image inside the recipe's square, recipe pixels. */
  readonly padLeft: number;
  readonly padTop: number;
}

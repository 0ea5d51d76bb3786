import { readFile } from "node:fs/promises";
import { decodeScan } from "../imaging";
import { type Input, type InputFile, maskBeside } from "../intake";

/** @returns lesion pixels of a page's size, 1 inside; undefined where there is no mask of that size */
export type MaskFinder = (file: InputFile, width: number, height: number) => Promise<Uint8Array | undefined>;

/** Finds the lesion mask of a scan of a folder: the one that the manifest names, or else the one of the same name. */
export function maskFinder({ folder, manifest }: Input): MaskFinder {
  const present = new Map(folder.files.filter(({ input }) => input.kind === "mask").map((file) => [file.object, file]));
  return async ({ object }, width, height) => {
    const file = present.get(manifest.get(object)?.mask ?? maskBeside(object));
    return file && readMask(await readFile(file.path), width, height);
  };
}

/**
 * A lesion mask: what is brighter than half of its brightest pixel.
 *
 * @returns undefined where the file cannot be read or has another size than the scan
 */
async function readMask(bytes: Buffer, width: number, height: number): Promise<Uint8Array | undefined> {
  try {
    for await (const decoded of decodeScan(bytes, { minimumSide: 1 })) {
      if (!("image" in decoded)) return undefined;
      const { image } = decoded;
      if (image.width !== width || image.height !== height) return undefined;
      let half = 0;
      for (const value of image.pixels) half = Math.max(half, value / 2);
      return Uint8Array.from(image.pixels, (value) => (half > 0 && value > half ? 1 : 0));
    }
  } catch {
    return undefined;
  }
  return undefined;
}

import { LONGEST_PIXEL, makeUpright, upright } from "../dicom/geometry";
import { checkPage, count, type ImageLimits, megabytes, type PageHeader } from "../limits";
import { RejectedImage } from "../rejected";
import type { GreyImage } from "../types";
import { truncated, unread } from "./failures";
import { unpack, unpackedHead } from "./gzip";
import { isNiftiHeader, type NiftiHeader, readHeader } from "./header";
import { type Axis, axisAcross, cosinesOf } from "./orientation";
import { type Cut, Volume } from "./volume";

/** Whether bytes are a NIfTI file, plain or packed with gzip: a header stands in it. */
export function isNifti(bytes: Buffer): boolean {
  return isNiftiHeader(unpackedHead(bytes) ?? bytes);
}

/** A slice of a volume: its size when it is upright. */
export interface NiftiPage extends PageHeader {
  readonly volume: NiftiVolume;
}

/** A volume of which the header was read. */
export interface NiftiVolume {
  /** Bytes that reading it takes beside the file. */
  readonly bytes: number;
  /** Unpacks it, and looks at every voxel. @throws {RejectedImage} the whole file is refused */
  readonly open: () => Promise<OpenedVolume>;
}

export interface OpenedVolume {
  /**
   * Whether a slice counts, from 0. Blank ones before the first and behind the last that show something do not: they are air,
   * or what registration left empty.
   */
  readonly counts: (slice: number) => boolean;
  /** Grey, upright, with square pixels. */
  readonly readSlice: (slice: number) => GreyImage;
}

/** Bytes a sample that are held beside the result: a copy for turning, the grey values. */
const BESIDE = 8;

/**
 * The slices of a volume, in the order of the file: of the first volume where there are several.
 *
 * @throws {RejectedImage} the whole file is refused
 */
export function readNiftiPages(bytes: Buffer, limits: ImageLimits): NiftiPage[] {
  const head = unpackedHead(bytes);
  const header = readHeader(head ?? bytes);
  const { size, axes, type, end } = header;
  const across = axisAcross(axes);
  const [row, column] = [0, 1, 2].filter((axis) => axis !== across) as [number, number];
  const cut: Cut = { across, row, column };
  const slices = size[across] as number;
  checkSize(header, cut, limits);
  if (!head && end > bytes.length) throw truncated();
  const [right, down] = [axes[row] as Axis, axes[column] as Axis];
  const rowsToColumns = down.spacing / right.spacing;
  if (Math.max(rowsToColumns, 1 / rowsToColumns) > LONGEST_PIXEL)
    throw unread(`voxels of which one side is more than ${LONGEST_PIXEL} times as long as the other`);
  const [width, height] = [size[row] as number, size[column] as number];
  const place = upright(width, height, rowsToColumns, [...cosinesOf(right), ...cosinesOf(down)]);
  const page: NiftiPage = {
    width: place.width,
    height: place.height,
    channels: 1,
    bytesPerSample: type.bytes,
    extraBytesPerSample: BESIDE,
    volume: {
      bytes: head ? end : 0,
      open: async () => {
        const volume = await Volume.open(head ? await unpack(bytes, end) : bytes, header, cut);
        const { shown } = volume;
        if (!shown) throw blank();
        return {
          counts: (slice) => slice >= shown.first && slice <= shown.last,
          readSlice: (slice) => greyImage(place, makeUpright(volume.read(slice), width, height, place)),
        };
      },
    },
  };
  // All slices are of one size: what refuses one refuses the file.
  checkPage(page, limits);
  return Array.from({ length: slices }, () => page);
}

function greyImage({ width, height }: { width: number; height: number }, pixels: Uint8Array | Uint16Array): GreyImage {
  return pixels instanceof Uint8Array ? { width, height, depth: 8, pixels } : { width, height, depth: 16, pixels };
}

function checkSize({ size, end }: NiftiHeader, { across, row, column }: Cut, limits: ImageLimits): void {
  const [slices, width, height] = [size[across], size[row], size[column]] as [number, number, number];
  const what = `The NIfTI volume has ${count(slices)} slices of ${count(width)} x ${count(height)} voxels`;
  if (slices > limits.pages)
    throw new RejectedImage(
      "too-many-pages",
      `${what}; at most ${count(limits.pages)} slices are taken. Send those that count as a volume of their own, or resample it to thicker ones.`,
    );
  if (slices * width * height > limits.totalPixels)
    throw new RejectedImage(
      "too-many-pixels",
      `${what}; at most ${count(limits.totalPixels)} voxels are taken. Send the slices that count as a volume of their own, or resample it.`,
    );
  if (end > limits.bytes)
    throw new RejectedImage(
      "file-too-large",
      `${what}, ${megabytes(end)} when it is unpacked; at most ${megabytes(limits.bytes)} are taken. Save it with 16 bits a voxel, one volume a file, or resample it.`,
    );
}

function blank(): RejectedImage {
  return new RejectedImage("blank-image", "The volume is blank: all its voxels are equal. Send the scan itself.");
}

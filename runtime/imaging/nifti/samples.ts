import { damaged, unread } from "./failures";

/** How voxels of a type are read. */
export interface SampleType {
  /** Bytes of a voxel. */
  readonly bytes: 1 | 2 | 4 | 8;
  readonly read: (view: DataView, at: number, littleEndian: boolean) => number;
}

const HIGH = 2 ** 32;

/** By the header's code. Of 64 bits, values beyond 2^53 lose their last bits, as in nibabel. */
const TYPES: Readonly<Record<number, SampleType>> = {
  2: { bytes: 1, read: (view, at) => view.getUint8(at) },
  4: { bytes: 2, read: (view, at, little) => view.getInt16(at, little) },
  8: { bytes: 4, read: (view, at, little) => view.getInt32(at, little) },
  16: { bytes: 4, read: (view, at, little) => view.getFloat32(at, little) },
  64: { bytes: 8, read: (view, at, little) => view.getFloat64(at, little) },
  256: { bytes: 1, read: (view, at) => view.getInt8(at) },
  512: { bytes: 2, read: (view, at, little) => view.getUint16(at, little) },
  768: { bytes: 4, read: (view, at, little) => view.getUint32(at, little) },
  1024: {
    bytes: 8,
    read: (view, at, little) =>
      view.getInt32(little ? at + 4 : at, little) * HIGH + view.getUint32(little ? at : at + 4, little),
  },
  1280: {
    bytes: 8,
    read: (view, at, little) =>
      view.getUint32(little ? at + 4 : at, little) * HIGH + view.getUint32(little ? at : at + 4, little),
  },
};

/** What is no grey volume, or has no number that JavaScript has. */
const OTHERS: Readonly<Record<number, string>> = {
  1: "voxels of one bit",
  32: "complex numbers",
  128: "colours",
  1536: "numbers of 128 bits",
  1792: "complex numbers",
  2048: "complex numbers",
  2304: "colours",
};

/** @throws {RejectedImage} `unsupported-encoding` or `damaged` */
export function sampleType(code: number): SampleType {
  const type = TYPES[code];
  if (type) return type;
  const other = OTHERS[code];
  if (other) throw unread(other);
  throw damaged("it does not say what its voxels are");
}

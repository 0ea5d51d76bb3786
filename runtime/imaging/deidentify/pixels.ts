import { type Description, describe } from "../dicom/description";
import { unread } from "../dicom/failures";
import { Frames } from "../dicom/frames";
import { nativeFrameBytes } from "../dicom/native";
import type { DicomFile } from "../dicom/parse";
import { PIXELS } from "../dicom/tags";
import { withoutComments } from "./stream-comments";

/** How pixels are written: the picture as it is, and nothing beside it. */
export interface PixelWriting {
  readonly native: (value: Buffer) => Buffer;
  /** The offset table first. */
  readonly encapsulated: (fragments: readonly Buffer[]) => readonly Buffer[];
}

/**
 * @param overlaysInPixels whether overlays lie in the bits of pixels that samples do not use
 * @throws {RejectedImage} where pixels are too few, or nobody could say what lies in them
 */
export function pixelWriting(file: DicomFile, overlaysInPixels: boolean): PixelWriting {
  if (![...PIXELS].some((tag) => file.dataSet.has(tag))) return { native: (value) => value, encapsulated: (it) => it };
  const description = describe(file);
  // Says whether there are as many as there should be.
  new Frames(file, description);
  return {
    native: (value) => {
      const needed = Math.ceil(description.frames * nativeFrameBytes(description));
      // Of bytes in words of the other order the last one lies behind an odd end.
      const picture = value.subarray(0, needed + (needed % 2));
      return withoutUnusedBits(picture, description, file.dataSet.bigEndian);
    },
    encapsulated: (fragments) => {
      if (overlaysInPixels) throw unread("overlays in the bits of compressed pixels");
      return withoutComments(fragments, description.codec);
    },
  };
}

/** A copy in which bits that samples do not use hold nothing but the sign: an overlay may lie there, or lie there still. */
function withoutUnusedBits(
  pixels: Buffer,
  { bitsAllocated, bitsStored, signed }: Description,
  bigEndian: boolean,
): Buffer {
  const bytes = bitsAllocated / 8;
  if (bitsStored === bitsAllocated || bytes < 1) return pixels;
  const copy = Buffer.from(pixels);
  // From the lowest byte of a sample up.
  const used = Array.from({ length: bytes }, (_, i) => (1 << Math.max(0, Math.min(8, bitsStored - 8 * i))) - 1);
  const at = (sample: number, i: number) => sample + (bigEndian ? bytes - 1 - i : i);
  const top = Math.floor((bitsStored - 1) / 8);
  const sign = 1 << ((bitsStored - 1) % 8);
  for (let sample = 0; sample + bytes <= copy.length; sample += bytes) {
    const rest = signed && ((copy[at(sample, top)] as number) & sign) !== 0 ? 0xff : 0;
    for (let i = 0; i < bytes; i++) {
      const mask = used[i] as number;
      copy[at(sample, i)] = ((copy[at(sample, i)] as number) & mask) | (rest & ~mask & 0xff);
    }
  }
  return copy;
}

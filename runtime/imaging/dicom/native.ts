import { endianness } from "node:os";
import type { Description } from "./description";
import { truncated } from "./failures";
import type { StoredValues } from "./stored-frame";

/** Bytes that a frame takes as it lies in the file; of 1-bit samples a fraction. */
export function nativeFrameBytes({ rows, columns, samples, bitsAllocated, photometric }: Description): number {
  // Two pixels share their chroma.
  const perPixel = photometric === "YBR_FULL_422" ? 2 : samples;
  return (rows * columns * perPixel * bitsAllocated) / 8;
}

/**
 * Samples of a frame of native pixels.
 * @param bytes all frames
 * @param words whether bytes lie in words of 16 bits (OW)
 * @throws {RejectedImage} `truncated`
 */
export function readNative(
  bytes: Buffer,
  index: number,
  description: Description,
  { bigEndian, words }: { readonly bigEndian: boolean; readonly words: boolean },
): StoredValues {
  const { bitsAllocated } = description;
  const size = nativeFrameBytes(description);
  const start = index * size;
  if (start + size > bytes.length) throw truncated();
  if (bitsAllocated === 1) return unpackBits(bytes, start * 8, size * 8);
  const frame = bytes.subarray(start, start + size);
  if (bitsAllocated > 8) return typed(ordered(frame, bitsAllocated, bigEndian), description);
  if (!bigEndian || !words) return typed(Buffer.from(frame), description);
  // Of bytes in words of the other order each two have changed places, beyond an odd end too.
  return typed(Buffer.from(frame.map((_, i) => bytes[(start + i) ^ 1] ?? 0)), description);
}

/** A copy in the order of this machine. */
function ordered(frame: Buffer, bits: number, bigEndian: boolean): Buffer {
  const copy = Buffer.from(Uint8Array.from(frame).buffer);
  if (bigEndian === (endianness() === "BE")) return copy;
  return bits === 16 ? copy.swap16() : bits === 32 ? copy.swap32() : copy.swap64();
}

/** One a bit, the lowest of a byte first: PS3.5, 8.1.1. Frames follow each other within a byte. */
function unpackBits(bytes: Buffer, first: number, count: number): Uint8Array {
  const values = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    const bit = first + i;
    values[i] = ((bytes[bit >> 3] as number) >> (bit & 7)) & 1;
  }
  return values;
}

/** Bytes in the order of this machine as samples, without the bits that are not used. */
export function typed(bytes: Uint8Array, { bitsAllocated, bitsStored, signed, float }: SampleFormat): StoredValues {
  const aligned = bytes.byteOffset % 8 === 0 ? bytes : Uint8Array.from(bytes);
  const Type = float ? FLOATS[bitsAllocated as 32 | 64] : (signed ? SIGNED : UNSIGNED)[bitsAllocated as 8 | 16 | 32];
  const values = new Type(aligned.buffer as ArrayBuffer, aligned.byteOffset, (aligned.length * 8) / bitsAllocated);
  return float ? values : withoutUnused(values, bitsStored, signed);
}

export type SampleFormat = Pick<Description, "bitsAllocated" | "bitsStored" | "signed" | "float">;

const UNSIGNED = { 8: Uint8Array, 16: Uint16Array, 32: Uint32Array } as const;
const SIGNED = { 8: Int8Array, 16: Int16Array, 32: Int32Array } as const;
const FLOATS = { 32: Float32Array, 64: Float64Array } as const;

/** Overlays and other things may lie in the bits above those of the sample: the sign is spread over them, or they are cleared. */
export function withoutUnused<T extends StoredValues>(values: T, bitsStored: number, signed: boolean): T {
  const unused = 32 - bitsStored;
  if (bitsStored === 8 * values.BYTES_PER_ELEMENT || unused <= 0) return values;
  for (let i = 0; i < values.length; i++) {
    const value = (values[i] as number) << unused;
    values[i] = signed ? value >> unused : value >>> unused;
  }
  return values;
}

import { endianness } from "node:os";
import type { Description } from "./description";
import { damaged, truncated } from "./failures";
import { typed } from "./native";
import type { StoredValues } from "./stored-frame";

const HEADER = 64;
const MOST_SEGMENTS = 15;

/**
 * Samples of a frame stored as RLE Lossless, DICOM PS3.5, annex G: a segment of PackBits for each byte of each sample, the
 * highest byte first.
 *
 * @throws {RejectedImage} `damaged` or `truncated`
 */
export function readRle(frame: Buffer, description: Description): StoredValues {
  const { rows, columns, samples, bitsAllocated } = description;
  const bytesPerSample = bitsAllocated / 8;
  if (!Number.isInteger(bytesPerSample))
    throw damaged(`its samples of ${bitsAllocated} bits cannot be run-length encoded`);
  if (frame.length < HEADER) throw truncated();
  const segments = frame.readUInt32LE(0);
  const wanted = samples * bytesPerSample;
  if (segments !== wanted || segments > MOST_SEGMENTS) {
    throw damaged(`a frame has ${segments} segments where its samples have ${wanted} bytes`);
  }
  const pixels = rows * columns;
  const bytes = new Uint8Array(pixels * wanted);
  const little = endianness() === "LE";
  for (let segment = 0; segment < segments; segment++) {
    const start = frame.readUInt32LE(4 + 4 * segment);
    const end = segment + 1 < segments ? frame.readUInt32LE(8 + 4 * segment) : frame.length;
    if (start < HEADER || end < start) throw damaged("the segments of a frame overlap");
    const byte = segment % bytesPerSample;
    const sample = (segment - byte) / bytesPerSample;
    const at = sample * bytesPerSample + (little ? bytesPerSample - 1 - byte : byte);
    unpack(frame.subarray(start, Math.min(end, frame.length)), bytes, at, wanted, pixels);
  }
  return typed(bytes, { ...description, float: false });
}

/** Writes every `step`th byte from `at`, `count` of them; what a segment has beyond is padding. */
function unpack(segment: Buffer, bytes: Uint8Array, at: number, step: number, count: number): void {
  const end = at + step * count;
  let to = at;
  for (let from = 0; to < end; ) {
    const code = segment[from++];
    if (code === undefined) throw truncated();
    if (code === 128) continue;
    const literal = code < 128;
    const length = literal ? code + 1 : 257 - code;
    if (from + (literal ? length : 1) > segment.length) throw truncated();
    for (let i = 0; i < length && to < end; i++, to += step) bytes[to] = segment[literal ? from + i : from] as number;
    from += literal ? length : 1;
  }
}

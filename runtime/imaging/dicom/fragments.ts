import { damaged, truncated } from "./failures";

/**
 * The encoded frames of encapsulated pixels, DICOM PS3.5, A.4: where the offset table says, else one a fragment, else by the
 * end of a JPEG stream.
 *
 * @param fragments the offset table first, which may be empty
 * @param offsets of the extended offset table, bytes; undefined where there is none
 * @throws {RejectedImage} `truncated` or `damaged`
 */
export function framesOfFragments(
  [table, ...fragments]: readonly Buffer[],
  frames: number,
  offsets: readonly number[] | undefined,
): Buffer[] {
  if (!table || fragments.length === 0) throw truncated();
  if (frames === 1) return [Buffer.concat(fragments)];
  const starts = offsets ?? Array.from({ length: table.length >> 2 }, (_, i) => table.readUInt32LE(4 * i));
  if (starts.length >= frames) return byOffsets(fragments, starts.slice(0, frames));
  if (fragments.length === frames) return fragments;
  const byEnds = byEndOfImage(fragments);
  if (byEnds.length < frames) {
    throw fragments.length < frames ? truncated() : damaged("it does not say which of its pieces make a frame");
  }
  return byEnds.slice(0, frames);
}

/** Bytes of an item's tag and length, which offsets count. */
const ITEM_HEAD = 8;

function byOffsets(fragments: readonly Buffer[], starts: readonly number[]): Buffer[] {
  const indices = new Map<number, number>();
  let at = 0;
  for (const [index, { length }] of fragments.entries()) {
    indices.set(at, index);
    at += ITEM_HEAD + length;
  }
  const first = starts.map((start) => {
    const index = indices.get(start);
    if (index !== undefined) return index;
    throw start >= at ? truncated() : damaged("its table says of a frame that it begins where no piece does");
  });
  return first.map((from, i) => {
    const to = first[i + 1] ?? fragments.length;
    if (to <= from) throw damaged("its table has frames in no order");
    return Buffer.concat(fragments.slice(from, to));
  });
}

function byEndOfImage(fragments: readonly Buffer[]): Buffer[] {
  const frames: Buffer[] = [];
  let pieces: Buffer[] = [];
  for (const fragment of fragments) {
    pieces.push(fragment);
    // Padding may follow the mark.
    if (fragment.subarray(-10).includes("\xff\xd9", 0, "latin1")) {
      frames.push(Buffer.concat(pieces));
      pieces = [];
    }
  }
  return frames;
}

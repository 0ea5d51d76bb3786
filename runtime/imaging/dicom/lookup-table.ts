import type { DataSet } from "./data-set";
import { damaged } from "./failures";
import { TAG } from "./tags";

/** A table for values: PS3.3, C.11.1.1 and C.11.2.1.1. */
export interface LookupTable {
  /** Value that the first entry is for. */
  readonly first: number;
  /** Bits of an entry, 8 to 16. */
  readonly bits: number;
  readonly entries: Uint8Array | Uint16Array;
}

/**
 * @param signed whether values are: the first one then is too
 * @throws {RejectedImage} `damaged`
 */
export function readLookupTable(
  dataSet: DataSet,
  {
    signed,
    descriptor = TAG.tableDescriptor,
    data = TAG.tableData,
  }: { signed: boolean; descriptor?: number; data?: number },
): LookupTable {
  const [declared, , bits = 0] = dataSet.shorts(descriptor);
  const first = dataSet.shorts(descriptor, { signed })[1] ?? 0;
  // A table of 65,536 entries has no other way to say it.
  const count = declared === 0 ? 65_536 : (declared ?? 0);
  const bytes = dataSet.bytes(data) ?? Buffer.alloc(0);
  if (bits < 8 || bits > 16 || bytes.length < count)
    throw damaged("a lookup table is shorter than it says, or of no known kind");
  // Entries of 8 bits are written as bytes by some, as words by others.
  if (bits === 8 && bytes.length < 2 * count)
    return { first, bits, entries: Uint8Array.from(bytes.subarray(0, count)) };
  const entries = Uint16Array.from(dataSet.shorts(data)).subarray(0, count);
  if (entries.length < count) throw damaged("a lookup table is shorter than it says");
  return { first, bits, entries };
}

/** Values below and above the table take its first and last entry. */
export function look({ first, entries }: LookupTable, value: number): number {
  return entries[Math.min(entries.length - 1, Math.max(0, value - first))] as number;
}

/** What the first elements of a data set say that it is; empty where they are not among what was looked at. */
export interface DataSetStart {
  readonly sopClass: string;
  readonly sopInstance: string;
}

const SOP_CLASS = 0x0008_0016;
const SOP_INSTANCE = 0x0008_0018;
const LONG: ReadonlySet<string> = new Set("OB OD OF OL OV OW SQ SV UC UN UR UT UV".split(" "));

/**
 * Looks at the elements in front of SOP Instance UID, which are few and short.
 *
 * @param bytes the beginning of a data set
 * @returns undefined where it is none: elements out of order, or none of what every instance has
 */
export function startOfDataSet(bytes: Buffer, bigEndian: boolean): DataSetStart | undefined {
  const uint16 = (at: number) => (bigEndian ? bytes.readUInt16BE(at) : bytes.readUInt16LE(at));
  const uint32 = (at: number) => (bigEndian ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at));
  const found = { sopClass: "", sopInstance: "" };
  let last = 0;
  for (let at = 0; at + 12 <= bytes.length; ) {
    const tag = uint16(at) * 0x1_0000 + uint16(at + 2);
    if (tag <= last || tag < 0x0008_0000) return undefined;
    if (tag > SOP_INSTANCE) return undefined;
    last = tag;
    // Senders say one thing and do another here as well: whether representations are written out is seen.
    const vr = bytes.toString("latin1", at + 4, at + 6);
    const explicit = /^[A-Z]{2}$/.test(vr);
    const long = LONG.has(vr);
    const length = !explicit ? uint32(at + 4) : long ? uint32(at + 8) : uint16(at + 6);
    const start = at + (long ? 12 : 8);
    // Of a sequence without a length the end is not looked for.
    if (start + length > bytes.length) return found;
    const text = () => bytes.toString("latin1", start, start + length).replace(/[\0 ]+$/, "");
    if (tag === SOP_CLASS) found.sopClass = text();
    if (tag === SOP_INSTANCE) return { ...found, sopInstance: text() };
    at = start + length;
  }
  return found;
}

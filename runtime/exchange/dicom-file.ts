import { uidOf } from "./identifiers";

/*
 * Writes DICOM files of Explicit VR Little Endian. Two kinds of objects with some sixty attributes leave this project, and
 * none is read: the libraries for it bring a dictionary of all attributes, and their newest versions ask for a newer Node.
 */

/** Value representations that are written, with the byte that makes their length even. */
const PADDING = {
  CS: 0x20,
  DA: 0x20,
  DS: 0x20,
  FL: 0,
  IS: 0x20,
  LO: 0x20,
  LT: 0x20,
  OB: 0,
  PN: 0x20,
  SH: 0x20,
  SQ: 0,
  ST: 0x20,
  TM: 0x20,
  UI: 0,
  UL: 0,
  US: 0,
  UT: 0x20,
} as const;
type Representation = keyof typeof PADDING;
type TextRepresentation = Exclude<Representation, "FL" | "OB" | "SQ" | "UL" | "US">;

/** Those whose length has 32 bits. */
const LONG: ReadonlySet<Representation> = new Set(["OB", "SQ", "UT"]);
/** Characters that a text may have, where that is bounded: PS3.5, 6.2. */
const MOST: Partial<Record<Representation, number>> = {
  CS: 16,
  DS: 16,
  IS: 12,
  LO: 64,
  LT: 10_240,
  SH: 16,
  ST: 1024,
  UI: 64,
};

export interface Element {
  /** Group * 65,536 + element. */
  readonly tag: number;
  readonly vr: Representation;
  readonly value: Buffer;
}

/** @throws {RangeError} if a text is longer than its representation allows */
export function text(tag: number, vr: TextRepresentation, ...values: readonly string[]): Element {
  const most = MOST[vr] ?? Number.POSITIVE_INFINITY;
  const long = values.find((value) => [...value].length > most);
  if (long !== undefined) throw new RangeError(`A text of ${vr} has ${most} characters at most: ${long}`);
  return { tag, vr, value: Buffer.from(values.join("\\"), "utf8") };
}

export function shorts(tag: number, ...values: readonly number[]): Element {
  return { tag, vr: "US", value: Buffer.from(Uint8Array.from(values.flatMap((value) => [value & 0xff, value >> 8]))) };
}

export function floats(tag: number, ...values: readonly number[]): Element {
  const value = Buffer.alloc(4 * values.length);
  for (const [i, each] of values.entries()) value.writeFloatLE(each, 4 * i);
  return { tag, vr: "FL", value };
}

export const bytes = (tag: number, value: Buffer): Element => ({ tag, vr: "OB", value });

/** Items of known length. */
export function sequence(tag: number, ...items: readonly (readonly Element[])[]): Element {
  const value = items.map((item) => {
    const content = dataSet(item);
    const head = Buffer.from("feff00e000000000", "hex");
    head.writeUInt32LE(content.length, 4);
    return Buffer.concat([head, content]);
  });
  return { tag, vr: "SQ", value: Buffer.concat(value) };
}

/** Elements in the order of their tags. */
function dataSet(elements: readonly Element[]): Buffer {
  return Buffer.concat([...elements].sort((a, b) => a.tag - b.tag).map(encoded));
}

function encoded({ tag, vr, value }: Element): Buffer {
  const padded = value.length % 2 === 0 ? value : Buffer.concat([value, Buffer.of(PADDING[vr])]);
  const long = LONG.has(vr);
  const head = Buffer.alloc(long ? 12 : 8);
  head.writeUInt16LE(tag >>> 16, 0);
  head.writeUInt16LE(tag & 0xffff, 2);
  head.write(vr, 4, "latin1");
  if (long) head.writeUInt32LE(padded.length, 8);
  else head.writeUInt16LE(padded.length, 6);
  return Buffer.concat([head, padded]);
}

const EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1";
/** Of what writes here: PS3.7, D.3.3.2. */
const IMPLEMENTATION = { uid: uidOf("implementation"), version: "BRAINTUMORSTACK1" };

/** Bytes of a file (PS3.10) with one instance, UTF-8. */
export function dicomFile(sopClass: string, instance: string, elements: readonly Element[]): Buffer {
  const meta = dataSet([
    bytes(0x0002_0001, Buffer.of(0, 1)),
    text(0x0002_0002, "UI", sopClass),
    text(0x0002_0003, "UI", instance),
    text(0x0002_0010, "UI", EXPLICIT_LITTLE_ENDIAN),
    text(0x0002_0012, "UI", IMPLEMENTATION.uid),
    text(0x0002_0013, "SH", IMPLEMENTATION.version),
  ]);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(meta.length);
  return Buffer.concat([
    Buffer.alloc(128),
    Buffer.from("DICM", "latin1"),
    encoded({ tag: 0x0002_0000, vr: "UL", value: length }),
    meta,
    dataSet([
      text(0x0008_0005, "CS", "ISO_IR 192"),
      text(0x0008_0016, "UI", sopClass),
      text(0x0008_0018, "UI", instance),
      ...elements,
    ]),
  ]);
}

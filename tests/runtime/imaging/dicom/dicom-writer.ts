/** Writes DICOM files, right and wrong ones: what a library would not let pass, tests need too. */

/** A value: bytes, text, numbers (US, or UL where the VR says so), or the items of a sequence. */
export type Value = Buffer | string | readonly number[] | readonly Elements[];
export type Elements = readonly (readonly [tag: number, vr: string, value: Value])[];

export interface Writing {
  readonly explicit?: boolean;
  /** Whether sequences and items say their end by a mark instead of a length. */
  readonly undefinedLengths?: boolean;
}

const LONG: ReadonlySet<string> = new Set(["OB", "OW", "OF", "OD", "SQ", "UN", "UT"]);

export function head(tag: number, vr: string, length: number, { explicit = true }: Writing = {}): Buffer {
  const long = explicit && LONG.has(vr);
  const bytes = Buffer.alloc(long ? 12 : 8);
  bytes.writeUInt16LE(tag / 0x1_0000, 0);
  bytes.writeUInt16LE(tag % 0x1_0000, 2);
  if (explicit) bytes.write(vr, 4, "latin1");
  if (explicit && !long) bytes.writeUInt16LE(length, 6);
  else bytes.writeUInt32LE(length, long ? 8 : 4);
  return bytes;
}

export const ITEM = 0xfffe_e000;
const END_OF_ITEM = 0xfffe_e00d;
const END_OF_SEQUENCE = 0xfffe_e0dd;
export const UNDEFINED_LENGTH = 0xffff_ffff;

const mark = (tag: number, length: number) => head(tag, "", length, { explicit: false });

export function writeElements(elements: Elements, writing: Writing = {}): Buffer {
  return Buffer.concat(
    elements.flatMap(([tag, vr, value]) => {
      if (vr === "SQ") return writeSequence(tag, value as readonly Elements[], writing);
      const bytes = bytesOf(value as Exclude<Value, readonly Elements[]>, vr);
      return [head(tag, vr, bytes.length, writing), bytes];
    }),
  );
}

function writeSequence(tag: number, items: readonly Elements[], writing: Writing): Buffer[] {
  const { undefinedLengths = false } = writing;
  const inner = items.flatMap((item) => {
    const body = writeElements(item, writing);
    if (!undefinedLengths) return [mark(ITEM, body.length), body];
    return [mark(ITEM, UNDEFINED_LENGTH), body, mark(END_OF_ITEM, 0)];
  });
  const length = inner.reduce((sum, part) => sum + part.length, 0);
  if (!undefinedLengths) return [head(tag, "SQ", length, writing), ...inner];
  return [head(tag, "SQ", UNDEFINED_LENGTH, writing), ...inner, mark(END_OF_SEQUENCE, 0)];
}

function bytesOf(value: Buffer | string | readonly number[], vr: string): Buffer {
  if (Buffer.isBuffer(value)) return value;
  if (typeof value === "string")
    return Buffer.from(value.length % 2 === 0 ? value : `${value}${vr === "UI" ? "\0" : " "}`, "latin1");
  const bytes = Buffer.alloc(2 * value.length);
  for (const [i, number] of value.entries()) {
    if (number < 0) bytes.writeInt16LE(number, 2 * i);
    else bytes.writeUInt16LE(number, 2 * i);
  }
  return bytes;
}

export const MR_STORAGE = "1.2.840.10008.5.1.4.1.1.4";
export const EXPLICIT = "1.2.840.10008.1.2.1";

/** Preamble, mark and file meta information before a data set. */
export function writeFile(
  dataSet: Buffer,
  { transferSyntax = EXPLICIT, sopClass = MR_STORAGE, sopInstance = "1.2.3.4" } = {},
): Buffer {
  const meta = writeElements([
    [0x0002_0001, "OB", Buffer.from([0, 1])],
    [0x0002_0002, "UI", sopClass],
    [0x0002_0003, "UI", sopInstance],
    [0x0002_0010, "UI", transferSyntax],
  ]);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(meta.length);
  return Buffer.concat([Buffer.alloc(128), Buffer.from("DICM"), head(0x0002_0000, "UL", 4), length, meta, dataSet]);
}

/** Encapsulated pixels: an empty offset table, then a fragment a frame. */
export function encapsulate(frames: readonly Buffer[]): Buffer {
  const items = frames.flatMap((frame) => {
    const even = frame.length % 2 === 0 ? frame : Buffer.concat([frame, Buffer.alloc(1)]);
    return [mark(ITEM, even.length), even];
  });
  return Buffer.concat([head(0x7fe0_0010, "OB", UNDEFINED_LENGTH), mark(ITEM, 0), ...items, mark(END_OF_SEQUENCE, 0)]);
}

/** What an MR image says of pixels of 16 bits; `more` replaces or adds elements by their tag. */
export function mrElements(rows: number, columns: number, more: Elements = []): Elements {
  const elements: Elements = [
    [0x0008_0016, "UI", MR_STORAGE],
    [0x0008_0018, "UI", "1.2.3.4"],
    [0x0008_0060, "CS", "MR"],
    [0x0028_0002, "US", [1]],
    [0x0028_0004, "CS", "MONOCHROME2"],
    [0x0028_0010, "US", [rows]],
    [0x0028_0011, "US", [columns]],
    [0x0028_0100, "US", [16]],
    [0x0028_0101, "US", [12]],
    [0x0028_0102, "US", [11]],
    [0x0028_0103, "US", [0]],
  ];
  const replaced = new Set(more.map(([tag]) => tag));
  return [...elements.filter(([tag]) => !replaced.has(tag)), ...more].sort(([a], [b]) => a - b);
}

/** A slice of 12 bits that is neither blank nor symmetric. */
export function drawSlice(rows: number, columns: number): Uint16Array {
  return Uint16Array.from({ length: rows * columns }, (_, i) => {
    const [x, y] = [(i % columns) / columns, Math.floor(i / columns) / rows];
    const inside = (x - 0.45) ** 2 + (y - 0.55) ** 2 < 0.12;
    return inside ? Math.floor(1200 + 1800 * x * y + 40 * Math.sin(i)) : Math.floor(30 * x + 10 * y);
  });
}

export const bytesOfSlice = (slice: Uint16Array) => Buffer.from(slice.buffer, slice.byteOffset, slice.byteLength);

/** An MR image of one slice, explicit little endian. */
export function writeMr(rows = 64, columns = 48, more: Elements = []): Buffer {
  const pixels: Elements = [[0x7fe0_0010, "OW", bytesOfSlice(drawSlice(rows, columns))]];
  return writeFile(writeElements([...mrElements(rows, columns, more), ...pixels]));
}

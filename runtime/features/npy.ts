import { strToU8, unzipSync, zipSync } from "fflate";

/** An array of doubles with its shape. */
export interface NumericArray {
  readonly shape: readonly number[];
  /** Row by row. */
  readonly data: Float64Array;
}

const MAGIC = Buffer.from("\x93NUMPY\x01\x00", "latin1");
/** The same arrays are the same bytes: nothing of when they were packed. */
const PACKED = new Date(1980, 0, 1);

/** Arrays as an uncompressed `.npz`, which `numpy.load` reads: little-endian doubles in C order. */
export function encodeNpz(arrays: Readonly<Record<string, NumericArray>>): Buffer {
  const files = Object.entries(arrays).map(([name, array]) => [`${name}.npy`, encode(array)] as const);
  return Buffer.from(zipSync(Object.fromEntries(files), { level: 0, mtime: PACKED }));
}

/** @throws {Error} if the bytes are no `.npz` of doubles in C order */
export function decodeNpz(content: Buffer): Record<string, NumericArray> {
  return Object.fromEntries(
    Object.entries(unzipSync(content)).map(([name, bytes]) => [name.replace(/\.npy$/, ""), decode(name, bytes)]),
  );
}

/** https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html, version 1.0 */
function encode({ shape, data }: NumericArray): Uint8Array {
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
  const text = `{'descr': '<f8', 'fortran_order': False, 'shape': ${tuple}, }`;
  // Data begin at a multiple of 64.
  const length = Math.ceil((MAGIC.length + 2 + text.length + 1) / 64) * 64;
  const header = Buffer.alloc(length, " ");
  MAGIC.copy(header);
  header.writeUInt16LE(length - MAGIC.length - 2, MAGIC.length);
  header.set(strToU8(text), MAGIC.length + 2);
  header[length - 1] = 0x0a;
  return Buffer.concat([header, littleEndian(data)]);
}

function decode(name: string, bytes: Uint8Array): NumericArray {
  const content = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (content.length < 10 || !content.subarray(0, MAGIC.length).equals(MAGIC))
    throw new Error(`${name} is no array of NumPy's format 1.0.`);
  const start = MAGIC.length + 2 + content.readUInt16LE(MAGIC.length);
  const header = content.toString("latin1", MAGIC.length + 2, start);
  const shape = /'shape': \(([0-9, ]*)\)/
    .exec(header)?.[1]
    ?.match(/[0-9]+/g)
    ?.map(Number);
  if (!shape || !header.includes("'<f8'") || !header.includes("'fortran_order': False"))
    throw new Error(`${name} does not hold doubles in C order: ${header.trim()}`);
  const data = doubles(content.subarray(start));
  if (data.length !== shape.reduce((product, size) => product * size, 1))
    throw new Error(`${name} has ${data.length} values and the shape ${shape.join(" x ")}.`);
  return { shape, data };
}

/** Doubles out of their little-endian bytes, wherever these lie. */
export function doubles(bytes: Uint8Array): Float64Array {
  if (bytes.byteLength % 8 !== 0) throw new Error(`${bytes.byteLength} bytes are not a number of doubles.`);
  const data = new Float64Array(bytes.byteLength / 8);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let i = 0; i < data.length; i++) data[i] = view.getFloat64(8 * i, true);
  return data;
}

export function littleEndian(data: Float64Array): Buffer {
  const bytes = Buffer.allocUnsafe(8 * data.length);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let i = 0; i < data.length; i++) view.setFloat64(8 * i, data[i] as number, true);
  return bytes;
}

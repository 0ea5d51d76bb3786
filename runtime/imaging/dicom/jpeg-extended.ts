import { damaged, unread } from "./failures";
import { BitReader, type HuffmanTable, type JpegFrame, readScans } from "./jpeg-stream";

const BLOCK = 8;

/**
 * Samples of a grey JPEG stream of 12 bits, extended sequential (ITU-T T.81, process 4), which no library at hand reads.
 *
 * @throws {RejectedImage}
 */
export function decodeExtended(bytes: Buffer, { width, height, precision, components }: JpegFrame): Uint16Array {
  if (components.length !== 1) throw unread("12-bit JPEG in colour");
  const samples = new Uint16Array(width * height);
  const white = 2 ** precision - 1;
  readScans(bytes, (_, { components: [scanned] }, tables, at) => {
    const dc = scanned && tables.dc[scanned.dc];
    const ac = scanned && tables.ac[scanned.ac];
    const quantization = tables.quantization[components[0]?.quantization ?? 0];
    if (!dc || !ac || !quantization) throw damaged("its JPEG stream lacks a table");
    const bits = new BitReader(bytes, at);
    const block = new Float64Array(BLOCK * BLOCK);
    let level = 0;
    let left = tables.restart;
    for (let top = 0; top < height; top += BLOCK)
      for (let start = 0; start < width; start += BLOCK) {
        if (tables.restart > 0 && left-- === 0) {
          bits.restart();
          left = tables.restart - 1;
          level = 0;
        }
        level = readBlock(bits, dc, ac, quantization, level, block);
        invert(block);
        for (let y = 0; y < BLOCK && top + y < height; y++)
          for (let x = 0; x < BLOCK && start + x < width; x++) {
            const value = Math.round(block[BLOCK * y + x] as number) + (white + 1) / 2;
            samples[(top + y) * width + start + x] = Math.min(white, Math.max(0, value));
          }
      }
  });
  return samples;
}

/** Coefficients of a block in their places. Returns the first of them before it is scaled: the next one's is told from it. */
function readBlock(
  bits: BitReader,
  dc: HuffmanTable,
  ac: HuffmanTable,
  quantization: Uint16Array,
  before: number,
  block: Float64Array,
): number {
  block.fill(0);
  const size = dc.read(bits);
  if (size > 16) throw damaged("its JPEG stream has a difference of too many bits");
  const level = before + bits.signed(size);
  block[0] = level * (quantization[0] as number);
  for (let k = 1; k < BLOCK * BLOCK; k++) {
    const code = ac.read(bits);
    const length = code & 15;
    if (length === 0) {
      if (code >> 4 !== 15) break;
      k += 15;
      continue;
    }
    k += code >> 4;
    if (k >= BLOCK * BLOCK) throw damaged("a block of its JPEG stream is too long");
    block[ZIGZAG[k] as number] = bits.signed(length) * (quantization[k] as number);
  }
  return level;
}

/** T.81, figure 5: from the order of the stream to that of the rows. */
const ZIGZAG = [
  0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
  35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47,
  55, 62, 63,
];

/** By frequency and place: half of cos((2 place + 1) frequency pi / 16), the first a root of a half less. */
const COSINES = Float64Array.from({ length: BLOCK * BLOCK }, (_, i) => {
  const frequency = i >> 3;
  return (Math.cos(((2 * (i & 7) + 1) * frequency * Math.PI) / 16) * (frequency === 0 ? Math.SQRT1_2 : 1)) / 2;
});

const halfway = new Float64Array(BLOCK * BLOCK);

/** The inverse cosine transform of a block, in place: T.81, A.3.3. */
function invert(block: Float64Array): void {
  transform(block, halfway);
  transform(halfway, block);
}

/** Of the columns, written as rows. */
function transform(from: Float64Array, to: Float64Array): void {
  for (let column = 0; column < BLOCK; column++)
    for (let place = 0; place < BLOCK; place++) {
      let sum = 0;
      for (let frequency = 0; frequency < BLOCK; frequency++)
        sum += (from[BLOCK * frequency + column] as number) * (COSINES[BLOCK * frequency + place] as number);
      to[BLOCK * column + place] = sum;
    }
}

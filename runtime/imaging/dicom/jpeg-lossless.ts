import { damaged, unread } from "./failures";
import { BitReader, type JpegFrame, type JpegScan, type JpegTables, readScans } from "./jpeg-stream";

/**
 * Samples of a lossless JPEG stream (ITU-T T.81, annex H: Huffman, all predictors), those of a pixel side by side, 2 to 16
 * bits unsigned.
 *
 * Own code, because the package for it brings a bundler's native binary along, and because its reader of Huffman codes serves
 * the 12-bit process too.
 *
 * @throws {RejectedImage}
 */
export function decodeLossless(bytes: Buffer, { width, height, components }: JpegFrame): Uint16Array {
  const samples = new Uint16Array(width * height * components.length);
  if (components.some(({ across, down }) => across !== 1 || down !== 1)) throw unread("lossless JPEG with subsampling");
  const done = new Set<number>();
  readScans(bytes, (frame, scan, tables, at) => {
    for (const { index } of scan.components) done.add(index);
    readScan(samples, frame, scan, tables, new BitReader(bytes, at));
  });
  if (done.size < components.length) throw damaged("its JPEG stream lacks a component");
  return samples;
}

function readScan(
  samples: Uint16Array,
  { width, height, precision, components }: JpegFrame,
  { components: scanned, predictor, pointTransform }: JpegScan,
  tables: JpegTables,
  bits: BitReader,
): void {
  const { restart } = tables;
  const predict = PREDICTORS[predictor];
  if (!predict) throw damaged("its JPEG stream has a predictor that there is not");
  const step = components.length;
  const row = width * step;
  const start = 1 << (precision - pointTransform - 1);
  const units = scanned.map(({ index, dc }) => {
    const table = tables.dc[dc];
    if (!table) throw damaged("its JPEG stream lacks a table");
    return { index, table };
  });
  // The row that a restart begins is predicted as the first one is.
  let firstRow = 0;
  for (let y = 0, left = restart; y < height; y++)
    for (let x = 0; x < width; x++) {
      if (restart > 0 && left-- === 0) {
        bits.restart();
        left = restart - 1;
        if (x !== 0) throw damaged("its JPEG stream restarts within a row");
        firstRow = y;
      }
      for (const { index, table } of units) {
        const at = y * row + x * step + index;
        const size = table.read(bits);
        const difference = size === 16 ? 32_768 : bits.signed(size);
        const value = (i: number) => (samples[i] as number) >> pointTransform;
        const predicted =
          y === firstRow
            ? x === 0
              ? start
              : value(at - step)
            : x === 0
              ? value(at - row)
              : predict(value(at - step), value(at - row), value(at - row - step));
        samples[at] = (predicted + difference) << pointTransform;
      }
    }
}

/** From the samples to the left, above, and above to the left: T.81, table H.1. */
const PREDICTORS: readonly (((a: number, b: number, c: number) => number) | undefined)[] = [
  undefined,
  (a) => a,
  (_, b) => b,
  (_, __, c) => c,
  (a, b, c) => a + b - c,
  (a, b, c) => a + ((b - c) >> 1),
  (a, b, c) => b + ((a - c) >> 1),
  (a, b) => (a + b) >> 1,
];

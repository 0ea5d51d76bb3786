import { type Samples, toUnsigned } from "./grey";
import { type RawSamples, readRaw } from "./sharp-decoder";
import type { TiffPage } from "./tiff";
import { isSubsampled, packedColumns, packedRows, unitBytes } from "./tiff-blocks";
import { isPlainYcbcr, isSigned16, packedPage, singlePage } from "./tiff-single-page";
import { toRgb } from "./ycbcr";

/** The samples of one page. @throws {RejectedImage} */
export async function decodeTiffPage(page: TiffPage): Promise<Samples> {
  if (page.rejected) throw page.rejected;
  if (isSubsampled(page)) return decodeSubsampled(page);
  const raw = await readRaw(singlePage(page), "tiff", page.alpha !== undefined);
  const { width, height, channels } = raw;
  // Grey without alpha comes alone, whatever lies beside it.
  const colours = channels === 1 ? 1 : channels - (page.samples - page.colours);
  const values = unsigned(page, raw, colours);
  const plain = values.length === width * height * colours;
  if (isPlainYcbcr(page)) toRgb(values as Uint8Array, channels, page.chroma);
  return {
    width,
    height,
    channels: plain ? colours : channels,
    colours: colours === 1 ? 1 : 3,
    alpha: page.alpha && {
      channel: colours + page.alpha.sample - page.colours,
      premultiplied: page.alpha.premultiplied,
    },
    values,
  };
}

/** YCbCr of which several pixels share their chroma: it is taken for each of them as it is, as libtiff does. */
async function decodeSubsampled(page: TiffPage): Promise<Samples> {
  const { width, height, block, chroma, orientation } = page;
  const { values: packed } = await readRaw(packedPage(page), "tiff");
  const [across, down] = page.subsampling;
  const unit = unitBytes(page);
  const rowBytes = packedColumns(page);
  const blocksAcross = Math.ceil(width / block.width);
  const blockBytes = rowBytes * packedRows(page, block.height);
  const { start, right, below, size } = turn(width, height, orientation);
  const values = new Uint8Array(3 * width * height);
  for (let y = 0; y < height; y++) {
    const top = Math.floor(y / block.height) * blocksAcross;
    const rowInBlock = y % block.height;
    const row = Math.floor(rowInBlock / down) * rowBytes;
    const lumaRow = (rowInBlock % down) * across;
    for (let x = 0; x < width; x++) {
      const column = x % block.width;
      const at = (top + Math.floor(x / block.width)) * blockBytes + row + Math.floor(column / across) * unit;
      const to = 3 * (start + x * right + y * below);
      values[to] = packed[at + lumaRow + (column % across)] as number;
      values[to + 1] = packed[at + unit - 2] as number;
      values[to + 2] = packed[at + unit - 1] as number;
    }
  }
  toRgb(values, 3, chroma);
  return { ...size, channels: 3, colours: 3, values };
}

/**
 * Where pixels go in the upright picture: the first one, and how far on the next one to the right and below lies.
 * @param orientation as EXIF counts: 1 upright, 3 upside down, 6 and 8 lying on a side, 2, 4, 5 and 7 mirrored
 */
function turn(width: number, height: number, orientation: number) {
  const transposed = orientation > 4;
  const last = width * height - 1;
  const [start, right, below] = (
    [
      [0, 1, width],
      [width - 1, -1, width],
      [last, -1, -width],
      [last - width + 1, 1, -width],
      [0, height, 1],
      [height - 1, height, -1],
      [last, -height, -1],
      [last - height + 1, -height, 1],
    ] as const
  )[orientation - 1] as readonly [number, number, number];
  return { start, right, below, size: transposed ? { width: height, height: width } : { width, height } };
}

/** Values of other types lose what is no colour, so that it has no part in their range. */
function unsigned(page: TiffPage, { values, channels }: RawSamples, colours: number): Uint8Array | Uint16Array {
  if (isSigned16(page)) {
    return toUnsigned(firstOf(new Int16Array(values.buffer, values.byteOffset, values.length), channels, colours));
  }
  if (values instanceof Uint8Array || values instanceof Uint16Array) return values;
  return toUnsigned(firstOf(values, channels, colours));
}

/** The first `kept` of every `channels` values. */
function firstOf<T extends RawSamples["values"]>(values: T, channels: number, kept: number): T {
  return channels === kept ? values : (values.filter((_, index) => index % channels < kept) as T);
}

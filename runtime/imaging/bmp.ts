import type { Samples } from "./grey";
import type { PageHeader } from "./limits";
import { RejectedImage } from "./rejected";

/**
 * Windows and OS/2 bitmaps: 1, 4, 8, 16, 24 and 32 bits, palettes, bit fields, run lengths, bottom-up and top-down.
 * https://learn.microsoft.com/windows/win32/gdi/bitmap-storage
 */
export interface BmpHeader extends PageHeader {
  readonly bits: number;
  readonly compression: number;
  readonly topDown: boolean;
  /** Where the pixels begin, bytes. */
  readonly offset: number;
  /** Red, green, blue, alpha; 0: there is none. */
  readonly masks: readonly [number, number, number, number];
  /** Red, green and blue of each palette entry. */
  readonly palette: Uint8Array;
}

const RGB = 0;
const RLE8 = 1;
const RLE4 = 2;
const BIT_FIELDS = 3;
const ALPHA_BIT_FIELDS = 6;
const OTHER_COMPRESSIONS: Readonly<Record<number, string>> = { 4: "a JPEG picture", 5: "a PNG picture" };

export function readBmpHeader(bytes: Buffer): BmpHeader {
  if (bytes.length < 26) throw truncated();
  const headerSize = bytes.readUInt32LE(14);
  const old = headerSize === 12;
  if (bytes.length < 14 + headerSize) throw truncated();
  const width = old ? bytes.readUInt16LE(18) : bytes.readInt32LE(18);
  const signedHeight = old ? bytes.readUInt16LE(20) : bytes.readInt32LE(22);
  const bits = bytes.readUInt16LE(old ? 24 : 28);
  const compression = old || headerSize < 20 ? RGB : bytes.readUInt32LE(30);
  const used = old || headerSize < 36 ? 0 : bytes.readUInt32LE(46);
  const supported =
    (compression === RGB && [1, 4, 8, 16, 24, 32].includes(bits)) ||
    (compression === RLE8 && bits === 8) ||
    (compression === RLE4 && bits === 4) ||
    ((compression === BIT_FIELDS || compression === ALPHA_BIT_FIELDS) && (bits === 16 || bits === 32));
  if (!supported) {
    throw new RejectedImage(
      "unsupported-encoding",
      `This BMP stores ${OTHER_COMPRESSIONS[compression] ?? `${bits} bits a pixel with compression ${compression}`}, ` +
        "which is not read. Save it as PNG.",
    );
  }

  let masks: [number, number, number, number] = bits === 16 ? [0x7c00, 0x3e0, 0x1f, 0] : [0xff0000, 0xff00, 0xff, 0];
  let afterHeader = 14 + headerSize;
  if (compression === BIT_FIELDS || compression === ALPHA_BIT_FIELDS) {
    const inHeader = headerSize >= 52;
    const withAlpha = inHeader ? headerSize >= 56 : compression === ALPHA_BIT_FIELDS;
    if (bytes.length < 54 + (withAlpha ? 16 : 12)) throw truncated();
    const mask = (index: number) => bytes.readUInt32LE(54 + 4 * index);
    masks = [mask(0), mask(1), mask(2), withAlpha ? coverOf(mask(3), bits) : 0];
    // As Pillow: without any mask, alpha is the fourth byte.
    if (bits === 32 && masks.every((bit) => bit === 0)) masks = [0xff0000, 0xff00, 0xff, 0xff000000];
    if (!inHeader) afterHeader += withAlpha ? 16 : 12;
  }

  const entrySize = old ? 3 : 4;
  const given = bytes.readUInt32LE(10);
  // An old header has no place for the number of colours: they go on until the pixels begin.
  const room = old && given > afterHeader ? Math.floor((given - afterHeader) / entrySize) : 2 ** bits;
  const entries = bits <= 8 ? Math.min(used || room, 2 ** bits) : 0;
  if (bytes.length < afterHeader + entries * entrySize) throw truncated();
  const palette = new Uint8Array(3 * 2 ** Math.min(bits, 8));
  for (let i = 0; i < entries; i++) {
    const at = afterHeader + i * entrySize;
    palette.set([bytes[at + 2] as number, bytes[at + 1] as number, bytes[at] as number], 3 * i);
  }
  const height = Math.abs(signedHeight);
  const afterPalette = afterHeader + entries * entrySize;
  const offset = given || afterPalette;
  if (offset < afterPalette) throw damaged("its pixels begin within its header or palette");
  if (compression === RGB || compression > RLE4) {
    if (bytes.length < offset + rowBytes(width, bits) * height) throw truncated();
  }
  return {
    width,
    height,
    channels: masks[3] ? 4 : 3,
    bytesPerSample: 1,
    extraBytesPerSample: 0,
    bits,
    compression,
    topDown: signedHeight < 0,
    offset,
    masks,
    palette,
  };
}

/**
 * The mask of an alpha that counts. The one bit that 16-bit pixels have to spare for it is noise in many files (0 in all
 * of them), so it does not, as it does not for Pillow. Without bit fields there is no alpha: the fourth byte is unused.
 */
function coverOf(mask: number, bits: number): number {
  const single = (mask & (mask - 1)) === 0;
  return bits === 16 && single ? 0 : mask;
}

export function decodeBmp(bytes: Buffer, header: BmpHeader): Samples {
  const { width, height, bits, palette, topDown } = header;
  const channels = header.channels === 4 ? 4 : 3;
  const values = new Uint8Array(width * height * channels);
  const alpha = channels === 4 ? { channel: 3, premultiplied: false } : undefined;
  const samples: Samples = { width, height, channels, colours: 3, alpha, values };
  const rowOf = (line: number) => (topDown ? line : height - 1 - line) * width * channels;

  if (header.compression === RLE8 || header.compression === RLE4) {
    const indices = runLengths(bytes, header);
    for (let line = 0; line < height; line++) {
      const out = rowOf(line);
      for (let x = 0; x < width; x++) {
        const entry = 3 * (indices[line * width + x] as number);
        for (let c = 0; c < 3; c++) values[out + 3 * x + c] = palette[entry + c] as number;
      }
    }
    return samples;
  }

  const stride = rowBytes(width, bits);
  const fields = header.masks.map(field);
  for (let line = 0; line < height; line++) {
    const row = header.offset + line * stride;
    let out = rowOf(line);
    for (let x = 0; x < width; x++, out += channels) {
      if (bits <= 8) {
        const bit = x * bits;
        const index = ((bytes[row + (bit >> 3)] as number) >> (8 - bits - (bit & 7))) & (2 ** bits - 1);
        for (let c = 0; c < 3; c++) values[out + c] = palette[3 * index + c] as number;
      } else if (bits === 24) {
        for (let c = 0; c < 3; c++) values[out + c] = bytes[row + 3 * x + 2 - c] as number;
      } else {
        const pixel = bits === 16 ? bytes.readUInt16LE(row + 2 * x) : bytes.readUInt32LE(row + 4 * x);
        for (let c = 0; c < channels; c++) {
          const { shift, max } = fields[c] as { shift: number; max: number };
          values[out + c] = max ? Math.floor(((((pixel >>> shift) & max) >>> 0) * 510 + max) / (2 * max)) : 0;
        }
      }
    }
  }
  return samples;
}

/** Rows are padded to four bytes. */
function rowBytes(width: number, bits: number): number {
  return 4 * Math.ceil((width * bits) / 32);
}

function field(mask: number): { shift: number; max: number } {
  if (mask === 0) return { shift: 0, max: 0 };
  const shift = 31 - Math.clz32(mask & -mask);
  return { shift, max: mask >>> shift };
}

/**
 * Palette indices, line by line in file order; what the file skips is 0.
 * @throws {RejectedImage} `damaged` where pixels are written beyond a line or the last one, `truncated`
 */
function runLengths(bytes: Buffer, { width, height, compression, offset }: BmpHeader): Uint8Array {
  const indices = new Uint8Array(width * height);
  const nibbles = compression === RLE4;
  let at = offset;
  let x = 0;
  let line = 0;
  const next = (): number => {
    const value = bytes[at++];
    if (value === undefined) throw truncated();
    return value;
  };
  // Runs of nibbles are padded to whole bytes by some writers.
  const widest = nibbles ? width + (width % 2) : width;
  const put = (index: number) => {
    if (line >= height || x >= widest) throw damaged("its run lengths lead out of the picture");
    if (x < width) indices[line * width + x] = index;
    x++;
  };
  // All lines may be there without the code that ends them.
  while (line < height || at + 2 <= bytes.length) {
    const run = next();
    const code = next();
    if (run > 0) {
      for (let i = 0; i < run; i++) put(nibbles ? (i % 2 ? code & 15 : code >> 4) : code);
    } else if (code === 0) {
      x = 0;
      line++;
    } else if (code === 1) {
      break;
    } else if (code === 2) {
      x += next();
      line += next();
    } else {
      const begin = at;
      let byte = 0;
      for (let i = 0; i < code; i++) {
        if (!nibbles || i % 2 === 0) byte = next();
        put(nibbles ? (i % 2 ? byte & 15 : byte >> 4) : byte);
      }
      if ((at - begin) % 2) at++;
    }
  }
  return indices;
}

function damaged(why: string): RejectedImage {
  return new RejectedImage("damaged", `The BMP file is damaged: ${why}. Export or send it again.`);
}

function truncated(): RejectedImage {
  return new RejectedImage("truncated", "The BMP file ends before its last pixel. Export or send it again.");
}

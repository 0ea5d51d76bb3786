import { count, type ImageLimits, type PageHeader } from "./limits";
import { RejectedImage } from "./rejected";

/**
 * The directories of a TIFF or BigTIFF file, read without decoding anything, so that what a file announces can be
 * checked first. https://www.itu.int/itudoc/itu-t/com16/tiff-fx/docs/tiff6.pdf
 */
export interface TiffPageHeader extends PageHeader {
  /** 1 unsigned, 2 signed, 3 IEEE float. */
  readonly sampleFormat: number;
  readonly bits: number;
  readonly photometric: number;
  /** Where the values of tag SampleFormat lie, bytes; undefined if the tag is absent. */
  readonly sampleFormatAt: { readonly offset: number; readonly count: number } | undefined;
  readonly littleEndian: boolean;
  /** Why this page alone is refused. */
  readonly rejected: RejectedImage | undefined;
}

const TAG = {
  width: 256,
  height: 257,
  bits: 258,
  photometric: 262,
  stripOffsets: 273,
  samples: 277,
  rowsPerStrip: 278,
  stripBytes: 279,
  tileWidth: 322,
  tileHeight: 323,
  tileOffsets: 324,
  tileBytes: 325,
  sampleFormat: 339,
} as const;

const TYPE_BYTES: Record<number, number> = { 1: 1, 3: 2, 4: 4, 6: 1, 8: 2, 9: 4, 13: 4, 16: 8, 17: 8, 18: 8 };
const PALETTE = 3;
/** Sides of tiles are multiples of it, pixels. */
const LEAST_TILE = 16;
/** Entries of a directory; the older format cannot count further, and libtiff takes no more. */
const MOST_ENTRIES = 65_535;

interface Entry {
  readonly type: number;
  readonly count: number;
  /** Where the values lie. */
  readonly at: number;
}

/** @throws {RejectedImage} `truncated`, `damaged`, `too-many-pages` or `too-many-pixels`: the whole file is refused. */
export function readTiffPages(bytes: Buffer, limits: ImageLimits): TiffPageHeader[] {
  const reader = new Reader(bytes);
  const seen = new Set<number>();
  const pages: TiffPageHeader[] = [];
  let pixels = 0;
  let at = reader.big ? reader.uint(8, 8) : reader.uint(4, 4);
  while (at !== 0) {
    if (seen.has(at)) {
      throw new RejectedImage("damaged", "The pages of this TIFF file lead in a circle. Export it again.");
    }
    seen.add(at);
    if (seen.size > limits.pages) {
      throw new RejectedImage(
        "too-many-pages",
        `The TIFF file has more than ${count(limits.pages)} pages. Split it into smaller files.`,
      );
    }
    const { entries, next } = reader.directory(at);
    const page = readPage(reader, entries, limits);
    pages.push(page);
    const size = page.width * page.height;
    // A page that is too large by itself is refused alone, and costs nothing.
    if (size <= limits.pixels) pixels += size;
    if (pixels > limits.totalPixels) {
      throw new RejectedImage(
        "too-many-pixels",
        `The pages of the TIFF file have more than ${count(limits.totalPixels)} pixels together. Split it into smaller files.`,
      );
    }
    at = next;
  }
  if (pages.length === 0) throw new RejectedImage("damaged", "The TIFF file has no page. Export it again.");
  return pages;
}

function readPage(reader: Reader, entries: Map<number, Entry>, limits: ImageLimits): TiffPageHeader {
  const value = (tag: number, absent: number) => reader.first(entries.get(tag)) ?? absent;
  const width = value(TAG.width, 0);
  const height = value(TAG.height, 0);
  const bits = value(TAG.bits, 1);
  const photometric = value(TAG.photometric, 1);
  const samples = value(TAG.samples, 1);
  const format = entries.get(TAG.sampleFormat);
  const tiled = entries.has(TAG.tileOffsets);
  // A decoder holds one strip or one tile at a time beside the result.
  const blockWidth = tiled ? value(TAG.tileWidth, 0) : width;
  const blockHeight = tiled ? value(TAG.tileHeight, 0) : Math.min(height, value(TAG.rowsPerStrip, height));
  const bytesPerSample = Math.max(1, Math.ceil(bits / 8));
  const across = tiled ? Math.ceil(width / Math.max(LEAST_TILE, blockWidth)) : 1;
  const down = Math.ceil(height / Math.max(tiled ? LEAST_TILE : 1, blockHeight));
  const blocks = width * height > limits.pixels ? 0 : across * down * samples;
  return {
    width,
    height,
    channels: photometric === PALETTE ? 3 : samples,
    bytesPerSample,
    extraBytesPerSample: width * height > 0 ? (bytesPerSample * blockWidth * blockHeight) / (width * height) : 0,
    sampleFormat: value(TAG.sampleFormat, 1),
    bits,
    photometric,
    sampleFormatAt: format && { offset: format.at, count: format.count },
    littleEndian: reader.littleEndian,
    rejected: readsBeyondEnd(reader, entries, tiled, blocks)
      ? new RejectedImage("truncated", "The TIFF file ends before its last pixel. Export or send it again.")
      : undefined,
  };
}

/** @param most blocks that the page can have: a file may announce any number, and time is spent on each. */
function readsBeyondEnd(reader: Reader, entries: Map<number, Entry>, tiled: boolean, most: number): boolean {
  const offsets = entries.get(tiled ? TAG.tileOffsets : TAG.stripOffsets);
  const sizes = entries.get(tiled ? TAG.tileBytes : TAG.stripBytes);
  if (!offsets || !sizes) return false;
  const blocks = Math.min(offsets.count, sizes.count, most);
  for (let i = 0; i < blocks; i++) {
    const offset = reader.value(offsets, i);
    const size = reader.value(sizes, i);
    if (offset === undefined || size === undefined || offset + size > reader.length) return true;
  }
  return false;
}

class Reader {
  readonly littleEndian: boolean;
  readonly big: boolean;

  constructor(private readonly bytes: Buffer) {
    this.littleEndian = bytes[0] === 0x49;
    this.big = bytes[this.littleEndian ? 2 : 3] === 43;
  }

  get length(): number {
    return this.bytes.length;
  }

  uint(at: number, size: number): number {
    if (at < 0 || at + size > this.bytes.length) {
      throw new RejectedImage("truncated", "The TIFF file ends before its directory of pages. Send it again.");
    }
    if (size === 8) {
      return Number(this.littleEndian ? this.bytes.readBigUInt64LE(at) : this.bytes.readBigUInt64BE(at));
    }
    return this.littleEndian ? this.bytes.readUIntLE(at, size) : this.bytes.readUIntBE(at, size);
  }

  directory(at: number): { entries: Map<number, Entry>; next: number } {
    const [countSize, entrySize, inline] = this.big ? [8, 20, 8] : [2, 12, 4];
    const entryCount = this.uint(at, countSize);
    if (entryCount > MOST_ENTRIES) {
      throw new RejectedImage("damaged", "A page of this TIFF file has more tags than there can be. Export it again.");
    }
    const begin = at + countSize;
    const end = begin + entryCount * entrySize;
    const next = this.uint(end, inline);
    const entries = new Map<number, Entry>();
    for (let entry = begin; entry < end; entry += entrySize) {
      const type = this.uint(entry + 2, 2);
      const values = this.uint(entry + 4, inline);
      const field = entry + 4 + inline;
      const fits = values * (TYPE_BYTES[type] ?? inline + 1) <= inline;
      entries.set(this.uint(entry, 2), { type, count: values, at: fits ? field : this.uint(field, inline) });
    }
    return { entries, next };
  }

  first(entry: Entry | undefined): number | undefined {
    return entry && this.value(entry, 0);
  }

  /** The value at an index, or undefined where it lies outside the file or is no integer. */
  value(entry: Entry, index: number): number | undefined {
    const size = TYPE_BYTES[entry.type];
    if (size === undefined || index >= entry.count) return undefined;
    const at = entry.at + index * size;
    return at + size > this.bytes.length ? undefined : this.uint(at, size);
  }
}

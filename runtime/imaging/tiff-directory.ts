import { RejectedImage } from "./rejected";

/**
 * The directories of a TIFF or BigTIFF file, read without decoding anything, so that what a file announces can be
 * checked first. https://www.itu.int/itudoc/itu-t/com16/tiff-fx/docs/tiff6.pdf
 */
export const TAG = {
  width: 256,
  height: 257,
  bits: 258,
  compression: 259,
  photometric: 262,
  fillOrder: 266,
  stripOffsets: 273,
  orientation: 274,
  samples: 277,
  rowsPerStrip: 278,
  stripBytes: 279,
  planar: 284,
  faxOptions3: 292,
  faxOptions4: 293,
  predictor: 317,
  palette: 320,
  tileWidth: 322,
  tileHeight: 323,
  tileOffsets: 324,
  tileBytes: 325,
  inkSet: 332,
  extraSamples: 338,
  sampleFormat: 339,
  jpegTables: 347,
  ycbcrCoefficients: 529,
  ycbcrSubsampling: 530,
  referenceBlackWhite: 532,
  profile: 34_675,
} as const;

const READ: ReadonlySet<number> = new Set(Object.values(TAG));

/** Bytes of a value of each type. */
const TYPE_BYTES: Readonly<Record<number, number>> = {
  1: 1,
  2: 1,
  3: 2,
  4: 4,
  5: 8,
  6: 1,
  7: 1,
  8: 2,
  9: 4,
  10: 8,
  11: 4,
  12: 8,
  13: 4,
  16: 8,
  17: 8,
  18: 8,
};
const INTEGERS: ReadonlySet<number> = new Set([1, 3, 4, 6, 8, 9, 13, 16, 17, 18]);
const RATIONALS: ReadonlySet<number> = new Set([5, 10]);
const FLOAT = 11;
const DOUBLE = 12;

/** Entries of a directory; the older format cannot count further, and libtiff takes no more. */
const MOST_ENTRIES = 65_535;

interface Entry {
  readonly type: number;
  /** Number of values. */
  readonly count: number;
  /** Where they lie, bytes. */
  readonly at: number;
}

/** What a directory says of one page. */
export class Directory {
  constructor(
    private readonly file: TiffFile,
    private readonly entries: ReadonlyMap<number, Entry>,
  ) {}

  has(tag: number): boolean {
    return this.entries.has(tag);
  }

  /** Number of values of a tag; 0 where it is absent. */
  count(tag: number): number {
    return this.entries.get(tag)?.count ?? 0;
  }

  /** A whole number; undefined where there is none, or where it lies outside the file. */
  integer(tag: number, index = 0): number | undefined {
    const entry = this.entries.get(tag);
    return entry && INTEGERS.has(entry.type) ? this.value(entry, index) : undefined;
  }

  /** The first `most` whole numbers of a tag. */
  integers(tag: number, most: number): number[] {
    return Array.from({ length: Math.min(most, this.count(tag)) }, (_, index) => this.integer(tag, index)).filter(
      (value) => value !== undefined,
    );
  }

  /** A number, a fraction too; undefined where there is none. */
  number(tag: number, index: number): number | undefined {
    const entry = this.entries.get(tag);
    return entry && this.value(entry, index);
  }

  /** The bytes of all values; undefined where they are absent or lie outside the file. */
  raw(tag: number): Buffer | undefined {
    const entry = this.entries.get(tag);
    if (!entry) return undefined;
    const end = entry.at + entry.count * (TYPE_BYTES[entry.type] ?? Number.POSITIVE_INFINITY);
    return end <= this.file.bytes.length ? this.file.bytes.subarray(entry.at, end) : undefined;
  }

  private value({ type, count, at }: Entry, index: number): number | undefined {
    const size = TYPE_BYTES[type];
    if (size === undefined || index >= count) return undefined;
    const place = at + index * size;
    if (place + size > this.file.bytes.length) return undefined;
    if (type === FLOAT || type === DOUBLE) return this.file.float(place, size as 4 | 8);
    if (!RATIONALS.has(type)) return this.file.uint(place, size);
    return this.file.uint(place, 4) / this.file.uint(place + 4, 4);
  }
}

export class TiffFile {
  readonly littleEndian: boolean;
  private readonly big: boolean;

  constructor(readonly bytes: Buffer) {
    this.littleEndian = bytes[0] === 0x49;
    this.big = bytes[this.littleEndian ? 2 : 3] === 43;
  }

  /** Where the first directory lies; 0: there is none. */
  get first(): number {
    return this.big ? this.uint(8, 8) : this.uint(4, 4);
  }

  /** @throws {RejectedImage} `truncated` */
  uint(at: number, size: number): number {
    if (at < 0 || at + size > this.bytes.length) {
      throw new RejectedImage("truncated", "The TIFF file ends before its directory of pages. Send it again.");
    }
    if (size === 8) {
      return Number(this.littleEndian ? this.bytes.readBigUInt64LE(at) : this.bytes.readBigUInt64BE(at));
    }
    return this.littleEndian ? this.bytes.readUIntLE(at, size) : this.bytes.readUIntBE(at, size);
  }

  float(at: number, size: 4 | 8): number {
    if (size === 4) return this.littleEndian ? this.bytes.readFloatLE(at) : this.bytes.readFloatBE(at);
    return this.littleEndian ? this.bytes.readDoubleLE(at) : this.bytes.readDoubleBE(at);
  }

  /**
   * The directory at a place, and where the next one lies (0: it is the last).
   * @throws {RejectedImage} `truncated` or `damaged`
   */
  directory(at: number): { directory: Directory; next: number } {
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
      const count = this.uint(entry + 4, inline);
      const field = entry + 4 + inline;
      const fits = count * (TYPE_BYTES[type] ?? inline + 1) <= inline;
      const tag = this.uint(entry, 2);
      // A directory may be made of many thousand tags of no concern, and a file of a thousand such directories.
      if (!READ.has(tag)) continue;
      entries.set(tag, { type, count, at: fits ? field : this.uint(field, inline) });
    }
    return { directory: new Directory(this, entries), next };
  }
}

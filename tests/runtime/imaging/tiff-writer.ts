import { deflateSync } from "node:zlib";

/** One page of a TIFF file, as plain as the format allows: strips or tiles. */
export interface TiffPage {
  readonly width: number;
  readonly height: number;
  readonly bits: 1 | 8 | 16 | 32 | 64;
  /** 1 unsigned (default), 2 signed, 3 IEEE float. */
  readonly sampleFormat?: 1 | 2 | 3;
  readonly samples?: number;
  /** 0 white is zero, 1 black is zero (default), 2 RGB, 3 palette, 5 CMYK, 6 YCbCr. */
  readonly photometric?: 0 | 1 | 2 | 3 | 5 | 6;
  /** What the samples behind the colours are: 0 nothing, 1 alpha that has been multiplied in, 2 alpha. */
  readonly extraSamples?: readonly number[];
  /** Each sample in strips or tiles of its own. */
  readonly planar?: boolean;
  /** YCbCr: pixels across and down that share the chroma of the first of them. */
  readonly subsampling?: readonly [number, number];
  /** 1 none (default), 8 deflate, 32773 PackBits. */
  readonly compression?: 1 | 8 | 32773;
  /** 2: horizontal differencing is announced (the caller passes differenced values). */
  readonly predictor?: 2;
  readonly orientation?: number;
  /** Samples row by row, interleaved; with `bits` 1, packed bytes. */
  readonly values: ArrayLike<number>;
  /** 3 x 2^bits 16-bit entries. */
  readonly palette?: readonly number[];
  /** Tile side, a multiple of 16. */
  readonly tile?: number;
  readonly rowsPerStrip?: number;
  /** Tags that overwrite or add to what the page says, as LONG. */
  readonly extra?: Readonly<Record<number, number>>;
  /** Tags with fractions. */
  readonly fractions?: Readonly<Record<number, readonly number[]>>;
  /** Tags that are left out. */
  readonly without?: readonly number[];
  /** The last tag comes first. */
  readonly unsorted?: boolean;
}

export interface TiffOptions {
  readonly bigEndian?: boolean;
  readonly big?: boolean;
  /** The last directory points back at the first. */
  readonly loop?: boolean;
}

/** Writes TIFF 6.0 or BigTIFF. */
export function writeTiff(pages: readonly TiffPage[], options: TiffOptions = {}): Buffer {
  const le = !options.bigEndian;
  const big = options.big ?? false;
  const chunks: Buffer[] = [];
  let size = 0;
  const add = (chunk: Buffer): number => {
    const at = size;
    const padded = chunk.length % 8 ? Buffer.concat([chunk, Buffer.alloc(8 - (chunk.length % 8))]) : chunk;
    chunks.push(padded);
    size += padded.length;
    return at;
  };
  const number = (value: number, bytes: 2 | 4 | 8): Buffer => {
    const buffer = Buffer.alloc(bytes);
    if (bytes === 8) le ? buffer.writeBigUInt64LE(BigInt(value)) : buffer.writeBigUInt64BE(BigInt(value));
    else le ? buffer.writeUIntLE(value, 0, bytes) : buffer.writeUIntBE(value, 0, bytes);
    return buffer;
  };
  const header = Buffer.alloc(16);
  header.write(le ? "II" : "MM", 0, "latin1");
  number(big ? 43 : 42, 2).copy(header, 2);
  if (big) number(8, 2).copy(header, 4);
  add(header);
  const first: { at: number; in: Buffer } = { at: big ? 8 : 4, in: header };
  let link = first;
  let firstDirectory = 0;

  pages.forEach((page, index) => {
    const samples = page.samples ?? 1;
    const blocks = cut(page, samples).map((values) => compress(encode(values, page, le), page.compression ?? 1));
    const offsets = blocks.map(add);
    const entries = new Map<number, { type: 3 | 4 | 5; values: number[] }>();
    const put = (tag: number, type: 3 | 4 | 5, ...values: number[]) => entries.set(tag, { type, values });
    put(256, 4, page.width);
    put(257, 4, page.height);
    put(258, 3, ...Array(samples).fill(page.bits));
    put(259, 3, page.compression ?? 1);
    put(262, 3, page.photometric ?? 1);
    if (page.orientation) put(274, 3, page.orientation);
    put(277, 3, samples);
    put(284, 3, page.planar ? 2 : 1);
    if (page.predictor) put(317, 3, page.predictor);
    if (page.palette) put(320, 3, ...page.palette);
    if (page.tile) {
      put(322, 4, page.tile);
      put(323, 4, page.tile);
      put(324, 4, ...offsets);
      put(325, 4, ...blocks.map((block) => block.length));
    } else {
      put(273, 4, ...offsets);
      put(278, 4, page.rowsPerStrip ?? page.height);
      put(279, 4, ...blocks.map((block) => block.length));
    }
    put(339, 3, ...Array(samples).fill(page.sampleFormat ?? 1));
    if (page.extraSamples) put(338, 3, ...page.extraSamples);
    if (page.photometric === 6) put(530, 3, ...(page.subsampling ?? [1, 1]));
    for (const [tag, values] of Object.entries(page.fractions ?? {})) {
      put(Number(tag), 5, ...values.flatMap((value) => [Math.round(value * 10_000), 10_000]));
    }
    for (const [tag, value] of Object.entries(page.extra ?? {})) put(Number(tag), 4, value);
    for (const tag of page.without ?? []) entries.delete(tag);

    const sorted = [...entries].sort(([a], [b]) => a - b);
    if (page.unsorted) sorted.reverse();
    const room = big ? 8 : 4;
    const body = sorted.map(([tag, { type, values }]) => {
      const data = Buffer.concat(values.map((value) => number(value, type === 3 ? 2 : 4)));
      const inline = Buffer.alloc(room);
      if (data.length <= room) data.copy(inline);
      else number(add(data), room).copy(inline);
      const count = type === 5 ? values.length / 2 : values.length;
      return Buffer.concat([number(tag, 2), number(type, 2), number(count, room), inline]);
    });
    const end = number(0, room);
    const directory = Buffer.concat([number(sorted.length, big ? 8 : 2), ...body, end]);
    const at = size;
    chunks.push(directory);
    size += directory.length;
    if (index === 0) firstDirectory = at;
    number(at, room).copy(link.in, link.at);
    link = { in: directory, at: directory.length - room };
  });
  if (options.loop) number(firstDirectory, big ? 8 : 4).copy(link.in, link.at);
  return Buffer.concat(chunks);
}

/** The values of each strip or tile, in the order in which the format wants them. */
function cut(page: TiffPage, samples: number): ArrayLike<number>[] {
  if (page.planar) {
    return Array.from({ length: samples }, (_, plane) => {
      const values = Array.from(page.values).filter((_, i) => i % samples === plane);
      return cut({ ...page, values, planar: false }, 1);
    }).flat();
  }
  const [across, down] = page.subsampling ?? [1, 1];
  const pack = (values: number[], width: number) =>
    across * down === 1 ? values : toUnits(values, width, across, down);
  if (page.tile) {
    const tiles: number[][] = [];
    for (let top = 0; top < page.height; top += page.tile) {
      for (let left = 0; left < page.width; left += page.tile) {
        const tile: number[] = [];
        for (let y = 0; y < page.tile; y++) {
          for (let x = 0; x < page.tile * samples; x++) {
            const inside = top + y < page.height && left + Math.floor(x / samples) < page.width;
            tile.push(inside ? (page.values[((top + y) * page.width + left) * samples + x] as number) : 0);
          }
        }
        tiles.push(pack(tile, page.tile));
      }
    }
    return tiles;
  }
  if (!page.rowsPerStrip && across * down === 1) return [page.values];
  const perStrip = (page.rowsPerStrip ?? page.height) * page.width * samples;
  const all = Array.from(page.values);
  return Array.from({ length: Math.ceil(all.length / perStrip) }, (_, i) =>
    pack(all.slice(i * perStrip, (i + 1) * perStrip), page.width),
  );
}

/** YCbCr pixels as units: the luma of all pixels, beyond the edge that of the last one, and the first one's chroma. */
function toUnits(values: readonly number[], width: number, across: number, down: number): number[] {
  const height = values.length / (3 * width);
  const at = (x: number, y: number) => 3 * (Math.min(y, height - 1) * width + Math.min(x, width - 1));
  const units: number[] = [];
  for (let y = 0; y < height; y += down) {
    for (let x = 0; x < width; x += across) {
      for (let i = 0; i < across * down; i++) {
        units.push(values[at(x + (i % across), y + Math.floor(i / across))] as number);
      }
      units.push(values[at(x, y) + 1] as number, values[at(x, y) + 2] as number);
    }
  }
  return units;
}

function encode(values: ArrayLike<number>, page: TiffPage, le: boolean): Buffer {
  const bytes = page.bits === 1 ? 1 : page.bits / 8;
  const buffer = Buffer.alloc(values.length * bytes);
  const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.length);
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (page.sampleFormat === 3) bytes === 8 ? view.setFloat64(i * 8, value, le) : view.setFloat32(i * 4, value, le);
    else if (bytes === 1) view.setUint8(i, value & 255);
    else if (bytes === 2) view.setUint16(i * 2, value & 65535, le);
    else view.setInt32(i * 4, value | 0, le);
  }
  return buffer;
}

function compress(data: Buffer, compression: number): Buffer {
  if (compression === 8) return deflateSync(data);
  if (compression !== 32773) return data;
  // PackBits with literal runs only.
  const runs: Buffer[] = [];
  for (let i = 0; i < data.length; i += 128) {
    const run = data.subarray(i, i + 128);
    runs.push(Buffer.from([run.length - 1]), run);
  }
  return Buffer.concat(runs);
}

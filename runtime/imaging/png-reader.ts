import { endianness } from "node:os";
import { inflateSync } from "node:zlib";
import { crc32 } from "@node-rs/crc32";
import { DEFAULT_LIMITS } from "./limits";
import { PNG_FILTER, PNG_SIGNATURE } from "./png-format";
import type { GreyImage } from "./types";

/** Length and type before a chunk's data, and the checksum behind it, bytes. */
const CHUNK_HEAD = 8;
const CHUNK_TAIL = 4;

interface Header {
  readonly width: number;
  readonly height: number;
  readonly depth: 8 | 16;
}

/**
 * Reads a PNG of one grey channel, 8 or 16 bits, not interlaced. For pictures of the size of a scan this takes less
 * than half the time of a general decoder, which is started and handed to another thread for each. Chunks that a reader may skip are skipped.
 *
 * @throws if the bytes are anything else, end early or contradict a checksum, and, before anything is inflated, if the
 * header announces more pixels than {@link DEFAULT_LIMITS} takes.
 */
export function readGreyPng(bytes: Buffer): GreyImage {
  return readPlainPng(bytes, (type) => !isCritical(type));
}

/** What says nothing of how a grey picture's samples are to be read: of its colours, its size on paper, its age. */
const SILENT_CHUNKS: ReadonlySet<string> = new Set(["gAMA", "cHRM", "sRGB", "pHYs", "tIME", "bKGD"]);

/**
 * As {@link readGreyPng}, of a file that anybody sent: undefined for whatever a general decoder has to judge, damaged files
 * among it.
 */
export function tryGreyPng(bytes: Buffer): GreyImage | undefined {
  try {
    return readPlainPng(bytes, (type) => SILENT_CHUNKS.has(type));
  } catch {
    return undefined;
  }
}

/** @param skips says which chunks beside header, pixels and end may stand in the file */
function readPlainPng(bytes: Buffer, skips: (type: string) => boolean): GreyImage {
  const { header, compressed } = readChunks(bytes, skips);
  const { width, height, depth } = header;
  const bytesPerPixel = depth / 8;
  const rowBytes = width * bytesPerPixel;
  const rows = inflate(compressed, height * (1 + rowBytes));
  const pixels = unfilter(rows, rowBytes, height, bytesPerPixel);
  if (depth === 8) return { width, height, depth, pixels };
  if (endianness() === "LE") Buffer.from(pixels.buffer, pixels.byteOffset, pixels.byteLength).swap16();
  return { width, height, depth, pixels: new Uint16Array(pixels.buffer, pixels.byteOffset, width * height) };
}

function damaged(why: string, options?: ErrorOptions): Error {
  return new Error(`The PNG is damaged: ${why}.`, options);
}

function readChunks(bytes: Buffer, skips: (type: string) => boolean): { header: Header; compressed: Buffer } {
  let header: Header | undefined;
  const parts: Buffer[] = [];
  if (!bytes.subarray(0, PNG_SIGNATURE.length).equals(PNG_SIGNATURE)) throw notGrey();
  for (let at = PNG_SIGNATURE.length; ; ) {
    if (at + CHUNK_HEAD + CHUNK_TAIL > bytes.length) throw damaged("it ends before its last chunk");
    const start = at + CHUNK_HEAD;
    const end = start + bytes.readUInt32BE(at);
    if (end + CHUNK_TAIL > bytes.length) throw damaged("it ends within a chunk");
    if (crc32(bytes.subarray(at + 4, end)) !== bytes.readUInt32BE(end)) {
      throw damaged(`the checksum of the chunk at byte ${at} is wrong`);
    }
    const type = bytes.toString("latin1", at + 4, start);
    const data = bytes.subarray(start, end);
    at = end + CHUNK_TAIL;
    if (!header) {
      if (type !== "IHDR") throw damaged("it does not begin with its header");
      header = readHeader(data);
    } else if (type === "IDAT") parts.push(data);
    else if (type === "IEND")
      return { header, compressed: parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts) };
    else if (!skips(type)) throw damaged(`a chunk "${type}" has no place in a grey picture`);
  }
}

/** PNG (third edition), 5.4: what nobody may skip begins with a capital letter. */
function isCritical(type: string): boolean {
  return (type.charCodeAt(0) & 0x20) === 0;
}

function notGrey(): Error {
  return new Error("Not a curated scan: a grey PNG of 8 or 16 bits was expected.");
}

function readHeader(data: Buffer): Header {
  if (data.length !== 13) throw damaged("its header has the wrong length");
  const [width, height] = [data.readUInt32BE(0), data.readUInt32BE(4)];
  const [depth, colour, compression, filter, interlace] = data.subarray(8);
  if ((depth !== 8 && depth !== 16) || colour !== 0 || interlace !== 0) throw notGrey();
  if (compression !== 0 || filter !== 0 || width === 0 || height === 0) throw damaged("its header is wrong");
  if (width * height > DEFAULT_LIMITS.pixels) {
    throw new Error(`The PNG announces ${width} x ${height} pixels; at most ${DEFAULT_LIMITS.pixels} are read.`);
  }
  return { width, height, depth };
}

/** Exactly `size` bytes out of a zlib stream, whose checksum zlib compares. */
function inflate(compressed: Buffer, size: number): Buffer {
  let rows: Buffer;
  try {
    // One block that holds everything; a byte more shows a stream that goes on.
    rows = inflateSync(compressed, { chunkSize: Math.max(64, size + 1), maxOutputLength: size + 1 });
  } catch (error) {
    throw damaged(`its pixels cannot be read (${(error as Error).message})`, { cause: error });
  }
  if (rows.length !== size) throw damaged(`it holds ${rows.length} bytes of pixels and not ${size}`);
  return rows;
}

/** A row's place: where its filtered bytes begin in `source`, its own and those of the row above in `out`. */
interface Row {
  readonly source: Buffer;
  from: number;
  readonly out: Uint8Array;
  at: number;
  above: number;
  readonly bytes: number;
}

/**
 * Undoes the filter of every row (PNG, third edition, 9.2).
 * @param source one byte for the filter, then `rowBytes` of the row, `height` times
 * @returns `rowBytes` x `height` bytes, at the beginning of a word
 */
function unfilter(source: Buffer, rowBytes: number, height: number, bytesPerPixel: number): Uint8Array<ArrayBuffer> {
  // Before the first row lies one of zeros, which it is told from.
  const lead = 8 * Math.ceil(rowBytes / 8);
  const out = new Uint8Array(lead + rowBytes * height);
  const row = { source, from: 0, out, at: lead, above: lead - rowBytes, bytes: rowBytes };
  for (let y = 0; y < height; y++) {
    const filter = source[row.from++] as number;
    if (filter === PNG_FILTER.none) out.set(source.subarray(row.from, row.from + rowBytes), row.at);
    else if (filter === PNG_FILTER.sub) undoSub(row, bytesPerPixel);
    else if (filter === PNG_FILTER.up) undoUp(row);
    else if (filter === PNG_FILTER.average) undoAverage(row, bytesPerPixel);
    else if (filter === PNG_FILTER.paeth) undoPaeth(row, bytesPerPixel);
    else throw damaged(`row ${y} has the unknown filter ${filter}`);
    row.above = row.at;
    row.from += rowBytes;
    row.at += rowBytes;
  }
  return out.subarray(lead);
}

function undoSub({ source, from, out, at, bytes }: Row, bytesPerPixel: number): void {
  for (let lane = 0; lane < bytesPerPixel; lane++) {
    let left = 0;
    for (let i = lane; i < bytes; i += bytesPerPixel) {
      left = ((source[from + i] as number) + left) & 255;
      out[at + i] = left;
    }
  }
}

function undoUp({ source, from, out, at, above, bytes }: Row): void {
  for (let i = 0; i < bytes; i++) out[at + i] = (source[from + i] as number) + (out[above + i] as number);
}

function undoAverage({ source, from, out, at, above, bytes }: Row, bytesPerPixel: number): void {
  for (let lane = 0; lane < bytesPerPixel; lane++) {
    let left = 0;
    for (let i = lane; i < bytes; i += bytesPerPixel) {
      left = ((source[from + i] as number) + ((left + (out[above + i] as number)) >> 1)) & 255;
      out[at + i] = left;
    }
  }
}

/**
 * The neighbour that is nearest to left + up - corner, the left one before the one above before the corner, is the larger or
 * the smaller of left and up where the corner lies beyond `turn`, else the corner: the same, in fewer steps one after the other.
 * Without branches: which it is is a matter of noise, and each wrong guess costs more than the sums.
 */
function undoPaeth({ source, from, out, at, above, bytes }: Row, bytesPerPixel: number): void {
  for (let lane = 0; lane < bytesPerPixel; lane++) {
    let left = 0;
    let corner = 0;
    for (let i = lane; i < bytes; i += bytesPerPixel) {
      const up = out[above + i] as number;
      const difference = left - up;
      const negative = difference & (difference >> 31);
      const low = up + negative;
      const high = left - negative;
      const turn = 3 * corner - up - left;
      // All ones where the first is smaller than the second.
      const belowHigh = (turn - high) >> 31;
      const aboveLow = (low - turn) >> 31;
      const lowOrCorner = low + ((corner - low) & belowHigh);
      left = ((source[from + i] as number) + high + ((lowOrCorner - high) & aboveLow)) & 255;
      out[at + i] = left;
      corner = up;
    }
  }
}

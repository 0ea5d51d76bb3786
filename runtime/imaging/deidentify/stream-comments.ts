import { damaged } from "../dicom/failures";
import { EOI, segments } from "../dicom/jpeg-stream";
import type { Codec } from "../dicom/transfer-syntaxes";

/** From a byte to the one before another. */
type Range = readonly [start: number, end: number];

/**
 * Encapsulated pixels whose compressed streams hold nothing beside the picture: what applications and people wrote in them,
 * and what follows their end, is filled with zeros. Lengths stay, so that the tables of offsets do.
 *
 * @param fragments the offset table first
 * @throws {RejectedImage} where a stream cannot be followed
 */
export function withoutComments(fragments: readonly Buffer[], codec: Codec): readonly Buffer[] {
  const find = FINDERS[codec];
  const [table, ...rest] = fragments;
  if (!find || !table) return fragments;
  const joined = rest.length === 1 ? (rest[0] as Buffer) : Buffer.concat(rest);
  let length = 0;
  const starts = rest.map((fragment) => {
    length += fragment.length;
    return length - fragment.length;
  });
  // A stream may lie in several pieces; each begins with one.
  const beginnings = starts.filter((start) => start === 0 || BEGINNINGS.some((mark) => has(joined, start, mark)));
  const ranges = beginnings.flatMap((start, i): Range[] => {
    const stream = joined.subarray(start, beginnings[i + 1]);
    const { beside, end } = find(stream);
    return [...beside, [end, stream.length] as const].map(([from, to]) => [start + from, start + to]);
  });
  const written = ranges.filter(([start, end]) => joined.subarray(start, end).some((byte) => byte !== 0));
  if (written.length === 0) return fragments;
  const copy = Buffer.from(joined);
  for (const [start, end] of written) copy.fill(0, start, end);
  return [table, ...rest.map((fragment, i) => copy.subarray(starts[i], (starts[i] as number) + fragment.length))];
}

/** JPEG and JPEG-LS; JPEG 2000; a JP2 file. */
const BEGINNINGS = ["\xff\xd8\xff", "\xff\x4f\xff\x51", "\0\0\0\x0cjP  "];

const has = (bytes: Buffer, at: number, text: string) => bytes.toString("latin1", at, at + text.length) === text;

/** What of a stream is no part of the picture, and where it ends. */
interface Stream {
  readonly beside: readonly Range[];
  readonly end: number;
}

const FINDERS: Partial<Record<Codec, (stream: Buffer) => Stream>> = {
  jpeg: inJpeg,
  "jpeg-lossless": inJpeg,
  "jpeg-ls": inJpeg,
  "jpeg-2000": inJpeg2000,
  htj2k: inJpeg2000,
};

const COMMENT = 0xfe;
/** Of an application's segment, bytes that say how to decode: JFIF's without the thumbnail, Adobe's, and that of JPEG-LS. */
const DECODING: readonly (readonly [marker: number, name: string, bytes: number])[] = [
  [0xe0, "JFIF\0", 12],
  [0xe8, "mrfx", 5],
  [0xee, "Adobe", 12],
];

/** ITU-T T.81, B.1, and ISO/IEC 14495-1. */
function inJpeg(stream: Buffer): Stream {
  const beside: Range[] = [];
  for (const { marker, start, end } of segments(stream)) {
    if (marker === EOI) return { beside, end };
    if (marker !== COMMENT && (marker & 0xf0) !== 0xe0) continue;
    const kept = DECODING.find(([of, name]) => of === marker && has(stream, start, name))?.[2] ?? 0;
    beside.push([Math.min(end, start + kept), end]);
  }
  return { beside, end: stream.length };
}

/** Boxes that a decoder looks at; the others hold texts and what applications wrote: ISO/IEC 15444-1, I. */
const BOXES: ReadonlySet<string> = new Set(["jP  ", "ftyp", "jp2h"]);
const J2K = { start: 0xff4f, tile: 0xff90, data: 0xff93, end: 0xffd9, comment: 0xff64 } as const;

/** ISO/IEC 15444-1, A: the main header, then tile-parts, each with its own header and length. */
function inJpeg2000(stream: Buffer): Stream {
  const beside: Range[] = [];
  let at = endOfBoxes(stream, beside);
  if (at + 2 > stream.length || stream.readUInt16BE(at) !== J2K.start) throw damaged("a frame is no JPEG 2000 stream");
  /** Where the tile-part ends in whose header this is. */
  let tileEnd = stream.length;
  for (at += 2; at + 2 <= stream.length; ) {
    const marker = stream.readUInt16BE(at);
    if (marker === J2K.end) return { beside, end: at + 2 };
    if (marker === J2K.data) {
      at = tileEnd;
      continue;
    }
    // A tile-part that ends elsewhere than it says cannot be followed.
    if (marker < 0xff01) return { beside, end: endMark(stream, at) };
    const end = at + 2 + (at + 4 <= stream.length ? stream.readUInt16BE(at + 2) : 0);
    if (end < at + 4 || end > stream.length) throw damaged("a segment of its JPEG 2000 stream has no end");
    if (marker === J2K.comment) beside.push([Math.min(at + 6, end), end]);
    if (marker === J2K.tile && end >= at + 12) {
      const length = stream.readUInt32BE(at + 6);
      // 0: up to the end of the stream.
      tileEnd = length === 0 ? endMark(stream, at) - 2 : at + length;
      if (tileEnd < end) throw damaged("a tile of its JPEG 2000 stream has no end");
    }
    at = end;
  }
  // Some lack their end.
  return { beside, end: stream.length };
}

function endMark(stream: Buffer, after: number): number {
  const mark = stream.lastIndexOf("\xff\xd9", undefined, "latin1");
  return mark >= after ? mark + 2 : stream.length;
}

/** Where the codestream begins in a JP2 file, which some put there whole. */
function endOfBoxes(stream: Buffer, beside: Range[]): number {
  let at = 0;
  while (at + 8 <= stream.length && stream.readUInt16BE(at) !== J2K.start) {
    const type = stream.toString("latin1", at + 4, at + 8);
    const length = stream.readUInt32BE(at);
    if (type === "jp2c") return at + (length === 1 ? 16 : 8);
    if (length < 8 || at + length > stream.length) throw damaged("a frame is no JPEG 2000 stream");
    if (!BOXES.has(type)) beside.push([at + 8, at + length]);
    at += length;
  }
  return at;
}

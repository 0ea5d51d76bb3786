import { crc32 } from "@node-rs/crc32";
import type { PageHeader } from "./limits";
import { RejectedImage } from "./rejected";

const chunkType = (name: string) => Buffer.from(name, "latin1").readUInt32BE();
const HEADER_CHUNK = chunkType("IHDR");
const ANIMATION_CHUNK = chunkType("acTL");
const TRANSPARENCY_CHUNK = chunkType("tRNS");
const END_OF_CHUNKS = chunkType("IEND");

/** Header of a PNG file after a walk over all its chunks. https://www.w3.org/TR/png-3/ */
export function readPngHeader(bytes: Buffer): PageHeader {
  let header: Buffer | undefined;
  let transparent = false;
  let at = 8;
  for (;;) {
    if (at + 12 > bytes.length) throw truncated("PNG");
    const length = bytes.readUInt32BE(at);
    // Numbers and no strings: a file may have millions of chunks.
    const type = bytes.readUInt32BE(at + 4);
    for (let i = 4; i < 8; i++) if (!isLetter(bytes[at + i] as number)) throw damaged("PNG");
    const end = at + 12 + length;
    if (end > bytes.length) throw truncated("PNG");
    if (!header) {
      if (type !== HEADER_CHUNK || length !== 13) throw damaged("PNG");
      if (crc32(bytes.subarray(at + 4, end - 4)) !== bytes.readUInt32BE(end - 4)) throw damaged("PNG");
      header = bytes.subarray(at + 8);
    }
    if (type === ANIMATION_CHUNK) throw animated("PNG");
    if (type === TRANSPARENCY_CHUNK) transparent = true;
    if (type === END_OF_CHUNKS) return pngHeader(header, transparent);
    at = end;
  }
}

/** A to Z and a to z, which differ in one bit. */
function isLetter(byte: number): boolean {
  const capital = byte & ~0x20;
  return capital >= 0x41 && capital <= 0x5a;
}

const COLOUR = 2;
const PALETTE = 3;
const ALPHA = 4;

function pngHeader(ihdr: Buffer, transparent: boolean): PageHeader {
  const [depth, type, compression, filter, interlace] = ihdr.subarray(8) as unknown as [
    number,
    number,
    number,
    number,
    number,
  ];
  if (![0, 2, 3, 4, 6].includes(type) || compression !== 0 || filter !== 0) throw damaged("PNG");
  const bytesPerSample = depth === 16 ? 2 : 1;
  const alpha = transparent || (type & ALPHA) !== 0;
  // 8-bit grey with alpha is decoded as three equal colours with alpha, a palette as colours that may have it.
  const coloured = (type & COLOUR) !== 0 || (alpha && depth < 16);
  return {
    width: ihdr.readUInt32BE(0),
    height: ihdr.readUInt32BE(4),
    channels: type === PALETTE ? 4 : (coloured ? 3 : 1) + (alpha ? 1 : 0),
    bytesPerSample,
    extraBytesPerSample: interlace ? bytesPerSample : 0,
  };
}

const BASELINE = 0xc0;
const PROGRESSIVE = 0xc2;

/** Frames that are not read, by the low four bits of their marker. */
const OTHER_FRAMES: Readonly<Record<number, string>> = {
  3: "without loss",
  5: "in a hierarchy of sizes",
  6: "in a hierarchy of sizes",
  7: "in a hierarchy of sizes",
  9: "with arithmetic coding",
  10: "with arithmetic coding",
  11: "with arithmetic coding",
  13: "with arithmetic coding",
  14: "with arithmetic coding",
  15: "with arithmetic coding",
};

/** Header of a JPEG file: its markers up to the frame header. ITU-T T.81, annex B. */
export function readJpegHeader(bytes: Buffer): PageHeader {
  const { marker, at } = findFrame(bytes);
  const precision = bytes[at + 2] as number;
  const other = OTHER_FRAMES[marker - BASELINE];
  if (other !== undefined || precision !== 8) {
    throw new RejectedImage(
      "unsupported-encoding",
      `This JPEG file is stored ${other ?? `with ${precision} bits a sample`}, which is not read. Save it as baseline JPEG with 8 bits, or as PNG.`,
    );
  }
  return {
    height: bytes.readUInt16BE(at + 3),
    width: bytes.readUInt16BE(at + 5),
    channels: bytes[at + 7] as number,
    bytesPerSample: 1,
    // Progressive files are collected as 16-bit coefficients.
    extraBytesPerSample: marker === PROGRESSIVE ? 2 : 0,
  };
}

/** How many pixels share their chroma across and down, by the first component of a JPEG stream. @throws {RejectedImage} */
export function readJpegSubsampling(bytes: Buffer): readonly [number, number] {
  const { at } = findFrame(bytes);
  const factors = bytes[at + 9] ?? 0x11;
  return [factors >> 4, factors & 15];
}

/** The marker of the frame header, and where what follows it begins. @throws {RejectedImage} `truncated` or `damaged` */
function findFrame(bytes: Buffer): { marker: number; at: number } {
  let at = 2;
  for (;;) {
    while (at < bytes.length && bytes[at] !== 0xff) at++;
    while (at < bytes.length && bytes[at] === 0xff) at++;
    const marker = bytes[at++];
    if (marker === undefined || at + 2 > bytes.length) throw truncated("JPEG");
    if (marker === 0 || marker === 1 || (marker >= 0xd0 && marker <= 0xd8)) continue;
    if (marker === 0xd9 || marker === 0xda) throw damaged("JPEG");
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (isFrame && at + 8 > bytes.length) throw truncated("JPEG");
    if (isFrame) return { marker, at };
    at += bytes.readUInt16BE(at);
  }
}

/** Header of a WebP file. https://developers.google.com/speed/webp/docs/riff_container */
export function readWebpHeader(bytes: Buffer): PageHeader {
  if (bytes.length < 30 || bytes.readUInt32LE(4) + 8 > bytes.length) throw truncated("WebP");
  const chunk = bytes.toString("latin1", 12, 16);
  let width: number;
  let height: number;
  if (chunk === "VP8X") {
    if ((bytes[20] as number) & 2) throw animated("WebP");
    width = 1 + bytes.readUIntLE(24, 3);
    height = 1 + bytes.readUIntLE(27, 3);
  } else if (chunk === "VP8 ") {
    width = bytes.readUInt16LE(26) & 0x3fff;
    height = bytes.readUInt16LE(28) & 0x3fff;
  } else if (chunk === "VP8L") {
    const size = bytes.readUInt32LE(21);
    width = 1 + (size & 0x3fff);
    height = 1 + ((size >>> 14) & 0x3fff);
  } else {
    throw damaged("WebP");
  }
  return { width, height, channels: 4, bytesPerSample: 1, extraBytesPerSample: 1 };
}

export function truncated(format: string): RejectedImage {
  return new RejectedImage("truncated", `The ${format} file ends before its last pixel. Export or send it again.`);
}

export function damaged(format: string, cause?: unknown): RejectedImage {
  return new RejectedImage(
    "damaged",
    `The ${format} file is damaged and cannot be decoded. Export or send it again.`,
    cause === undefined ? undefined : { cause },
  );
}

function animated(format: string): RejectedImage {
  return new RejectedImage(
    "animated",
    `The ${format} file is an animation. Save the picture that counts as a file of its own.`,
  );
}

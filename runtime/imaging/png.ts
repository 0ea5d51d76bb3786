import { createHash } from "node:crypto";
import { endianness } from "node:os";
import sharp from "sharp";
import { PNG_SIGNATURE } from "./png-format";
import { readGreyPng } from "./png-reader";
import { type Picture, writePng } from "./png-writer";
import type { GreyImage } from "./types";

/**
 * A lossless grey PNG of 8 or 16 bits with no chunk but header, pixels and end: the form in which scans are curated.
 * The same image gives the same bytes.
 *
 * @param options.quick in a third of the time
 */
export async function encodePng(image: GreyImage, { quick = false } = {}): Promise<Buffer> {
  const { width, height, depth, pixels } = image;
  if (quick) return writePng({ width, height, channels: 1, samples: pixels });
  const png = await sharp(ownArray(pixels), { raw: { width, height, channels: 1 }, limitInputPixels: false })
    .toColourspace(depth === 8 ? "b-w" : "grey16")
    .png({ compressionLevel: 6, adaptiveFiltering: true, palette: false })
    .toBuffer();
  return withoutMetadata(png);
}

/**
 * sharp takes an array for what it is by `instanceof`. One that a worker thread sent is of another realm where a program
 * runs its modules in one of their own, as test runners do.
 */
function ownArray(pixels: GreyImage["pixels"]): GreyImage["pixels"] {
  if (pixels instanceof Uint8Array || pixels instanceof Uint16Array) return pixels;
  const { BYTES_PER_ELEMENT } = pixels as GreyImage["pixels"];
  return BYTES_PER_ELEMENT === 1 ? new Uint8Array(pixels) : new Uint16Array(pixels);
}

/** Keeps the signature and the critical chunks: the ones whose name starts with a capital letter. */
function withoutMetadata(png: Buffer): Buffer {
  const kept = [png.subarray(0, 8)];
  for (let at = 8; at < png.length; ) {
    const end = at + 12 + png.readUInt32BE(at);
    const critical = ((png[at + 4] as number) & 0x20) === 0;
    if (critical) kept.push(png.subarray(at, end));
    at = end;
  }
  return Buffer.concat(kept);
}

/** Reads what {@link encodePng} wrote. @throws if the bytes are anything else or damaged. */
export async function decodeCurated(bytes: Buffer): Promise<GreyImage> {
  return readGreyPng(bytes);
}

/**
 * Reads a colour picture of 8 bits: red, green and blue of each pixel, whatever PNG holds them.
 *
 * @param most pixels; of more nothing is decoded
 * @throws if the bytes are anything else or damaged
 */
export async function decodeColourPng(bytes: Buffer, most: number): Promise<Picture & { readonly samples: Buffer }> {
  if (!bytes.subarray(0, PNG_SIGNATURE.length).equals(PNG_SIGNATURE)) throw new Error("Not a PNG.");
  const { data, info } = await sharp(bytes, { limitInputPixels: most, failOn: "warning" })
    .toColourspace("srgb")
    .removeAlpha()
    .raw({ depth: "uchar" })
    .toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, channels: 3, samples: data };
}

/**
 * SHA-256 (hex) of what a page shows, whatever file it came in. Input of the hash: width and height (32-bit), depth
 * (8-bit: 8 or 16), then the pixels row by row, 1 or 2 bytes each; all little-endian.
 */
export function pixelSha256({ width, height, depth, pixels }: GreyImage): string {
  const header = Buffer.alloc(9);
  header.writeUInt32LE(width, 0);
  header.writeUInt32LE(height, 4);
  header.writeUInt8(depth, 8);
  let body = Buffer.from(pixels.buffer, pixels.byteOffset, pixels.byteLength);
  if (depth === 16 && endianness() === "BE") body = Buffer.from(body).swap16();
  return createHash("sha256").update(header).update(body).digest("hex");
}

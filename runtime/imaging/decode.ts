import sharp from "sharp";
import { decodeBmp, readBmpHeader } from "./bmp";
import { isBlank, type Samples, toGrey, toUnsigned } from "./grey";
import { damaged, readJpegHeader, readPngHeader, readWebpHeader, truncated } from "./headers";
import {
  checkPage,
  DEFAULT_LIMITS,
  type ImageLimits,
  MemoryBudget,
  megabytes,
  type PageHeader,
  workingBytes,
} from "./limits";
import { RejectedImage } from "./rejected";
import { sniffFormat } from "./sniff";
import { readTiffPages, type TiffPageHeader } from "./tiff";
import type { GreyImage, ImageFormat } from "./types";

// Pages are read once: libvips' cache of operations would only hold them in memory.
sharp.cache(false);

const NAMES: Record<ImageFormat, string> = { jpeg: "JPEG", png: "PNG", tiff: "TIFF", bmp: "BMP", webp: "WebP" };

const memory = new MemoryBudget(DEFAULT_LIMITS.workingBytes);

/** One page of a file: its picture, or why this page is not taken. */
export type DecodedPage = {
  /** 1 to `pages`. */
  readonly page: number;
  readonly pages: number;
  readonly format: ImageFormat;
} & ({ readonly image: GreyImage } | { readonly rejected: RejectedImage });

/** What the headers of a file announce. */
export interface ScanOutline {
  readonly format: ImageFormat;
  readonly pages: number;
  /** Of all pages. */
  readonly pixels: number;
}

/**
 * Reads the headers of a file and decodes nothing, so that it is quick whatever the file would cost.
 *
 * @param limits overrides of {@link DEFAULT_LIMITS}.
 * @throws {RejectedImage} when the headers alone say that no page can be taken.
 */
export function outlineScan(bytes: Buffer, limits: Partial<ImageLimits> = {}): ScanOutline {
  const allowed = { ...DEFAULT_LIMITS, ...limits };
  const format = checkFile(bytes, allowed);
  const headers = readHeaders(bytes, format, allowed);
  const reasons = headers.map((header) => reasonAgainst(header, allowed));
  const [first] = reasons;
  if (first && !reasons.includes(undefined)) throw first;
  const pixels = headers.reduce((sum, { width, height }) => sum + width * height, 0);
  return { format, pages: headers.length, pixels };
}

function reasonAgainst(header: Header, limits: ImageLimits): RejectedImage | undefined {
  try {
    checkPage(header, limits);
    if ("sampleFormat" in header) checkTiffPage(header);
    return undefined;
  } catch (error) {
    if (error instanceof RejectedImage) return error;
    throw error;
  }
}

/**
 * Decodes every page of a scan: oriented, one grey channel, without metadata.
 *
 * 8-bit files give depth 8, all others depth 16 (how: {@link toUnsigned}). Colour becomes BT.601 luma, alpha lies over
 * black, CMYK goes through its embedded profile. Limits are checked before anything is decoded.
 *
 * @param limits overrides of {@link DEFAULT_LIMITS}.
 * @throws {RejectedImage} when the whole file is refused, which a file of one page always is.
 */
export async function* decodeScan(bytes: Buffer, limits: Partial<ImageLimits> = {}): AsyncGenerator<DecodedPage> {
  const allowed = { ...DEFAULT_LIMITS, ...limits };
  const format = checkFile(bytes, allowed);
  const headers = readHeaders(bytes, format, allowed);
  for (const [index, header] of headers.entries()) {
    const place = { page: index + 1, pages: headers.length, format };
    try {
      checkPage(header, allowed);
      const image = await memory.with(workingBytes(header), () => decodePage(bytes, format, header, index));
      yield { ...place, image };
    } catch (error) {
      if (!(error instanceof RejectedImage) || headers.length === 1) throw error;
      yield { ...place, rejected: error };
    }
  }
}

function checkFile(bytes: Buffer, limits: ImageLimits): ImageFormat {
  if (bytes.length === 0) throw new RejectedImage("empty-file", "The file is empty. Send it again.");
  if (bytes.length > limits.bytes) {
    throw new RejectedImage(
      "file-too-large",
      `The file has ${megabytes(bytes.length)}; at most ${megabytes(limits.bytes)} are taken. Send one scan a file.`,
    );
  }
  const sniffed = sniffFormat(bytes);
  if (sniffed.format) return sniffed.format;
  throw new RejectedImage(
    "unsupported-format",
    `This is ${sniffed.name}, not a scan in a format that is read. Send JPEG, PNG, TIFF, BMP or WebP.`,
  );
}

type Header = PageHeader | TiffPageHeader;

function readHeaders(bytes: Buffer, format: ImageFormat, limits: ImageLimits): readonly Header[] {
  switch (format) {
    case "jpeg":
      return [readJpegHeader(bytes)];
    case "png":
      return [readPngHeader(bytes)];
    case "webp":
      return [readWebpHeader(bytes)];
    case "bmp":
      return [readBmpHeader(bytes)];
    case "tiff":
      return readTiffPages(bytes, limits);
  }
}

async function decodePage(bytes: Buffer, format: ImageFormat, header: Header, index: number): Promise<GreyImage> {
  const samples =
    format === "bmp" ? decodeBmp(bytes, readBmpHeader(bytes)) : await decodeWithSharp(bytes, format, header, index);
  const image = toGrey(samples);
  if (isBlank(image)) {
    throw new RejectedImage("blank-image", "The picture is blank: all its pixels are equal. Send the scan itself.");
  }
  return image;
}

/** sharp's names of a sample, as `raw()` takes them. */
const SAMPLE_TYPES = {
  uchar: Uint8Array,
  char: Int8Array,
  ushort: Uint16Array,
  short: Int16Array,
  uint: Uint32Array,
  int: Int32Array,
  float: Float32Array,
  double: Float64Array,
} as const;

async function decodeWithSharp(bytes: Buffer, format: ImageFormat, header: Header, index: number): Promise<Samples> {
  const tiff = "sampleFormat" in header ? header : undefined;
  if (tiff) checkTiffPage(tiff);
  // sharp casts signed 16-bit samples to unsigned and loses the negative ones: read as unsigned, then reinterpret.
  const signed16 = tiff?.sampleFormat === 2 && tiff.bits === 16;
  const input = signed16 ? declareUnsigned(bytes, tiff) : bytes;

  let failOn: "warning" | "error" = "warning";
  for (;;) {
    try {
      const options = { failOn, limitInputPixels: false, page: index, pages: 1 };
      const { space, depth } = await sharp(input, options).metadata();
      const cmyk = space === "cmyk";
      const target = cmyk ? "srgb" : ["b-w", "grey16", "srgb", "rgb16"].includes(space) ? space : "srgb";
      const type = cmyk ? "uchar" : depth;
      const { data, info } = await sharp(input, { ...options, ignoreIcc: !cmyk })
        .autoOrient()
        .toColourspace(target)
        .raw({ depth: type })
        .toBuffer({ resolveWithObject: true });
      return unpack(data, info, signed16 ? "short" : type);
    } catch (error) {
      if (error instanceof RejectedImage) throw error;
      if (failOn === "warning" && isHarmless(error)) failOn = "error";
      else throw inPlainWords(error, format);
    }
  }
}

function checkTiffPage(page: TiffPageHeader): void {
  if (page.rejected) throw page.rejected;
  const layout =
    page.sampleFormat > 3
      ? "complex samples"
      : ![1, 2, 4, 8, 16, 32].includes(page.bits)
        ? `${page.bits}-bit samples`
        : page.channels > 5
          ? `${page.channels} channels`
          : undefined;
  if (layout) {
    throw new RejectedImage(
      "unsupported-encoding",
      `This TIFF page stores ${layout}, which are not read. Save it as grey or colour with 8 or 16 bits.`,
    );
  }
}

/** A copy in which one page says that its samples are unsigned. */
function declareUnsigned(bytes: Buffer, page: TiffPageHeader): Buffer {
  const copy = Buffer.from(bytes);
  const at = page.sampleFormatAt;
  for (let i = 0; at && i < at.count; i++) {
    if (page.littleEndian) copy.writeUInt16LE(1, at.offset + 2 * i);
    else copy.writeUInt16BE(1, at.offset + 2 * i);
  }
  return copy;
}

function unpack(
  data: Buffer,
  info: { readonly width: number; readonly height: number; readonly channels: number },
  type: string,
): Samples {
  const { width, height, channels } = info;
  const Type = SAMPLE_TYPES[type as keyof typeof SAMPLE_TYPES];
  if (!Type || channels < 1 || channels > 4) {
    throw new RejectedImage(
      "unsupported-encoding",
      `The picture has ${channels} channels of type ${type}, which are not read. Save it as 8 or 16-bit grey or colour.`,
    );
  }
  const aligned = data.byteOffset % Type.BYTES_PER_ELEMENT === 0 ? data : Buffer.from(data);
  const values = new Type(aligned.buffer as ArrayBuffer, aligned.byteOffset, data.length / Type.BYTES_PER_ELEMENT);
  return {
    width,
    height,
    channels: channels as Samples["channels"],
    values: values instanceof Uint8Array || values instanceof Uint16Array ? values : toUnsigned(values),
  };
}

/** What libraries warn of although every pixel was read. */
function isHarmless(error: unknown): boolean {
  return /extraneous bytes|unknown adobe|jfif major|bogus jpeg colorspace|iccp|profile|unknown field|exif/i.test(
    String(error),
  );
}

function inPlainWords(error: unknown, format: ImageFormat): RejectedImage {
  const text = String(error);
  // The structure of a PNG or WebP file was walked to its end before.
  const complete = format === "png" || format === "webp";
  if (!complete && /premature|truncat|end of (file|image|stream|data)|read error|not enough data/i.test(text)) {
    return truncated(NAMES[format]);
  }
  if (/unsupported|not supported|not implemented|compression (scheme|support)|not configured|samples out/i.test(text)) {
    return new RejectedImage(
      "unsupported-encoding",
      `This ${NAMES[format]} file stores its pixels in a rare way that is not read. Save it as PNG.`,
      { cause: error },
    );
  }
  return damaged(NAMES[format], error);
}

import sharp from "sharp";
import { type Samples, toUnsigned } from "./grey";
import { damaged, truncated } from "./headers";
import { RejectedImage } from "./rejected";
import type { ImageFormat } from "./types";

// Pages are read once: libvips' cache of operations would only hold them in memory.
sharp.cache(false);

const NAMES: Record<ImageFormat, string> = {
  jpeg: "JPEG",
  png: "PNG",
  tiff: "TIFF",
  bmp: "BMP",
  webp: "WebP",
  dicom: "DICOM",
  nifti: "NIfTI",
};

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

type SampleType = keyof typeof SAMPLE_TYPES;
/** Whose values are handed out as they are stored; all others are converted to sRGB. */
const SPACES: ReadonlySet<string> = new Set(["b-w", "grey16", "srgb", "rgb16", "scrgb"]);

/** Oriented, the channels of a pixel side by side, of whatever type they are stored in. */
export interface RawSamples {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly values: InstanceType<(typeof SAMPLE_TYPES)[SampleType]>;
}

/** The samples of a JPEG, PNG or WebP file. @throws {RejectedImage} */
export async function decodeWithSharp(bytes: Buffer, format: ImageFormat): Promise<Samples> {
  const { width, height, channels, values } = await readRaw(bytes, format);
  if (channels < 1 || channels > 4) throw unread(`${channels} channels`);
  return {
    width,
    height,
    channels,
    colours: channels < 3 ? 1 : 3,
    alpha: channels % 2 === 0 ? { channel: channels - 1, premultiplied: false } : undefined,
    values: values instanceof Uint8Array || values instanceof Uint16Array ? values : toUnsigned(values),
  };
}

/**
 * All samples of a file's first page.
 * @param keepAll whether what lies behind a grey channel is wanted: three equal colours then stand for 8-bit grey;
 * by default where there is alpha
 * @throws {RejectedImage}
 */
export async function readRaw(bytes: Buffer, format: ImageFormat, keepAll?: boolean): Promise<RawSamples> {
  let failOn: "warning" | "error" = "warning";
  for (;;) {
    try {
      const options = { failOn, limitInputPixels: false };
      const { space, depth, hasAlpha } = await sharp(bytes, options).metadata();
      const cmyk = space === "cmyk";
      // Of what it calls b-w, sharp hands out one channel, and drops the alpha.
      const expand = space === "b-w" && (keepAll ?? hasAlpha);
      const type = cmyk ? "uchar" : depth;
      const { data, info } = await sharp(bytes, { ...options, ignoreIcc: !cmyk })
        .autoOrient()
        .toColourspace(SPACES.has(space) && !expand ? space : "srgb")
        .raw({ depth: type })
        .toBuffer({ resolveWithObject: true });
      return { width: info.width, height: info.height, channels: info.channels, values: asType(data, type) };
    } catch (error) {
      if (error instanceof RejectedImage) throw error;
      if (failOn === "warning" && isHarmless(error)) failOn = "error";
      else throw inPlainWords(error, format);
    }
  }
}

function asType(data: Buffer, type: string): RawSamples["values"] {
  const Type = SAMPLE_TYPES[type as SampleType];
  if (!Type) throw unread(`samples of type ${type}`);
  const aligned = data.byteOffset % Type.BYTES_PER_ELEMENT === 0 ? data : Buffer.from(data);
  return new Type(aligned.buffer as ArrayBuffer, aligned.byteOffset, data.length / Type.BYTES_PER_ELEMENT);
}

function unread(what: string): RejectedImage {
  return new RejectedImage(
    "unsupported-encoding",
    `The picture has ${what}, which are not read. Save it as 8 or 16-bit grey or colour.`,
  );
}

/** What libraries warn of although every pixel was read. */
function isHarmless(error: unknown): boolean {
  return /extraneous bytes|unknown adobe|jfif major|bogus jpeg colorspace|iccp|profile|unknown field|exif|old-style lzw/i.test(
    String(error),
  );
}

function inPlainWords(error: unknown, format: ImageFormat): RejectedImage {
  const text = String(error);
  // First: what cannot be decoded ends early, too. A marker that is not known is damage.
  if (
    /unsupported(?! marker)|not supported|not implemented|compression (scheme|support)|not configured|samples out/i.test(
      text,
    )
  ) {
    return new RejectedImage(
      "unsupported-encoding",
      `This ${NAMES[format]} file stores its pixels in a rare way that is not read. Save it as PNG.`,
      { cause: error },
    );
  }
  // The structure of a PNG or WebP file was walked to its end before.
  const complete = format === "png" || format === "webp";
  if (!complete && /premature|truncat|end of (file|image|stream|data)|read error|not enough data/i.test(text)) {
    return truncated(NAMES[format]);
  }
  return damaged(NAMES[format], error);
}

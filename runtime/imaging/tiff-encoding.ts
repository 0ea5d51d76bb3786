import { RejectedImage } from "./rejected";
import type { TiffPage } from "./tiff";
import { TAG } from "./tiff-directory";
import { isUsable } from "./ycbcr";

/** What the samples of a pixel mean. */
export const PHOTOMETRIC = { whiteIsZero: 0, blackIsZero: 1, rgb: 2, palette: 3, inks: 5, ycbcr: 6 } as const;
const READ_MEANINGS: ReadonlySet<number> = new Set(Object.values(PHOTOMETRIC));
const OTHER_MEANINGS: Readonly<Record<number, string>> = {
  4: "a transparency mask",
  8: "CIE L*a*b* colours",
  9: "ICC L*a*b* colours",
  10: "ITU L*a*b* colours",
  32803: "the raw samples of a camera (CFA)",
  32844: "logarithmic luminance (LogL)",
  32845: "logarithmic colours (LogLuv)",
  34892: "the raw samples of a camera (LinearRaw)",
};

export const COMPRESSION = { none: 1, jpeg: 7 } as const;
/** None, fax, LZW, JPEG, deflate, PackBits, deflate by its older number, WebP. */
const READ_COMPRESSIONS: ReadonlySet<number> = new Set([1, 2, 3, 4, 5, 7, 8, 32773, 32946, 50001]);
/** The tag with the options of a compression; with another one it means nothing. */
export const COMPRESSION_OPTIONS: Readonly<Record<number, number>> = {
  3: TAG.faxOptions3,
  4: TAG.faxOptions4,
  5: TAG.predictor,
  8: TAG.predictor,
  32946: TAG.predictor,
};
const OTHER_COMPRESSIONS: Readonly<Record<number, string>> = {
  6: "old-style JPEG",
  32766: "NeXT run lengths",
  32771: "word-aligned fax run lengths",
  32809: "ThunderScan",
  32908: "PixarFilm",
  32909: "PixarLog",
  33003: "JPEG 2000",
  33005: "JPEG 2000",
  34661: "JBIG",
  34676: "SGI LogLuv",
  34677: "SGI LogLuv",
  34712: "JPEG 2000",
  34887: "LERC",
  34925: "LZMA",
  50000: "Zstandard",
  50002: "JPEG XL",
  52546: "JPEG XL",
};

/** Bits that are read, by what the samples are. */
const BITS: Readonly<Record<number, readonly number[]>> = { 1: [1, 2, 4, 8, 16, 32], 2: [8, 16, 32], 3: [16, 32] };
const KINDS: Readonly<Record<number, string>> = { 1: "unsigned", 2: "signed", 3: "floating-point" };
const UNSIGNED = 1;
/** The decoder takes no more of a pixel. */
const MOST_SAMPLES = 5;
const CMYK = 1;

/** Of luma, across and down, as libtiff reads it: never more down than across, but for one that was in use. */
const SUBSAMPLINGS: ReadonlySet<string> = new Set(["1x2", "2x1", "2x2", "4x1", "4x2", "4x4"]);

const TO_DO = "save it as 8 or 16-bit grey or RGB, uncompressed or with LZW, or as PNG.";

type Announced = Omit<TiffPage, "rejected" | "extraBytesPerSample">;

/** Why a page cannot be read as it is stored, in a sentence that names what is in the way; undefined where it can. */
export function whyNotRead(page: Announced): RejectedImage | undefined {
  const contradiction = findContradiction(page);
  if (contradiction) return new RejectedImage("damaged", `${contradiction} Export it again.`);
  const encoding = findUnread(page);
  return encoding === undefined
    ? undefined
    : new RejectedImage("unsupported-encoding", `This TIFF page stores ${encoding}. That is not read: ${TO_DO}`);
}

function findContradiction({
  photometric,
  samples,
  colours,
  directory,
  bits,
  compression,
  chroma,
}: Announced): string | undefined {
  if (photometric === undefined) {
    return "The TIFF page does not say what its samples mean (PhotometricInterpretation is missing).";
  }
  if (samples < colours) return `The TIFF page has ${samples} samples a pixel, and its colours need ${colours}.`;
  if (photometric === PHOTOMETRIC.palette && directory.count(TAG.palette) < 3 * 2 ** (bits[0] ?? 1)) {
    return "The TIFF page has no palette, or one that is too short.";
  }
  if (photometric === PHOTOMETRIC.ycbcr && compression !== COMPRESSION.jpeg && !isUsable(chroma)) {
    return "The TIFF page has YCbCr colours, and numbers to convert them (YCbCrCoefficients) that cannot be.";
  }
  return undefined;
}

function findUnread(page: Announced): string | undefined {
  const { compression, samples, planar, tiled, block } = page;
  const photometric = page.photometric as number;
  if (!READ_COMPRESSIONS.has(compression)) {
    return `its pixels compressed with ${OTHER_COMPRESSIONS[compression] ?? "an unknown method"} (compression ${compression})`;
  }
  if (!READ_MEANINGS.has(photometric)) {
    return OTHER_MEANINGS[photometric] ?? `samples of an unknown meaning (PhotometricInterpretation ${photometric})`;
  }
  if (samples > MOST_SAMPLES) return `${samples} samples a pixel`;
  if (planar && tiled) return "tiles with a plane for each colour (PlanarConfiguration 2)";
  if (tiled && !isReadable(page)) return `tiles of ${block.width} x ${block.height} pixels`;
  return findUnreadSamples(page) ?? (photometric === PHOTOMETRIC.ycbcr ? findUnreadChroma(page) : undefined);
}

function findUnreadSamples(page: Announced): string | undefined {
  const { photometric, samples, colours, alpha } = page;
  const [bits, otherBits] = page.bits as readonly [number, number?];
  const [format, otherFormat] = page.sampleFormats as readonly [number, number?];
  if (otherBits !== undefined) return "samples of different numbers of bits";
  if (otherFormat !== undefined) return "samples of different kinds (SampleFormat)";
  const kind = KINDS[format];
  if (kind === undefined) return `samples of SampleFormat ${format} (complex or unknown)`;
  const samplesOf = `${bits}-bit ${kind} samples`;
  if (!BITS[format]?.includes(bits)) return samplesOf;
  if (bits < 8 && (samples > 1 || colours > 1)) return `${bits}-bit samples of several channels`;
  if (photometric === PHOTOMETRIC.palette && (format !== UNSIGNED || bits > 16)) return `a palette with ${samplesOf}`;
  if (photometric === PHOTOMETRIC.inks) {
    if ((page.directory.integer(TAG.inkSet) ?? CMYK) !== CMYK) return "inks other than cyan, magenta, yellow and black";
    if (format !== UNSIGNED || bits > 16) return `inks as ${samplesOf}`;
  }
  if (alpha && (format !== UNSIGNED || bits > 16)) return `alpha beside ${samplesOf}`;
  return undefined;
}

function findUnreadChroma(page: Announced): string | undefined {
  const { bits, sampleFormats, samples, planar, compression, subsampling, directory } = page;
  if (bits[0] !== 8 || sampleFormats[0] !== UNSIGNED) return `YCbCr colours with ${bits[0]}-bit samples`;
  if (compression === COMPRESSION.jpeg) return undefined;
  const [across, down] = subsampling;
  if (across === 1 && down === 1) return undefined;
  if (!SUBSAMPLINGS.has(`${across}x${down}`)) return `YCbCr colours subsampled ${across} x ${down}`;
  if (planar) return "subsampled YCbCr colours with a plane for each";
  if (samples > 3) return "subsampled YCbCr colours with further samples";
  const predicts = COMPRESSION_OPTIONS[compression] === TAG.predictor && (directory.integer(TAG.predictor) ?? 1) > 1;
  return predicts ? "subsampled YCbCr colours with a predictor" : undefined;
}

/** The decoder's own bounds of a tile's sides. */
function isReadable({ block, width, height }: Announced): boolean {
  const most = Math.min(8192, 256 * Math.ceil((2 * Math.max(width, height)) / 256));
  return [block.width, block.height].every((side) => side > 0 && side % 16 === 0 && side <= most);
}

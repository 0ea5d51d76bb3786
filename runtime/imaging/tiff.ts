import { count, type ImageLimits, type PageHeader } from "./limits";
import { RejectedImage } from "./rejected";
import { type Directory, TAG, TiffFile } from "./tiff-directory";
import { COMPRESSION, PHOTOMETRIC, whyNotRead } from "./tiff-encoding";
import { type Chroma, DEFAULT_CHROMA } from "./ycbcr";

/** One page of a TIFF file, as its directory announces it. */
export interface TiffPage extends PageHeader {
  readonly file: TiffFile;
  readonly directory: Directory;
  /** Bits of a sample; several where the samples of a pixel differ. */
  readonly bits: readonly number[];
  /** 1 unsigned, 2 signed, 3 IEEE float, others are not read; several where the samples of a pixel differ. */
  readonly sampleFormats: readonly number[];
  readonly compression: number;
  /** What the samples mean; undefined where the page does not say it. */
  readonly photometric: number | undefined;
  /** Samples of a pixel, the first `colours` of which are its colour: 1 grey or palette index, 3, or 4 inks. */
  readonly samples: number;
  readonly colours: number;
  /** Whether each sample has strips or tiles of its own. */
  readonly planar: boolean;
  readonly tiled: boolean;
  /** Pixels of a strip or a tile. */
  readonly block: { readonly width: number; readonly height: number };
  /** At which sample the alpha lies, and whether the colours have been multiplied with it. */
  readonly alpha: { readonly sample: number; readonly premultiplied: boolean } | undefined;
  /** How many pixels share their chroma across and down: 1 and 1 where there is none, or where JPEG sees to it. */
  readonly subsampling: readonly [number, number];
  /** What YCbCr samples mean. */
  readonly chroma: Chroma;
  /** How the picture is turned and mirrored, 1 to 8: as EXIF says it, 1 is upright. */
  readonly orientation: number;
  /** Why this page alone is refused. */
  readonly rejected: RejectedImage | undefined;
}

/** @throws {RejectedImage} `truncated`, `damaged`, `too-many-pages` or `too-many-pixels`: the whole file is refused. */
export function readTiffPages(bytes: Buffer, limits: ImageLimits): TiffPage[] {
  const file = new TiffFile(bytes);
  const seen = new Set<number>();
  const pages: TiffPage[] = [];
  let pixels = 0;
  for (let at = file.first; at !== 0; ) {
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
    const { directory, next } = file.directory(at);
    const page = readPage(file, directory);
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

/** Colours of a pixel, by what its samples mean; one where that is not read. */
const COLOURS: Readonly<Record<number, number>> = {
  [PHOTOMETRIC.rgb]: 3,
  [PHOTOMETRIC.inks]: 4,
  [PHOTOMETRIC.ycbcr]: 3,
};
/** How many fractions a tag has. */
const FRACTIONS = { [TAG.ycbcrCoefficients]: 3, [TAG.referenceBlackWhite]: 6 } as const;
/** No sample of a pixel beyond these is looked at. */
const MOST_SAMPLES = 16;

function readPage(file: TiffFile, directory: Directory): TiffPage {
  const value = (tag: number, absent: number) => directory.integer(tag) ?? absent;
  const width = value(TAG.width, 0);
  const height = value(TAG.height, 0);
  const orientation = value(TAG.orientation, 1);
  const compression = value(TAG.compression, COMPRESSION.none);
  const declared = value(TAG.samples, 1);
  const planar = declared > 1 && value(TAG.planar, 1) === 2;
  const meaning = directory.integer(TAG.photometric);
  // Luma alone is grey.
  const photometric = meaning === PHOTOMETRIC.ycbcr && declared === 1 ? PHOTOMETRIC.blackIsZero : meaning;
  const colours = (photometric !== undefined && COLOURS[photometric]) || 1;
  const alpha = findAlpha(directory, declared, colours, photometric);
  // A plane that is nobody's concern need not be there.
  const samples = planar ? (alpha ? alpha.sample + 1 : colours) : declared;
  const kinds = Math.min(samples, MOST_SAMPLES);
  const bits = perSample(directory.integers(TAG.bits, kinds), 1);
  const tiled = directory.has(TAG.tileOffsets);
  // All rows may lie in one strip, which then need not be said, or be said with a larger number.
  const block = tiled
    ? { width: value(TAG.tileWidth, 0), height: value(TAG.tileHeight, 0) }
    : { width, height: Math.min(height, value(TAG.rowsPerStrip, height) || height) };
  const subsampling =
    photometric === PHOTOMETRIC.ycbcr && compression !== COMPRESSION.jpeg
      ? ([value(TAG.ycbcrSubsampling, 2), directory.integer(TAG.ycbcrSubsampling, 1) ?? 2] as const)
      : ([1, 1] as const);
  const bytesPerSample = Math.max(1, Math.ceil((bits[0] ?? 1) / 8));
  const page = {
    file,
    directory,
    width,
    height,
    bits,
    sampleFormats: perSample(directory.integers(TAG.sampleFormat, kinds), 1),
    compression,
    photometric,
    samples,
    colours,
    planar: planar && samples > 1,
    tiled,
    block,
    alpha,
    subsampling,
    chroma: {
      coefficients: numbers(directory, TAG.ycbcrCoefficients) ?? DEFAULT_CHROMA.coefficients,
      reference: numbers(directory, TAG.referenceBlackWhite) ?? DEFAULT_CHROMA.reference,
    },
    channels: decodedChannels(samples, colours, photometric, alpha !== undefined, subsampling),
    bytesPerSample,
    // A decoder holds one strip or one tile at a time beside the result.
    extraBytesPerSample: width * height > 0 ? (bytesPerSample * block.width * block.height) / (width * height) : 0,
    orientation: orientation >= 1 && orientation <= 8 ? orientation : 1,
  };
  return { ...page, rejected: whyNotRead(page) };
}

/** Fractions of a tag, as many as it has to have; undefined where it is absent or has another number of them. */
function numbers(directory: Directory, tag: keyof typeof FRACTIONS): readonly number[] | undefined {
  const length = FRACTIONS[tag];
  if (directory.count(tag) !== length) return undefined;
  return Array.from({ length }, (_, index) => directory.number(tag, index) ?? Number.NaN);
}

/** One value where all are equal, or where there is none. */
function perSample(values: readonly number[], absent: number): readonly number[] {
  const different = [...new Set(values)];
  return different.length > 0 ? different : [absent];
}

const PREMULTIPLIED = 1;
const UNSPECIFIED = 0;

/**
 * The first sample behind the colours that is said to be alpha. Where nothing is said, a single one is taken for it, as
 * Pillow does; one that is said to be unspecified is none.
 */
function findAlpha(directory: Directory, samples: number, colours: number, photometric: number | undefined) {
  const extra = samples - colours;
  if (extra < 1) return undefined;
  const meanings = directory.integers(TAG.extraSamples, Math.min(extra, MOST_SAMPLES));
  if (meanings.length === 0) {
    return extra === 1 && photometric !== PHOTOMETRIC.inks ? { sample: colours, premultiplied: false } : undefined;
  }
  const index = meanings.findIndex((meaning) => meaning !== UNSPECIFIED);
  return index < 0 ? undefined : { sample: colours + index, premultiplied: meanings[index] === PREMULTIPLIED };
}

/** Channels that a decoder hands out. */
function decodedChannels(
  samples: number,
  colours: number,
  photometric: number | undefined,
  alpha: boolean,
  [across, down]: readonly [number, number],
): number {
  // The packed bytes are held beside the colours.
  if (across > 1 || down > 1) return 5;
  // Grey with alpha is handed out as three equal colours with alpha.
  return colours === 1 && (alpha || photometric === PHOTOMETRIC.palette) ? samples + 2 : samples;
}

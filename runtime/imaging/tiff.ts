import { count, type ImageLimits, type PageHeader } from "./limits";
import { RejectedImage } from "./rejected";
import { countBlocks, isSubsampled, packedColumns, packedRows } from "./tiff-blocks";
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
  const channels = readChannels(directory);
  const { samples, colours, photometric, alpha } = channels;
  const bits = perSample(directory.integers(TAG.bits, Math.min(samples, MOST_SAMPLES)), 1);
  const page = {
    file,
    directory,
    width,
    height,
    ...channels,
    bits,
    sampleFormats: perSample(directory.integers(TAG.sampleFormat, Math.min(samples, MOST_SAMPLES)), 1),
    compression,
    ...readBlock(directory, width, height),
    subsampling:
      photometric === PHOTOMETRIC.ycbcr && compression !== COMPRESSION.jpeg
        ? ([value(TAG.ycbcrSubsampling, 2), directory.integer(TAG.ycbcrSubsampling, 1) ?? 2] as const)
        : ([1, 1] as const),
    chroma: {
      coefficients: numbers(directory, TAG.ycbcrCoefficients) ?? DEFAULT_CHROMA.coefficients,
      reference: numbers(directory, TAG.referenceBlackWhite) ?? DEFAULT_CHROMA.reference,
    },
    // Grey with alpha, and a palette, are handed out as three colours and what lies beside them.
    channels: colours === 1 && (alpha || photometric === PHOTOMETRIC.palette) ? samples + 2 : samples,
    bytesPerSample: Math.max(1, Math.ceil((bits[0] ?? 1) / 8)),
    orientation: orientation >= 1 && orientation <= 8 ? orientation : 1,
  };
  return { ...page, extraBytesPerSample: heldBeside(page), rejected: whyNotRead(page) };
}

function readChannels(directory: Directory) {
  const declared = directory.integer(TAG.samples) ?? 1;
  const meaning = directory.integer(TAG.photometric);
  // Luma alone is grey.
  const photometric = meaning === PHOTOMETRIC.ycbcr && declared === 1 ? PHOTOMETRIC.blackIsZero : meaning;
  const colours = (photometric !== undefined && COLOURS[photometric]) || 1;
  const alpha = findAlpha(directory, declared, colours, photometric);
  const inPlanes = declared > 1 && directory.integer(TAG.planar) === 2;
  // A plane that is nobody's concern need not be there.
  const samples = inPlanes ? (alpha ? alpha.sample + 1 : colours) : declared;
  return { photometric, samples, colours, alpha, planar: inPlanes && samples > 1 };
}

function readBlock(directory: Directory, width: number, height: number) {
  if (directory.has(TAG.tileOffsets)) {
    const block = { width: directory.integer(TAG.tileWidth) ?? 0, height: directory.integer(TAG.tileHeight) ?? 0 };
    return { tiled: true, block };
  }
  // All rows may lie in one strip, which then need not be said, or be said with a larger number.
  return { tiled: false, block: { width, height: Math.min(height, directory.integer(TAG.rowsPerStrip) || height) } };
}

/** Bytes a sample that are held beside the result: one strip or tile, or all units of subsampled pixels. */
function heldBeside(page: Omit<TiffPage, "extraBytesPerSample" | "rejected">): number {
  const { width, height, block, bytesPerSample, channels } = page;
  const bytes = isSubsampled(page)
    ? (packedColumns(page) * packedRows(page, block.height) * countBlocks(page)) / channels
    : bytesPerSample * block.width * block.height;
  const share = bytes / (width * height);
  // What is no number has a page without pixels, or tiles without: these are refused for it.
  return Number.isFinite(share) ? share : 0;
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

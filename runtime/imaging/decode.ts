import { decodeBmp, readBmpHeader } from "./bmp";
import { type DicomPage, readDicomPages } from "./dicom";
import { isBlank, type Samples, toGrey } from "./grey";
import { readJpegHeader, readPngHeader, readWebpHeader } from "./headers";
import {
  checkPage,
  DEFAULT_LIMITS,
  type ImageLimits,
  MemoryBudget,
  megabytes,
  type PageHeader,
  workingBytes,
} from "./limits";
import { type NiftiPage, type OpenedVolume, readNiftiPages } from "./nifti";
import { tryGreyPng } from "./png-reader";
import { RejectedImage } from "./rejected";
import { decodeWithSharp } from "./sharp-decoder";
import { sniffFormat } from "./sniff";
import { readTiffPages, type TiffPage } from "./tiff";
import { decodeTiffPage } from "./tiff-decoder";
import type { GreyImage, ImageFormat } from "./types";

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
    return "rejected" in header ? header.rejected : undefined;
  } catch (error) {
    if (error instanceof RejectedImage) return error;
    throw error;
  }
}

/**
 * Decodes every page of a scan: oriented, one grey channel, without metadata.
 *
 * 8-bit files give depth 8, all others depth 16; how they become grey: {@link toGrey}; of DICOM: dicom/intensity.ts. EXIF and the orientation of a
 * TIFF turn a picture, other metadata do not. Of a NIfTI volume each slice is a page, and blank ones at its ends are left out. CMYK goes through its embedded profile. Limits are checked before anything
 * is decoded.
 *
 * @param limits overrides of {@link DEFAULT_LIMITS}.
 * @throws {RejectedImage} when the whole file is refused, which a file of one page always is.
 */
export async function* decodeScan(bytes: Buffer, limits: Partial<ImageLimits> = {}): AsyncGenerator<DecodedPage> {
  const allowed = { ...DEFAULT_LIMITS, ...limits };
  const format = checkFile(bytes, allowed);
  const headers = readHeaders(bytes, format, allowed);
  const volume = await openVolume(headers[0]);
  for (const [index, header] of headers.entries()) {
    if (volume && !volume.counts(index)) continue;
    const place = { page: index + 1, pages: headers.length, format };
    try {
      checkPage(header, allowed);
      const needed = workingBytes(header) + besideBytes(bytes, header);
      const image = await memory.with(needed, async () =>
        picture(volume ? volume.readSlice(index) : await readGrey(bytes, format, header)),
      );
      yield { ...place, image };
    } catch (error) {
      if (!(error instanceof RejectedImage) || headers.length === 1) throw error;
      yield { ...place, rejected: error };
    }
  }
}

/** Of a volume, what all its slices need. @throws {RejectedImage} */
async function openVolume(first: Header | undefined): Promise<OpenedVolume | undefined> {
  if (!first || !("volume" in first)) return undefined;
  const { bytes, open } = first.volume;
  return memory.with(bytes, open);
}

/** Bytes that are held for the whole file beside those of a page. */
function besideBytes(bytes: Buffer, header: Header): number {
  if ("volume" in header) return header.volume.bytes;
  return "directory" in header ? bytes.length : 0;
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
    `This is ${sniffed.name}, not a scan in a format that is read. Send DICOM, NIfTI, JPEG, PNG, TIFF, BMP or WebP.`,
  );
}

type Header = PageHeader | TiffPage | DicomPage | NiftiPage;

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
    case "dicom":
      return readDicomPages(bytes, limits);
    case "nifti":
      return readNiftiPages(bytes, limits);
  }
}

/** Larger ones are decoded in another thread, so that whoever shares this one need not wait, pixels. */
const DECODED_HERE = 2 ** 20;

/** @throws {RejectedImage} `blank-image` */
function picture(image: GreyImage): GreyImage {
  if (isBlank(image)) {
    throw new RejectedImage("blank-image", "The picture is blank: all its pixels are equal. Send the scan itself.");
  }
  return image;
}

async function readGrey(bytes: Buffer, format: ImageFormat, header: Header): Promise<GreyImage> {
  if ("readFrame" in header) return header.readFrame();
  const isGreyPng = format === "png" && header.channels === 1 && header.width * header.height <= DECODED_HERE;
  return (isGreyPng ? tryGreyPng(bytes) : undefined) ?? toGrey(await readSamples(bytes, format, header));
}

function readSamples(bytes: Buffer, format: ImageFormat, header: Header): Samples | Promise<Samples> {
  if ("directory" in header) return decodeTiffPage(header);
  return format === "bmp" ? decodeBmp(bytes, readBmpHeader(bytes)) : decodeWithSharp(bytes, format);
}

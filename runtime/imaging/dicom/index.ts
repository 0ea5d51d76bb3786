import { toGrey } from "../grey";
import { count, type ImageLimits, type PageHeader } from "../limits";
import { RejectedImage } from "../rejected";
import type { GreyImage } from "../types";
import { coloursOf } from "./colours";
import type { DataSet } from "./data-set";
import { type Description, describe } from "./description";
import { FrameFacts } from "./frame-facts";
import { Frames } from "./frames";
import { makeUpright, type StoredFramePlace, upright } from "./geometry";
import { greyOf } from "./intensity";
import { checkIsMr, checkIsPicture } from "./kinds";
import { type DicomFile, parseDicom } from "./parse";
import { TAG } from "./tags";

export { framePlaceSchema } from "./frame-place";
export { type StoredFramePlace, storedPlace } from "./geometry";
export { type DicomHeader, type NamedUid, readDicomHeader } from "./header";
export { patientIdOf } from "./header-terms";
export { type DicomIdentifiers, readDicomIdentifiers } from "./identifiers";
export { MR_CLASSES } from "./kinds";
export { isDicom } from "./parse";
export type { StoredFrame } from "./stored-frame";
export { READ_TRANSFER_SYNTAXES } from "./transfer-syntaxes";
export { isUid } from "./uid";

/** A file of which everything but its pixels was read. */
export interface OpenedDicom {
  readonly file: DicomFile;
  readonly description: Description;
  readonly frames: Frames;
}

/**
 * Opens a file whatever its modality.
 *
 * @throws {RejectedImage} `not-an-image`, `unsupported-encoding`, `damaged` or `truncated`
 */
export function openDicom(bytes: Buffer): OpenedDicom {
  const file = parseDicom(bytes);
  checkIsPicture(file);
  const description = describe(file);
  return { file, description, frames: new Frames(file, description) };
}

/**
 * Looks at a file as its reader does before any pixel is decoded.
 *
 * @throws {RejectedImage} as {@link openDicom}, and `other-modality`: ingest would refuse all of it
 */
export function checkDicom(bytes: Buffer): void {
  checkIsMr(openDicom(bytes).file);
}

/** A frame of a file: its size when it is upright, and how its pixels are had. */
export interface DicomPage extends PageHeader {
  /** Grey, upright, with square pixels. @throws {RejectedImage} */
  readonly readFrame: () => Promise<GreyImage>;
  /** Why this frame alone is refused. */
  readonly rejected: RejectedImage | undefined;
}

/** Bytes a sample that are held beside the result: what a decoder keeps, a copy for turning, the grey values. */
const BESIDE = 8;

/**
 * The frames of a file with MR images.
 *
 * @throws {RejectedImage} the whole file is refused
 */
export function readDicomPages(bytes: Buffer, limits: ImageLimits): DicomPage[] {
  const file = parseDicom(bytes);
  checkIsPicture(file);
  checkIsMr(file);
  const description = describe(file);
  const { frames, rows, columns } = description;
  if (frames > limits.pages) {
    throw new RejectedImage(
      "too-many-pages",
      `The DICOM file has ${count(frames)} frames; at most ${count(limits.pages)} are taken. Split it into smaller files.`,
    );
  }
  if (frames * rows * columns > limits.totalPixels) {
    throw new RejectedImage(
      "too-many-pixels",
      `The frames of the DICOM file have more than ${count(limits.totalPixels)} pixels together. Split it into smaller files.`,
    );
  }
  const opened = { file, description, frames: new Frames(file, description) };
  return Array.from({ length: frames }, (_, index) => pageOf(opened, index));
}

function pageOf({ file: { dataSet }, description, frames }: OpenedDicom, index: number): DicomPage {
  const { rows, columns, samples, bitsAllocated } = description;
  const header = {
    channels: samples,
    bytesPerSample: Math.max(1, bitsAllocated / 8),
    extraBytesPerSample: BESIDE,
    width: columns,
    height: rows,
  };
  const facts = new FrameFacts(dataSet, index);
  try {
    const place = upright(columns, rows, facts.rowsToColumns, facts.orientation);
    const { width, height } = place;
    const readFrame = async () => {
      const stored = await frames.read(index);
      const pixels = stored.photometric.startsWith("MONOCHROME")
        ? greyOf(stored.values, description, facts, dataSet)
        : toGrey(coloursOf(stored, description, dataSet)).pixels;
      const turned = makeUpright(pixels, columns, rows, place);
      return turned instanceof Uint8Array
        ? ({ width, height, depth: 8, pixels: turned } as const)
        : ({ width, height, depth: 16, pixels: turned } as const);
    };
    return { ...header, width, height, readFrame, rejected: undefined };
  } catch (error) {
    if (!(error instanceof RejectedImage)) throw error;
    return { ...header, readFrame: () => Promise.reject(error), rejected: error };
  }
}

/**
 * How every frame became upright: one place where all are alike.
 *
 * @throws {RejectedImage} if the file cannot be read
 */
export function readFramePlaces(bytes: Buffer): {
  readonly frames: number | undefined;
  readonly places: readonly StoredFramePlace[];
} {
  const file = parseDicom(bytes);
  const { dataSet } = file;
  const { rows, columns, frames } = describe(file);
  const places = Array.from({ length: frames }, (_, frame) => placeOf(dataSet, frame, columns, rows));
  const [first] = places.map((place) => JSON.stringify(place));
  const alike = places.every((place) => JSON.stringify(place) === first);
  return { frames: dataSet.has(TAG.frames) ? frames : undefined, places: alike ? places.slice(0, 1) : places };
}

/** @param frame from 0 */
function placeOf(dataSet: DataSet, frame: number, columns: number, rows: number): StoredFramePlace {
  const facts = new FrameFacts(dataSet, frame);
  return { ...upright(columns, rows, facts.rowsToColumns, facts.orientation), columns, rows };
}

/** How a frame that was answered stands in its file. */
export interface AnsweredFrame {
  /** Number of frames that the file says it has; undefined where it says nothing of frames. */
  readonly frames: number | undefined;
  readonly place: StoredFramePlace;
  /** What the file says of text in its pixels; undefined where it says nothing. */
  readonly burnedIn: "YES" | "NO" | undefined;
}

/**
 * What of a file's pixels is needed to say where in it something lies, without decoding them.
 *
 * @param frame from 1
 * @throws {RejectedImage} if the file cannot be read
 */
export function readAnsweredFrame(bytes: Buffer, frame: number): AnsweredFrame {
  const file = parseDicom(bytes);
  const { dataSet } = file;
  const { rows, columns, frames } = describe(file);
  const burnedIn = dataSet.text(TAG.burnedIn);
  return {
    frames: dataSet.has(TAG.frames) ? frames : undefined,
    place: placeOf(dataSet, frame - 1, columns, rows),
    burnedIn: burnedIn === "YES" || burnedIn === "NO" ? burnedIn : undefined,
  };
}

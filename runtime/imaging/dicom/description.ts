import type { DataSet } from "./data-set";
import { damaged, unread } from "./failures";
import type { DicomFile } from "./parse";
import { TAG } from "./tags";
import { type Codec, transferSyntaxOf } from "./transfer-syntaxes";

const PHOTOMETRICS = [
  "MONOCHROME1",
  "MONOCHROME2",
  "PALETTE COLOR",
  "RGB",
  "YBR_FULL",
  "YBR_FULL_422",
  "YBR_ICT",
  "YBR_RCT",
] as const;

export type Photometric = (typeof PHOTOMETRICS)[number];

/** What a file says of its pixels: DICOM PS3.3, C.7.6.3. */
export interface Description {
  readonly codec: Codec;
  /** Name of the transfer syntax. */
  readonly encoding: string;
  /** Whether what is decoded may be other than what was encoded. */
  readonly lossy: boolean;
  readonly rows: number;
  readonly columns: number;
  /** 1 or more. */
  readonly frames: number;
  /** Of a pixel: 1 or 3. */
  readonly samples: 1 | 3;
  readonly photometric: Photometric;
  /** Whether each sample has a plane of its own. */
  readonly planar: boolean;
  /** Of a sample: 1, 8, 16, 32, or 64 for fractions. */
  readonly bitsAllocated: number;
  /** Of them used, the lowest ones. */
  readonly bitsStored: number;
  readonly signed: boolean;
  /** Whether samples are fractions (Float and Double Float Pixel Data). */
  readonly float: boolean;
}

/** @throws {RejectedImage} `unsupported-encoding` or `damaged` */
export function describe(file: DicomFile): Description {
  const { dataSet } = file;
  const { codec, name: encoding, lossy = false } = transferSyntaxOf(file.transferSyntax);
  if (!codec) throw unread(`its pixels stored as ${encoding}`);
  const float = dataSet.has(TAG.floatPixels) || dataSet.has(TAG.doublePixels);
  const required = (tag: number, name: string) => {
    const value = dataSet.short(tag);
    if (value === undefined) throw damaged(`it does not say its ${name}`);
    return value;
  };
  const samples = dataSet.short(TAG.samples) ?? 1;
  if (samples !== 1 && samples !== 3) throw unread(`${samples} samples of a pixel`);
  const photometric = photometricOf(dataSet, samples);
  const bitsAllocated =
    dataSet.short(TAG.bitsAllocated) ?? (float ? (dataSet.has(TAG.floatPixels) ? 32 : 64) : undefined);
  if (bitsAllocated === undefined) throw damaged("it does not say how many bits a sample has");
  if (!(float ? [32, 64] : [1, 8, 16, 32]).includes(bitsAllocated)) throw unread(`samples of ${bitsAllocated} bits`);
  const bitsStored = float ? bitsAllocated : (dataSet.short(TAG.bitsStored) ?? bitsAllocated);
  if (bitsStored < 1 || bitsStored > bitsAllocated) {
    throw damaged(`it says that ${bitsStored} of ${bitsAllocated} bits of a sample are used`);
  }
  const highBit = dataSet.short(TAG.highBit);
  if (codec === "native" && !float && bitsAllocated > 1 && highBit !== undefined && highBit !== bitsStored - 1) {
    throw unread(`samples that begin at bit ${highBit} of ${bitsAllocated}`);
  }
  return {
    codec,
    encoding,
    lossy,
    rows: required(TAG.rows, "rows"),
    columns: required(TAG.columns, "columns"),
    frames: framesOf(dataSet),
    samples,
    photometric,
    planar: samples > 1 && dataSet.short(TAG.planar) === 1,
    bitsAllocated,
    bitsStored,
    signed: dataSet.short(TAG.signed) === 1,
    float,
  };
}

function photometricOf(dataSet: DataSet, samples: number): Photometric {
  const given = dataSet.text(TAG.photometric) ?? (samples === 1 ? "MONOCHROME2" : "RGB");
  const known = PHOTOMETRICS.find((name) => name === given);
  if (!known) throw unread("a photometric interpretation that is none of the usual ones");
  const colours = known.startsWith("MONOCHROME") || known === "PALETTE COLOR" ? 1 : 3;
  if (colours !== samples) throw damaged(`it has ${samples} samples of a pixel and says that they are ${known}`);
  return known;
}

function framesOf(dataSet: DataSet): number {
  const [frames] = dataSet.decimals(TAG.frames, "number of frames");
  if (frames === undefined || frames === 0) return 1;
  if (!Number.isInteger(frames) || frames < 0) throw damaged("its number of frames is none");
  return frames;
}

import { damaged, truncated, unread } from "./failures";
import { type Axis, analyzeAxes, axesOfMatrix, axesOfQuaternion, type Triple } from "./orientation";
import { type SampleType, sampleType } from "./samples";

/** What a header says, checked: https://nifti.nimh.nih.gov/nifti-1, https://nifti.nimh.nih.gov/nifti-2. */
export interface NiftiHeader {
  readonly littleEndian: boolean;
  /** Voxels along i, j and k. */
  readonly size: Triple<number>;
  /** In time, or whatever else the fourth dimension is. */
  readonly volumes: number;
  readonly type: SampleType;
  /** Where the voxels begin, bytes. */
  readonly offset: number;
  /** Where they end, those of all volumes. */
  readonly end: number;
  /** What was measured is value * slope + intercept. */
  readonly slope: number;
  readonly intercept: number;
  /** What is to be shown black, and white, of what was measured. */
  readonly window: { readonly low: number; readonly high: number } | undefined;
  readonly axes: Triple<Axis>;
}

/** Where a version keeps its fields. */
interface Layout {
  readonly bytes: number;
  readonly magic: number;
  /** Bytes of a size, and of a fraction. */
  readonly wide: boolean;
  readonly dimensions: number;
  readonly type: number;
  readonly spacing: number;
  readonly offset: number;
  readonly slope: number;
  readonly intercept: number;
  readonly high: number;
  readonly low: number;
  readonly intent: number;
  readonly qform: number;
  readonly sform: number;
  readonly quaternion: number;
  readonly matrix: number;
}

const ONE: Layout = {
  bytes: 348,
  magic: 344,
  wide: false,
  dimensions: 40,
  type: 70,
  spacing: 76,
  offset: 108,
  slope: 112,
  intercept: 116,
  high: 124,
  low: 128,
  intent: 68,
  qform: 252,
  sform: 254,
  quaternion: 256,
  matrix: 280,
};

const TWO: Layout = {
  bytes: 540,
  magic: 4,
  wide: true,
  dimensions: 16,
  type: 12,
  spacing: 104,
  offset: 168,
  slope: 176,
  intercept: 184,
  high: 192,
  low: 200,
  intent: 504,
  qform: 344,
  sform: 348,
  quaternion: 352,
  matrix: 400,
};

/** Its voxels are names of what was drawn in another volume. */
const LABELS = 1002;
const MOST_DIMENSIONS = 7;

/** Which version bytes are, and in which order; undefined where they are no NIfTI file. */
function layoutOf(bytes: Buffer): { layout: Layout; littleEndian: boolean; pair: boolean } | undefined {
  for (const layout of [ONE, TWO])
    for (const littleEndian of [true, false]) {
      if (bytes.length < layout.magic + 4) continue;
      if ((littleEndian ? bytes.readUInt32LE(0) : bytes.readUInt32BE(0)) !== layout.bytes) continue;
      const magic = bytes.toString("latin1", layout.magic, layout.magic + 4);
      const version = layout === ONE ? "1" : "2";
      if (magic === `n+${version}\0` || magic === `ni${version}\0`)
        return { layout, littleEndian, pair: magic[1] === "i" };
    }
  return undefined;
}

/** Whether a NIfTI header stands at the beginning. */
export const isNiftiHeader = (bytes: Buffer): boolean => layoutOf(bytes) !== undefined;

/** @throws {RejectedImage} `truncated`, `damaged`, `unsupported-encoding` or `not-an-image` */
export function readHeader(bytes: Buffer): NiftiHeader {
  const found = layoutOf(bytes);
  if (!found || bytes.length < found.layout.bytes) throw truncated();
  const { layout, littleEndian, pair } = found;
  if (pair) throw unread("its voxels in a second file (.img)");
  const field = new Fields(bytes, littleEndian, layout.wide);
  if (field.code(layout.intent) === LABELS) throw unread("labels and no grey values (a segmentation)");

  const { size, volumes } = dimensionsOf(field, layout);
  const type = sampleType(field.short(layout.type));
  const offset = offsetOf(field, layout);
  const end = offset + size[0] * size[1] * size[2] * volumes * type.bytes;
  const slope = field.fraction(layout.slope);
  const scaled = Number.isFinite(slope) && slope !== 0;
  const intercept = scaled ? field.fraction(layout.intercept) : 0;
  if (!Number.isFinite(intercept)) throw damaged("its intercept is no number");
  const [low, high] = [field.fraction(layout.low), field.fraction(layout.high)];
  return {
    littleEndian,
    size,
    volumes,
    type,
    offset,
    end,
    slope: scaled ? slope : 1,
    intercept,
    window: Number.isFinite(low) && Number.isFinite(high) && high > low ? { low, high } : undefined,
    axes: axesOf(field, layout),
  };
}

function dimensionsOf(field: Fields, { dimensions }: Layout): Pick<NiftiHeader, "size" | "volumes"> {
  const many = field.size(dimensions, 0);
  if (!(many >= 1 && many <= MOST_DIMENSIONS)) throw damaged(`it says that it has ${many} dimensions`);
  const sizes = Array.from({ length: MOST_DIMENSIONS }, (_, i) => (i < many ? field.size(dimensions, i + 1) : 1));
  if (sizes.some((size) => !(size >= 1)))
    throw damaged(`it says that it is ${sizes.slice(0, many).join(" x ")} in size`);
  if (sizes.slice(4).some((size) => size > 1)) throw unread("more than one number in a voxel");
  const [i = 1, j = 1, k = 1, volumes = 1] = sizes;
  return { size: [i, j, k], volumes };
}

function offsetOf(field: Fields, { offset, bytes }: Layout): number {
  const given = field.offset(offset);
  // Header, and four bytes that say whether something stands between it and the voxels.
  const least = bytes + 4;
  if (given === 0) return least;
  if (!Number.isInteger(given) || given < least) throw damaged("it does not say where its voxels begin");
  return given;
}

/** By the sform, else the qform, else as ANALYZE had it; where a code says that one holds, it is not passed over. */
function axesOf(field: Fields, layout: Layout): Triple<Axis> {
  const three = (at: number, from = 0) =>
    [0, 1, 2].map((i) => field.fraction(at, from + i)) as unknown as Triple<number>;
  const steps = three(layout.spacing, 1);
  if (steps.some((step) => !Number.isFinite(step))) throw damaged("the size of its voxels is no number");
  const spacing = steps.map((step) => Math.abs(step) || 1) as unknown as Triple<number>;
  if (field.code(layout.sform) > 0)
    return axesOfMatrix([three(layout.matrix), three(layout.matrix, 4), three(layout.matrix, 8)]);
  if (field.code(layout.qform) > 0)
    return axesOfQuaternion(three(layout.quaternion), field.fraction(layout.spacing) < 0, spacing);
  return analyzeAxes(spacing);
}

/** Numbers of a header: narrow ones of version 1, wide ones of version 2. */
class Fields {
  constructor(
    private readonly bytes: Buffer,
    private readonly littleEndian: boolean,
    private readonly wide: boolean,
  ) {}

  short(at: number): number {
    return this.littleEndian ? this.bytes.readInt16LE(at) : this.bytes.readInt16BE(at);
  }

  private int(at: number): number {
    return this.littleEndian ? this.bytes.readInt32LE(at) : this.bytes.readInt32BE(at);
  }

  private long(at: number): number {
    return Number(this.littleEndian ? this.bytes.readBigInt64LE(at) : this.bytes.readBigInt64BE(at));
  }

  /** What a form or an intent is. */
  code(at: number): number {
    return this.wide ? this.int(at) : this.short(at);
  }

  /** Number `index` of a row of sizes. */
  size(at: number, index: number): number {
    return this.wide ? this.long(at + 8 * index) : this.short(at + 2 * index);
  }

  /** Number `index` of a row of fractions. */
  fraction(at: number, index = 0): number {
    const { bytes, littleEndian } = this;
    if (this.wide) return littleEndian ? bytes.readDoubleLE(at + 8 * index) : bytes.readDoubleBE(at + 8 * index);
    return littleEndian ? bytes.readFloatLE(at + 4 * index) : bytes.readFloatBE(at + 4 * index);
  }

  /** A place in the file, which version 1 writes as a fraction. */
  offset(at: number): number {
    return this.wide ? this.long(at) : this.fraction(at);
  }
}

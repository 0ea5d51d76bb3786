import { damaged } from "./failures";

export type Triple<T> = readonly [T, T, T];

/** Where a volume's axis points in the patient. */
export interface Axis {
  /** Which of the patient's axes lies nearest: 0 to the left, 1 to the back, 2 to the head. Each is one axis' only. */
  readonly axis: number;
  /** 1 along it, -1 against it. */
  readonly sign: number;
  /** Between voxels, in the file's unit. */
  readonly spacing: number;
}

/** The patient's axes are to the right, to the front and to the head in NIfTI; in DICOM, and here, to the left and to the back. */
const TO_DICOM: Triple<number> = [-1, -1, 1];

const ORDERS: readonly Triple<number>[] = [
  [0, 1, 2],
  [0, 2, 1],
  [1, 0, 2],
  [1, 2, 0],
  [2, 0, 1],
  [2, 1, 0],
];

/** Below it three directions lie in a plane: the volume of the box between them, of 1. */
const FLAT = 1e-3;

/**
 * @param rows of the matrix that takes i, j and k to the patient, without its last column
 * @throws {RejectedImage} `damaged` where it takes them nowhere
 */
export function axesOfMatrix(rows: Triple<Triple<number>>): Triple<Axis> {
  const columns = [0, 1, 2].map((i) => rows.map((row) => row[i] as number));
  const spacing = columns.map((column) => Math.hypot(...column));
  const cosines = columns.map((column, i) => column.map((value) => value / (spacing[i] as number)));
  const [a, b, c] = cosines as unknown as Triple<Triple<number>>;
  const box =
    a[0] * (b[1] * c[2] - b[2] * c[1]) - a[1] * (b[0] * c[2] - b[2] * c[0]) + a[2] * (b[0] * c[1] - b[1] * c[0]);
  if (!(Math.abs(box) > FLAT)) throw damaged("its orientation is none");
  const along = (i: number, axis: number) => Math.abs((cosines[i] as number[])[axis] as number);
  const fit = (order: Triple<number>) => order.reduce((sum, axis, i) => sum + along(i, axis), 0);
  const best = ORDERS.reduce((one, other) => (fit(other) > fit(one) + 1e-6 ? other : one));
  return best.map((axis, i) => ({
    axis,
    sign: Math.sign((cosines[i] as number[])[axis] as number) * (TO_DICOM[axis] as number) || 1,
    spacing: spacing[i] as number,
  })) as unknown as Triple<Axis>;
}

/** What rounding to 32 bits leaves of a quaternion's length, squared. */
const ROUNDED = 1e-5;

/**
 * @param imaginary b, c and d of a quaternion of length 1
 * @param mirrored whether k points the other way
 * @throws {RejectedImage} `damaged`
 */
export function axesOfQuaternion(imaginary: Triple<number>, mirrored: boolean, spacing: Triple<number>): Triple<Axis> {
  const [b, c, d] = imaginary;
  const rest = 1 - (b * b + c * c + d * d);
  if (!(rest > -ROUNDED)) throw damaged("its orientation is none");
  const a = Math.sqrt(Math.max(0, rest));
  const [x, y, z] = [spacing[0], spacing[1], mirrored ? -spacing[2] : spacing[2]];
  return axesOfMatrix([
    [(a * a + b * b - c * c - d * d) * x, 2 * (b * c - a * d) * y, 2 * (b * d + a * c) * z],
    [2 * (b * c + a * d) * x, (a * a + c * c - b * b - d * d) * y, 2 * (c * d - a * b) * z],
    [2 * (b * d - a * c) * x, 2 * (c * d + a * b) * y, (a * a + d * d - c * c - b * b) * z],
  ]);
}

/** Where a file says nothing: to the left, to the front, to the head, as ANALYZE, nibabel and FSL have it. */
export function analyzeAxes([x, y, z]: Triple<number>): Triple<Axis> {
  return axesOfMatrix([
    [-x, 0, 0],
    [0, y, 0],
    [0, 0, z],
  ]);
}

/** By how much one spacing is larger than the others where slices were taken, and no volume. */
const THICK = 1.5;
const HEAD = 2;

/**
 * The axis across slices. Where voxels are longer in one direction than in both others, by half or more, this is how slices were
 * taken. A volume of nearly even voxels is cut across the axis to the head, as most pictures are that networks have seen.
 */
export function axisAcross(axes: Triple<Axis>): number {
  const order = [0, 1, 2].sort((a, b) => spacingOf(axes, b) - spacingOf(axes, a)) as unknown as Triple<number>;
  const [longest, next] = order;
  if (spacingOf(axes, longest) >= THICK * spacingOf(axes, next)) return longest;
  return axes.findIndex(({ axis }) => axis === HEAD);
}

const spacingOf = (axes: Triple<Axis>, i: number): number => (axes[i] as Axis).spacing;

/** The direction of an axis as DICOM writes one. */
export function cosinesOf({ axis, sign }: Axis): Triple<number> {
  return [0, 1, 2].map((i) => (i === axis ? sign : 0)) as unknown as Triple<number>;
}

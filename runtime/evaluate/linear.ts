import { normal, uniform } from "../platform/random";

/** Small classical models for baselines and probes: what a network must beat, and what must not predict the label. */

/** Images as rows of equal length. */
export type Rows = readonly Float64Array[];

/** Gives a probability of Cancer for a row of the kind that it was fitted to. */
export type Predictor = (row: Float64Array) => number;

const OVERSAMPLING = 8;
const POWER_ITERATIONS = 1;

/** Mean and deviation of each column; a column that never varies counts as it is. */
export function standardizer(rows: Rows): (row: Float64Array) => Float64Array {
  const width = rows[0]?.length ?? 0;
  const mean = new Float64Array(width);
  const deviation = new Float64Array(width);
  for (const row of rows)
    for (let k = 0; k < width; k++) mean[k] = (mean[k] as number) + (row[k] as number) / rows.length;
  for (const row of rows) {
    for (let k = 0; k < width; k++) {
      deviation[k] = (deviation[k] as number) + ((row[k] as number) - (mean[k] as number)) ** 2 / rows.length;
    }
  }
  const scale = deviation.map((variance) => (variance > 1e-12 ? Math.sqrt(variance) : 1));
  return (row) => row.map((value, k) => (value - (mean[k] as number)) / (scale[k] as number));
}

/**
 * Principal components by a randomised range finder (Halko et al. 2011).
 *
 * @param components most that are kept; never more than there are rows or columns
 * @returns projects a row onto them
 */
export function randomizedPca(rows: Rows, components: number, seed: number): (row: Float64Array) => Float64Array {
  const width = rows[0]?.length ?? 0;
  const mean = new Float64Array(width);
  for (const row of rows)
    for (let k = 0; k < width; k++) mean[k] = (mean[k] as number) + (row[k] as number) / rows.length;
  const centred = rows.map((row) => row.map((value, k) => value - (mean[k] as number)));
  const size = Math.min(components + OVERSAMPLING, width, rows.length);
  const gaussian = normal(uniform(seed));
  let basis = orthonormal(Array.from({ length: size }, () => Float64Array.from({ length: width }, gaussian)));
  for (let round = 0; round <= POWER_ITERATIONS; round++) {
    const images = basis.map(() => new Float64Array(width));
    for (const row of centred) {
      basis.forEach((direction, i) => {
        const weight = dot(row, direction);
        const image = images[i] as Float64Array;
        for (let k = 0; k < width; k++) image[k] = (image[k] as number) + weight * (row[k] as number);
      });
    }
    basis = orthonormal(images);
  }
  const kept = basis.slice(0, components);
  return (row) => {
    const moved = row.map((value, k) => value - (mean[k] as number));
    return Float64Array.from(kept, (direction) => dot(moved, direction));
  };
}

const ROUNDS = 25;
/** Weight of the squared coefficients beside the mean loss of a row. */
const PENALTY = 1e-3;

/** Logistic regression by iteratively reweighted least squares, L2-penalised, on standardised columns. */
export function logisticRegression(rows: Rows, labels: ArrayLike<number>): Predictor {
  const standard = standardizer(rows);
  const design = rows.map((row) => Float64Array.from([...standard(row), 1]));
  const width = design[0]?.length ?? 1;
  const weights = new Float64Array(width);
  for (let round = 0; round < ROUNDS; round++) {
    const hessian = Array.from({ length: width }, () => new Float64Array(width));
    const gradient = new Float64Array(width);
    design.forEach((row, i) => {
      const p = 1 / (1 + Math.exp(-dot(row, weights)));
      const spread = Math.max(1e-6, p * (1 - p)) / rows.length;
      const miss = ((labels[i] as number) - p) / rows.length;
      for (let a = 0; a < width; a++) {
        const value = row[a] as number;
        gradient[a] = (gradient[a] as number) + miss * value;
        const line = hessian[a] as Float64Array;
        for (let b = 0; b <= a; b++) line[b] = (line[b] as number) + spread * value * (row[b] as number);
      }
    });
    for (let a = 0; a < width; a++) {
      const line = hessian[a] as Float64Array;
      const penalty = a === width - 1 ? 1e-9 : PENALTY;
      line[a] = (line[a] as number) + penalty;
      gradient[a] = (gradient[a] as number) - penalty * (weights[a] as number);
    }
    const step = solvePositive(hessian, gradient);
    // A full step can overshoot where classes are nearly separable.
    const length = Math.max(1, Math.sqrt(dot(step, step)) / 5);
    for (let a = 0; a < width; a++) weights[a] = (weights[a] as number) + (step[a] as number) / length;
    if (Math.sqrt(dot(step, step)) < 1e-6) break;
  }
  return (row) => 1 / (1 + Math.exp(-dot(Float64Array.from([...standard(row), 1]), weights)));
}

/** Share of Cancer among the `k` nearest rows by Euclidean distance. */
export function nearestNeighbours(rows: Rows, labels: ArrayLike<number>, k: number): Predictor {
  return (row) => {
    const distances = rows.map((other, i) => {
      let sum = 0;
      for (let c = 0; c < row.length; c++) sum += ((row[c] as number) - (other[c] as number)) ** 2;
      return { sum, i };
    });
    distances.sort((a, b) => a.sum - b.sum || a.i - b.i);
    const near = distances.slice(0, k);
    return near.reduce((sum, { i }) => sum + (labels[i] as number), 0) / Math.max(1, near.length);
  };
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let k = 0; k < a.length; k++) sum += (a[k] as number) * (b[k] as number);
  return sum;
}

/** Gram-Schmidt, twice over for accuracy; directions that vanish are left out. The longest comes first. */
function orthonormal(directions: readonly Float64Array[]): Float64Array[] {
  const sorted = [...directions].sort((a, b) => dot(b, b) - dot(a, a));
  const kept: Float64Array[] = [];
  for (const direction of sorted) {
    const rest = Float64Array.from(direction);
    const before = Math.sqrt(dot(rest, rest));
    for (let pass = 0; pass < 2; pass++) {
      for (const other of kept) {
        const share = dot(rest, other);
        for (let k = 0; k < rest.length; k++) rest[k] = (rest[k] as number) - share * (other[k] as number);
      }
    }
    const length = Math.sqrt(dot(rest, rest));
    if (length > 1e-10 * (before + 1e-300)) kept.push(rest.map((value) => value / length));
  }
  return kept;
}

/** Solves A x = b for a symmetric positive definite A, of which the lower triangle is read, by Cholesky. */
function solvePositive(a: readonly Float64Array[], b: Float64Array): Float64Array {
  const n = b.length;
  const factor = a.map((row) => Float64Array.from(row));
  for (let row = 0; row < n; row++) {
    const line = factor[row] as Float64Array;
    for (let column = 0; column <= row; column++) {
      const other = factor[column] as Float64Array;
      let value = line[column] as number;
      for (let k = 0; k < column; k++) value -= (line[k] as number) * (other[k] as number);
      line[column] = row === column ? Math.sqrt(Math.max(value, 1e-12)) : value / (other[column] as number);
    }
  }
  const x = Float64Array.from(b);
  for (let row = 0; row < n; row++) {
    const line = factor[row] as Float64Array;
    for (let k = 0; k < row; k++) x[row] = (x[row] as number) - (line[k] as number) * (x[k] as number);
    x[row] = (x[row] as number) / (line[row] as number);
  }
  for (let row = n - 1; row >= 0; row--) {
    for (let k = row + 1; k < n; k++)
      x[row] = (x[row] as number) - ((factor[k] as Float64Array)[row] as number) * (x[k] as number);
    x[row] = (x[row] as number) / ((factor[row] as Float64Array)[row] as number);
  }
  return x;
}

import { cholesky, dot, rowOfTriangle, solveFactored } from "../platform/linear-algebra";
import { sigmoid } from "../platform/numbers";
import { addProducts, type Pass, SubspaceIteration } from "../platform/randomized-pca";

/** Small classical models for baselines and probes: what a network must beat, and what must not predict the label. */

/** Images as rows of equal length. */
export type Rows = readonly Float64Array[];

/** Gives a probability of Cancer for a row of the kind that it was fitted to. */
export type Predictor = (row: Float64Array) => number;

/** Runs over the rows of a fit: a baseline needs no more exact components. */
const MAX_PASSES = 3;

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
 * Principal components by {@link SubspaceIteration}, in memory.
 *
 * @param components most that are kept; never more than the rows span
 * @returns projects a row onto them
 */
export function randomizedPca(rows: Rows, components: number, seed: number): (row: Float64Array) => Float64Array {
  const width = rows[0]?.length ?? 0;
  const mean = new Float64Array(width);
  for (const row of rows)
    for (let k = 0; k < width; k++) mean[k] = (mean[k] as number) + (row[k] as number) / rows.length;
  const centred = rows.map((row) => row.map((value, k) => value - (mean[k] as number)));
  const rank = Math.min(width, Math.max(0, rows.length - 1));
  const iteration = new SubspaceIteration({ width, rank, components, seed, maxPasses: MAX_PASSES });
  for (;;) {
    const found = iteration.take(passOver(centred, iteration.basis));
    if (!found) continue;
    return (row) => {
      const moved = row.map((value, k) => value - (mean[k] as number));
      return Float64Array.from(found.components, (direction) => dot(moved, direction));
    };
  }
}

function passOver(centred: Rows, basis: readonly Float64Array[]): Pass {
  const image = basis.map((direction) => new Float64Array(direction.length));
  const products = new Float64Array(basis.length ** 2);
  for (const row of centred) {
    const scores = basis.map((direction) => dot(row, direction));
    addProducts(products, scores, basis.length);
    image.forEach((vector, i) => {
      const weight = scores[i] as number;
      for (let k = 0; k < row.length; k++) vector[k] = (vector[k] as number) + weight * (row[k] as number);
    });
  }
  return { image, products };
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
    const hessian = new Float64Array(rowOfTriangle(width));
    const gradient = new Float64Array(width);
    design.forEach((row, i) => {
      const p = sigmoid(dot(row, weights));
      const spread = Math.max(1e-6, p * (1 - p)) / rows.length;
      const miss = ((labels[i] as number) - p) / rows.length;
      for (let a = 0; a < width; a++) {
        const value = row[a] as number;
        gradient[a] = (gradient[a] as number) + miss * value;
        const at = rowOfTriangle(a);
        for (let b = 0; b <= a; b++) {
          hessian[at + b] = (hessian[at + b] as number) + spread * value * (row[b] as number);
        }
      }
    });
    for (let a = 0; a < width; a++) {
      const diagonal = rowOfTriangle(a) + a;
      const penalty = a === width - 1 ? 1e-9 : PENALTY;
      hessian[diagonal] = (hessian[diagonal] as number) + penalty;
      gradient[a] = (gradient[a] as number) - penalty * (weights[a] as number);
    }
    const step = solveFactored(cholesky(hessian, width), gradient);
    // A full step can overshoot where classes are nearly separable.
    const length = Math.max(1, Math.sqrt(dot(step, step)) / 5);
    for (let a = 0; a < width; a++) weights[a] = (weights[a] as number) + (step[a] as number) / length;
    if (Math.sqrt(dot(step, step)) < 1e-6) break;
  }
  return (row) => sigmoid(dot(Float64Array.from([...standard(row), 1]), weights));
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

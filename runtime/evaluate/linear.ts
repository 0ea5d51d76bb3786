import { dot, matrixOf } from "../platform/linear-algebra";
import { type Matrix, multiply } from "../platform/matrix";
import { sigmoid } from "../platform/numbers";
import { type Pass, SubspaceIteration } from "../platform/randomized-pca";
import { EUCLIDEAN, FeatureSpace } from "../similar";
import { type Pause, unheard } from "./pause";

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
export async function randomizedPca(
  rows: Rows,
  components: number,
  seed: number,
): Promise<(row: Float64Array) => Float64Array> {
  const width = rows[0]?.length ?? 0;
  const mean = new Float64Array(width);
  for (const row of rows)
    for (let k = 0; k < width; k++) mean[k] = (mean[k] as number) + (row[k] as number) / rows.length;
  const centre = (row: Float64Array) => row.map((value, k) => value - (mean[k] as number));
  const centred = matrixOf(rows.map(centre), width);
  const rank = Math.min(width, Math.max(0, rows.length - 1));
  const iteration = await SubspaceIteration.start({ width, rank, components, seed, maxPasses: MAX_PASSES });
  for (;;) {
    const found = await iteration.take(await passOver(centred, iteration.basis));
    if (!found) continue;
    return (row) => {
      const moved = centre(row);
      return Float64Array.from(found.components, (direction) => dot(moved, direction));
    };
  }
}

async function passOver(centred: Matrix, basis: Matrix): Promise<Pass> {
  const scores = await multiply(centred, basis, { right: true });
  return {
    image: await multiply(scores, centred, { left: true }),
    products: await multiply(scores, scores, { left: true }),
  };
}

const ROUNDS = 25;
/** Most steps that a round spends on its linear equations. */
const STEPS = 100;
/** Of them, between two pauses: each reads every row twice. */
const STEPS_AT_ONCE = 4;
/** Part of the gradient that a round leaves: the next one goes on from there. */
const INEXACT = 0.05;
/** Weight of the squared coefficients beside the mean loss of a row. */
const PENALTY = 1e-3;

/**
 * Logistic regression, L2-penalised, on standardised columns: Newton's method, each round's equations solved by conjugate
 * gradients (Nocedal and Wright, Numerical Optimization, algorithm 7.1), so that no matrix of columns x columns is made.
 *
 * @param options.penalty weight of the squared coefficients beside the mean loss of a row
 * @param options.pause awaited in each round, and within a long one
 */
export async function logisticRegression(
  rows: Rows,
  labels: ArrayLike<number>,
  { penalty = PENALTY, pause = unheard }: { readonly penalty?: number; readonly pause?: Pause } = {},
): Promise<Predictor> {
  const standard = standardizer(rows);
  const design = rows.map((row) => Float64Array.from([...standard(row), 1]));
  const width = design[0]?.length ?? 1;
  // What is left of the intercept's penalty keeps the equations regular.
  const penalties = new Float64Array(width).fill(penalty);
  penalties[width - 1] = 1e-9;
  const weights = new Float64Array(width);
  for (let round = 0; round < ROUNDS; round++) {
    const gradient = weights.map((weight, a) => -(penalties[a] as number) * weight);
    const spread = design.map((row, i) => {
      const p = sigmoid(dot(row, weights));
      addScaled(gradient, row, ((labels[i] as number) - p) / rows.length);
      return Math.max(1e-6, p * (1 - p)) / rows.length;
    });
    const curvature = (direction: Float64Array) => {
      const product = direction.map((value, a) => value * (penalties[a] as number));
      for (const [i, row] of design.entries()) addScaled(product, row, (spread[i] as number) * dot(row, direction));
      return product;
    };
    const step = await conjugateGradients(curvature, gradient, pause);
    // A full step can overshoot where classes are nearly separable.
    const length = Math.max(1, Math.sqrt(dot(step, step)) / 5);
    addScaled(weights, step, 1 / length);
    if (Math.sqrt(dot(step, step)) < 1e-6) break;
  }
  return (row) => sigmoid(dot(Float64Array.from([...standard(row), 1]), weights));
}

/** Solves A x = b but for a small part of b. @param product A times a vector, A being symmetric and positive definite */
async function conjugateGradients(
  product: (vector: Float64Array) => Float64Array,
  b: Float64Array,
  pause: Pause,
): Promise<Float64Array> {
  const solution = new Float64Array(b.length);
  const rest = Float64Array.from(b);
  const direction = Float64Array.from(b);
  const first = dot(b, b);
  let size = first;
  for (let step = 0; step < STEPS && size > INEXACT ** 2 * first; step++) {
    if (step % STEPS_AT_ONCE === 0) await pause();
    const image = product(direction);
    const along = size / dot(direction, image);
    addScaled(solution, direction, along);
    addScaled(rest, image, -along);
    const next = dot(rest, rest);
    for (let i = 0; i < direction.length; i++)
      direction[i] = (rest[i] as number) + (next / size) * (direction[i] as number);
    size = next;
  }
  return solution;
}

/** Adds a multiple of a vector to another, in place. */
function addScaled(vector: Float64Array, other: Float64Array, factor: number): void {
  for (let i = 0; i < vector.length; i++) vector[i] = (vector[i] as number) + factor * (other[i] as number);
}

/** Share of Cancer among the nearest rows by Euclidean distance, for each of several numbers of neighbours. */
export function nearestNeighbours(
  rows: Rows,
  labels: ArrayLike<number>,
  counts: readonly number[],
): (row: Float64Array) => readonly number[] {
  const space = FeatureSpace.of(rows, EUCLIDEAN);
  const most = Math.max(...counts);
  return (row) => {
    const nearest = space.nearest(row, most, () => true);
    return counts.map((k) => {
      const near = nearest.slice(0, k);
      return near.reduce((sum, { row: at }) => sum + (labels[at] as number), 0) / Math.max(1, near.length);
    });
  };
}

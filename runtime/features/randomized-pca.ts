import * as tf from "@tensorflow/tfjs-core";
import { mixSeed, normal, uniform } from "../platform/random";
import { type FittedPca, PIXELS } from "./components";
import { dot, orthonormalize, symmetricEigen } from "./linear-algebra";
import { TooFewImagesError } from "./too-few-images";

/** Images that can be gone through several times. */
export interface PixelSource {
  readonly images: number;
  /** Blocks of at most `size` images, 16,384 values of 0 to 255 each. */
  blocks(size: number): AsyncIterable<Uint8Array>;
}

export interface RandomizedPcaOptions {
  readonly components: number;
  readonly seed: number;
  readonly signal: AbortSignal;
  /** Called once a block and pass, with the images in it. */
  readonly onImages?: (images: number) => void;
}

export interface RandomizedFit extends FittedPca {
  /** Runs over all images. */
  readonly passes: number;
}

/** Directions that are followed beside those that are asked for: the last of these become exact sooner. */
const OVERSAMPLING = 10;
/** The first pass makes directions out of noise; each of the others is a power iteration. */
export const MAX_PASSES = 8;
/** The variances have settled when none of them grew by more than this part of itself in a pass. */
const TOLERANCE = 1e-4;
/** A component with less than this part of the first one's variance is rounding, not data. */
const RANK_TOLERANCE = 1e-9;
const BLOCK = 256;

/**
 * Principal components of standardised images by randomised subspace iteration: Halko, Martinsson and Tropp, Finding
 * structure with randomness, SIAM Review 53 (2011), algorithm 4.4, with the small problem solved in the subspace after
 * each pass (Rayleigh and Ritz), so that a pass is one run over the images and tells whether another is needed.
 * Products are those of the current TensorFlow.js backend, in single precision; sums, bases and the small problem are in
 * double precision.
 *
 * @returns at most `components` components: fewer where the images span no more
 * @throws {TooFewImagesError} if they are all equal
 */
export async function fitRandomizedPca(source: PixelSource, options: RandomizedPcaOptions): Promise<RandomizedFit> {
  const { images } = source;
  const { mean, scale, varying } = await momentsOf(source, options);
  const rank = Math.min(images - 1, varying);
  if (rank === 0) throw TooFewImagesError.equal(images);
  const wanted = Math.min(options.components, rank);
  let basis = orthonormalize(gaussian(Math.min(wanted + OVERSAMPLING, rank), options.seed));
  let before: Float64Array | undefined;
  for (let passes = 1; ; passes++) {
    const { image, products } = await applyCovariance(source, mean, scale, basis, options);
    const { values, vectors } = symmetricEigen(products, basis.length);
    if (passes === MAX_PASSES || settled(before, values, wanted)) {
      const kept = vectors.slice(0, wanted).filter((_, i) => at(values, i) > RANK_TOLERANCE * at(values, 0));
      return {
        mean,
        scale,
        components: kept.map((weights) => combine(basis, weights)),
        explainedVariance: values.slice(0, kept.length).map((value) => value / (images - 1)),
        // Each pixel that varies has the population variance 1.
        totalVariance: (varying * images) / (images - 1),
        passes,
      };
    }
    before = values;
    basis = orthonormalize(image);
  }
}

/** Mean and population standard deviation of each pixel, exact: they come from sums of whole numbers. */
async function momentsOf(source: PixelSource, { signal, onImages }: RandomizedPcaOptions) {
  const sum = new Float64Array(PIXELS);
  const squares = new Float64Array(PIXELS);
  for await (const block of source.blocks(BLOCK)) {
    signal.throwIfAborted();
    for (let start = 0; start < block.length; start += PIXELS) {
      for (let j = 0; j < PIXELS; j++) {
        const value = block[start + j] as number;
        sum[j] = at(sum, j) + value;
        squares[j] = at(squares, j) + value * value;
      }
    }
    onImages?.(block.length / PIXELS);
  }
  const n = source.images;
  const scale = squares.map((square, j) => Math.sqrt(n * square - at(sum, j) ** 2) / n || 1);
  const varying = squares.reduce((count, square, j) => count + Number(n * square > at(sum, j) ** 2), 0);
  return { mean: sum.map((total) => total / n), scale, varying };
}

function gaussian(count: number, seed: number): Float64Array[] {
  const draw = normal(uniform(mixSeed(seed, PIXELS)));
  return Array.from({ length: count }, () => Float64Array.from({ length: PIXELS }, draw));
}

/**
 * One pass: the basis times (n - 1) times the covariance of the standardised images, and the products of that with the
 * basis.
 *
 * @returns `image`: a vector for each of the basis; `products`: symmetric, basis x basis, row by row
 */
async function applyCovariance(
  source: PixelSource,
  mean: Float64Array,
  scale: Float64Array,
  basis: readonly Float64Array[],
  { signal, onImages }: RandomizedPcaOptions,
): Promise<{ image: Float64Array[]; products: Float64Array }> {
  const width = basis.length;
  const image = basis.map(() => new Float64Array(PIXELS));
  const products = new Float64Array(width * width);
  const centre = Float32Array.from(mean);
  const inverse = Float32Array.from(scale, (value) => 1 / value);
  const standardised = new Float32Array(Math.min(BLOCK, source.images) * PIXELS);
  const directions = tf.tensor2d(columns(basis), [PIXELS, width]);
  try {
    for await (const block of source.blocks(BLOCK)) {
      signal.throwIfAborted();
      const count = block.length / PIXELS;
      for (let start = 0; start < block.length; start += PIXELS) {
        for (let j = 0; j < PIXELS; j++) {
          standardised[start + j] = ((block[start + j] as number) - (centre[j] as number)) * (inverse[j] as number);
        }
      }
      const [scores, back] = tf.tidy(() => {
        const pixels = tf.tensor2d(standardised.subarray(0, block.length), [count, PIXELS]);
        const along = tf.matMul(pixels, directions);
        return [along, tf.matMul(tf.transpose(pixels), along)] as const;
      });
      addProducts(products, await scores.data(), width);
      addColumns(image, await back.data());
      tf.dispose([scores, back]);
      onImages?.(count);
    }
  } finally {
    directions.dispose();
  }
  return { image, products };
}

/** Adds transposed(scores) x scores. */
function addProducts(products: Float64Array, scores: ArrayLike<number>, width: number): void {
  for (let start = 0; start < scores.length; start += width) {
    for (let p = 0; p < width; p++) {
      const value = scores[start + p] as number;
      for (let q = 0; q < width; q++)
        products[p * width + q] = at(products, p * width + q) + value * (scores[start + q] as number);
    }
  }
}

/** Adds pixels x width values, row by row, to as many vectors. */
function addColumns(vectors: readonly Float64Array[], values: ArrayLike<number>): void {
  for (const [i, vector] of vectors.entries()) {
    for (let j = 0, k = i; j < PIXELS; j++, k += vectors.length) vector[j] = at(vector, j) + (values[k] as number);
  }
}

function columns(vectors: readonly Float64Array[]): Float32Array {
  const values = new Float32Array(PIXELS * vectors.length);
  for (const [i, vector] of vectors.entries()) {
    for (let j = 0, k = i; j < PIXELS; j++, k += vectors.length) values[k] = at(vector, j);
  }
  return values;
}

/** Ritz values grow towards the variances, pass by pass. */
function settled(before: Float64Array | undefined, now: Float64Array, wanted: number): boolean {
  if (!before) return false;
  for (let i = 0; i < wanted; i++) if (at(now, i) - at(before, i) > TOLERANCE * at(now, i)) return false;
  return true;
}

function combine(basis: readonly Float64Array[], weights: Float64Array): Float64Array {
  const vector = new Float64Array(PIXELS);
  for (const [i, one] of basis.entries()) {
    const weight = at(weights, i);
    for (let j = 0; j < PIXELS; j++) vector[j] = at(vector, j) + weight * at(one, j);
  }
  const length = Math.sqrt(dot(vector, vector));
  return vector.map((value) => value / length);
}

const at = (array: Float64Array, index: number): number => array[index] as number;

import * as tf from "@tensorflow/tfjs-core";
import { dot } from "../platform/linear-algebra";
import { addProducts, type Pass, SubspaceIteration } from "../platform/randomized-pca";
import { type FittedPca, PIXELS } from "./components";
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

/** Runs over all images at most. */
export const MAX_PASSES = 8;
/** Images that go through the products together: 64 MiB as floats. */
const BLOCK = 1024;

/**
 * Principal components of standardised images by {@link SubspaceIteration}. Products are those of the current
 * TensorFlow.js backend, in single precision; sums, bases and the small problem are in double precision.
 *
 * @returns at most `components` components: fewer where the images span no more
 * @throws {TooFewImagesError} if they are all equal
 */
export async function fitRandomizedPca(source: PixelSource, options: RandomizedPcaOptions): Promise<RandomizedFit> {
  const { images } = source;
  const { components, seed } = options;
  const { mean, scale, varying } = await momentsOf(source, options);
  const rank = Math.min(images - 1, varying);
  if (rank === 0) throw TooFewImagesError.equal(images);
  const iteration = new SubspaceIteration({ width: PIXELS, rank, components, seed, maxPasses: MAX_PASSES });
  for (;;) {
    const found = iteration.take(await applyCovariance(source, mean, scale, iteration.basis, options));
    if (!found) continue;
    return {
      mean,
      scale,
      components: found.components,
      explainedVariance: found.scatter.map((value) => value / (images - 1)),
      // Each pixel that varies has the population variance 1.
      totalVariance: (varying * images) / (images - 1),
      passes: found.passes,
    };
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

/**
 * One pass: the covariance of the standardised images, times (n - 1). A standardised image along a direction is the image along
 * direction / scale, less a constant, and what comes back is the same of the images, so that none is standardised.
 */
async function applyCovariance(
  source: PixelSource,
  mean: Float64Array,
  scale: Float64Array,
  basis: readonly Float64Array[],
  { signal, onImages }: RandomizedPcaOptions,
): Promise<Pass> {
  const width = basis.length;
  const weights = basis.map((vector) => vector.map((value, j) => value / at(scale, j)));
  const image = basis.map(() => new Float64Array(PIXELS));
  const products = new Float64Array(width * width);
  const totals = new Float64Array(width);
  const directions = tf.tidy(() => tf.transpose(tf.tensor2d(rows(weights), [width, PIXELS])));
  const offsets = tf.tensor1d(Float32Array.from(weights, (weight) => dot(weight, mean)));
  try {
    for await (const block of source.blocks(BLOCK)) {
      signal.throwIfAborted();
      const count = block.length / PIXELS;
      const [scores, back] = tf.tidy(() => {
        const pixels = tf.tensor2d(new Float32Array(block), [count, PIXELS]);
        const along = tf.sub(tf.matMul(pixels, directions), offsets);
        return [along, tf.matMul(tf.transpose(along), pixels)] as const;
      });
      const along = await scores.data();
      addProducts(products, along, width);
      for (let i = 0; i < along.length; i++) totals[i % width] = at(totals, i % width) + (along[i] as number);
      addRows(image, await back.data());
      tf.dispose([scores, back]);
      onImages?.(count);
    }
  } finally {
    tf.dispose([directions, offsets]);
  }
  for (const [k, vector] of image.entries()) {
    for (let j = 0; j < PIXELS; j++) vector[j] = (at(vector, j) - at(mean, j) * at(totals, k)) / at(scale, j);
  }
  return { image, products };
}

/** Adds one row of values after the other to as many vectors. */
function addRows(vectors: readonly Float64Array[], values: ArrayLike<number>): void {
  for (const [i, vector] of vectors.entries()) {
    const start = i * PIXELS;
    for (let j = 0; j < PIXELS; j++) vector[j] = at(vector, j) + (values[start + j] as number);
  }
}

function rows(vectors: readonly Float64Array[]): Float32Array {
  const values = new Float32Array(PIXELS * vectors.length);
  for (const [i, vector] of vectors.entries()) values.set(vector, i * PIXELS);
  return values;
}

const at = (array: Float64Array, index: number): number => array[index] as number;

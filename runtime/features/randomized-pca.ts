import * as tf from "@tensorflow/tfjs-core";
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
const BLOCK = 256;

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

/** One pass: the covariance of the standardised images, times (n - 1). */
async function applyCovariance(
  source: PixelSource,
  mean: Float64Array,
  scale: Float64Array,
  basis: readonly Float64Array[],
  { signal, onImages }: RandomizedPcaOptions,
): Promise<Pass> {
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

const at = (array: Float64Array, index: number): number => array[index] as number;

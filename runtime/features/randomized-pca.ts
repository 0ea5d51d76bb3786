import { dot, rowsOf } from "../platform/linear-algebra";
import { type Matrix, multiply, type Values } from "../platform/matrix";
import { type Pass, SubspaceIteration } from "../platform/randomized-pca";
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
/** Images that go through the products together: 32 MiB as floats. */
const BLOCK = 512;

/**
 * Principal components of standardised images by {@link SubspaceIteration}. Products of images are in single precision; sums,
 * bases and the small problem are in double precision.
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
  const iteration = await SubspaceIteration.start({ width: PIXELS, rank, components, seed, maxPasses: MAX_PASSES });
  for (;;) {
    const found = await iteration.take(await applyCovariance(source, mean, scale, iteration.basis, options));
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
  basis: Matrix,
  { signal, onImages }: RandomizedPcaOptions,
): Promise<Pass> {
  const { rows: width, columns } = basis;
  const weights = { ...basis, values: basis.values.slice() };
  for (const row of rowsOf(weights)) for (let j = 0; j < PIXELS; j++) row[j] = at(row, j) / at(scale, j);
  const directions = { ...basis, values: new Float32Array(weights.values) };
  const offsets = rowsOf(weights).map((row) => dot(row, mean));
  const image = { rows: width, columns, values: new Float64Array(width * PIXELS) };
  const products = { rows: width, columns: width, values: new Float64Array(width * width) };
  const totals = new Float64Array(width);
  const held = new Float32Array(Math.min(BLOCK, source.images) * PIXELS);
  for await (const block of source.blocks(BLOCK)) {
    signal.throwIfAborted();
    held.set(block);
    const pixels = { rows: block.length / PIXELS, columns, values: held.subarray(0, block.length) };
    const along = await multiply(pixels, directions, { right: true });
    for (let i = 0; i < along.values.length; i++) {
      const value = (along.values[i] as number) - (offsets[i % width] as number);
      along.values[i] = value;
      totals[i % width] = at(totals, i % width) + value;
    }
    add(products, await multiply(along, along, { left: true }));
    add(image, await multiply(along, pixels, { left: true }));
    onImages?.(pixels.rows);
  }
  for (const [k, vector] of rowsOf(image).entries()) {
    for (let j = 0; j < PIXELS; j++) vector[j] = (at(vector, j) - at(mean, j) * at(totals, k)) / at(scale, j);
  }
  return { image, products };
}

/** Adds one matrix to another, in place. */
function add(to: Matrix, { values }: Matrix<Values>): void {
  for (let i = 0; i < values.length; i++) to.values[i] = at(to.values, i) + (values[i] as number);
}

const at = (array: Float64Array, index: number): number => array[index] as number;

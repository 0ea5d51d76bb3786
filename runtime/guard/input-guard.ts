import { oneChannel, RECIPE } from "../imaging";
import { rowOfTriangle } from "../platform/linear-algebra";
import { DESCRIPTOR, DESCRIPTOR_SIZE, describePicture } from "./descriptor";

/** Numbers of the lower triangle of a square matrix of the descriptor's size. */
export const TRIANGLE = rowOfTriangle(DESCRIPTOR_SIZE);

/** What a guard has learnt: where brain scans lie in the space of descriptors. */
export interface GuardParameters {
  /** Of each number of the descriptor. */
  readonly mean: Float32Array;
  /** Standard deviation of each number. */
  readonly scale: Float32Array;
  /** Lower triangle, row by row, of the Cholesky factor of the shrunken correlation matrix. */
  readonly factor: Float32Array;
}

export interface GuardVerdict {
  /**
   * How unlike the training scans it is: the mean of log(1 + u^2) over the whitened numbers u of its descriptor. The
   * logarithm, as in a density with heavy tails, keeps one odd trait of a real scan from outweighing all the others.
   */
  readonly distance: number;
  /** True when it is farther than the threshold: the picture does not look like a brain scan. */
  readonly refused: boolean;
}

/** Tells pictures that look like the scans of the training data from pictures of anything else. Knows no label. */
export class InputGuard {
  /** @param threshold distance above which a picture is refused */
  constructor(
    private readonly parameters: GuardParameters,
    readonly threshold: number,
  ) {}

  /** @param pixels recipe output, 128 x 128 x 3, or one channel of it */
  judge(pixels: Uint8Array): GuardVerdict {
    const distance = distanceOf(
      this.parameters,
      describePicture(pixels.length === RECIPE.side ** 2 ? pixels : oneChannel(pixels)),
    );
    return { distance, refused: distance > this.threshold };
  }
}

/** See {@link GuardVerdict.distance}. */
export function distanceOf({ mean, scale, factor }: GuardParameters, descriptor: Float64Array): number {
  const solved = new Float64Array(DESCRIPTOR_SIZE);
  let sum = 0;
  for (let row = 0, at = 0; row < DESCRIPTOR_SIZE; row++) {
    let value = ((descriptor[row] as number) - (mean[row] as number)) / (scale[row] as number);
    for (let column = 0; column < row; column++) value -= (factor[at++] as number) * (solved[column] as number);
    value /= factor[at++] as number;
    solved[row] = value;
    sum += Math.log1p(value * value);
  }
  return sum / DESCRIPTOR_SIZE;
}

/** `guard.bin`: mean, scale and factor as little-endian float32. */
export function serializeGuard({ mean, scale, factor }: GuardParameters): Buffer {
  const values = [...mean, ...scale, ...factor];
  const bytes = Buffer.alloc(4 * values.length);
  for (const [i, value] of values.entries()) bytes.writeFloatLE(value, 4 * i);
  return bytes;
}

/** @throws {RangeError} if the bytes are not those of a guard of this descriptor */
export function parseGuard(bytes: Uint8Array): GuardParameters {
  const count = 2 * DESCRIPTOR_SIZE + TRIANGLE;
  if (bytes.length !== 4 * count) {
    throw new RangeError(
      `A guard of descriptor ${DESCRIPTOR.id} has ${4 * count} bytes, and this has ${bytes.length}.`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const values = Float32Array.from({ length: count }, (_, i) => view.getFloat32(4 * i, true));
  return {
    mean: values.slice(0, DESCRIPTOR_SIZE),
    scale: values.slice(DESCRIPTOR_SIZE, 2 * DESCRIPTOR_SIZE),
    factor: values.slice(2 * DESCRIPTOR_SIZE),
  };
}

import { oneChannel, RECIPE } from "../imaging";
import { rowOfTriangle } from "../platform/linear-algebra";
import { DESCRIPTOR, DESCRIPTOR_SIZE, describePicture } from "./descriptor";
import { looksLikeCt } from "./skull";

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

/** From where on a picture is refused. */
export interface GuardLimits {
  /** Distance above which an upright picture is. */
  readonly threshold: number;
  /**
   * Distance up to which a picture is accepted that looks like a scan only when it is turned by 90, 180 or 270 degrees.
   * Absent, in guards from before this was asked: none is turned.
   */
  readonly turned?: number | undefined;
  /** Whether a picture that shows the skull of a CT is refused, whatever its distance. Absent: not. */
  readonly refusesCt?: boolean | undefined;
}

export interface GuardVerdict {
  /**
   * How unlike the training scans it is: the mean of log(1 + u^2) over the whitened numbers u of its descriptor. The
   * logarithm, as in a density with heavy tails, keeps one odd trait of a real scan from outweighing all the others.
   */
  readonly distance: number;
  readonly refused: boolean;
  /** Why it is refused: it does not look like a brain scan, or shows the skull of a CT. */
  readonly because?: "unlike" | "ct";
}

/** Tells pictures that look like the scans of the training data, however turned, from anything else. Knows no label. */
export class InputGuard {
  constructor(
    private readonly parameters: GuardParameters,
    readonly limits: GuardLimits,
  ) {}

  /** @param pixels recipe output, 128 x 128 x 3, or one channel of it */
  judge(pixels: Uint8Array): GuardVerdict {
    const grey = pixels.length === RECIPE.side ** 2 ? pixels : oneChannel(pixels);
    const { threshold, turned, refusesCt } = this.limits;
    const distance = this.distance(grey);
    if (refusesCt && looksLikeCt(grey)) return { distance, refused: true, because: "ct" };
    if (distance <= threshold) return { distance, refused: false };
    // Turned only where it is refused as it lies: nearly every scan is upright, and is described once.
    let picture = grey;
    for (let quarter = 1; turned !== undefined && quarter < 4; quarter++) {
      picture = quarterTurn(picture);
      if (this.distance(picture) <= turned) return { distance, refused: false };
    }
    return { distance, refused: true, because: "unlike" };
  }

  private distance(grey: Uint8Array): number {
    return distanceOf(this.parameters, describePicture(grey));
  }
}

/** A square picture turned clockwise by 90 degrees. */
function quarterTurn(grey: Uint8Array): Uint8Array {
  const { side } = RECIPE;
  const turned = new Uint8Array(grey.length);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) turned[x * side + side - 1 - y] = grey[y * side + x] as number;
  }
  return turned;
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

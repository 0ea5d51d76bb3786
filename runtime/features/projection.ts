import { TOGETHER, Vectors } from "../platform/dense/vectors";
import { dot } from "../platform/linear-algebra";
import { type Pca, PIXELS } from "./components";

/**
 * Scores of images on components: the standardised pixels times each component, in double precision, equal to the last bit on
 * every machine (rows that are written again have to be equal).
 *
 * With all 49,152 values of the three equal channels flattened, the components would span the same subspace and the
 * scores would be these times the square root of three.
 */
export class Projection {
  /** (pixel - mean) / scale, along a component, is the pixel along component / scale, less a constant. */
  private readonly vectors: Vectors;
  private readonly offsets: Float64Array;

  constructor({ mean, scale, components }: Pick<Pca, "mean" | "scale" | "components">) {
    this.vectors = Vectors.of(components.map((component) => component.map((value, j) => value / (scale[j] as number))));
    this.offsets = Float64Array.from(components, (_, k) => dot(this.vectors.at(k), mean));
  }

  /**
   * @param pixels n x 16,384 values of 0 to 255: one channel of each image
   * @returns n x components, row by row
   */
  scores(pixels: Uint8Array): Float64Array {
    const count = pixels.length / PIXELS;
    if (!Number.isInteger(count)) throw new RangeError(`${pixels.length} values are not images of ${PIXELS} pixels.`);
    const { vectors, offsets } = this;
    const width = vectors.count;
    const scores = new Float64Array(count * width);
    for (let start = 0; start < count; start += TOGETHER) {
      vectors.rows.set(pixels.subarray(start * PIXELS, (start + TOGETHER) * PIXELS));
      const sums = vectors.dotsWithRows();
      for (let i = 0; i < Math.min(TOGETHER, count - start); i++)
        for (let k = 0; k < width; k++)
          scores[(start + i) * width + k] = (sums[k * TOGETHER + i] as number) - (offsets[k] as number);
    }
    return scores;
  }
}

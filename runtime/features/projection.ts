import { dot, rowsOf } from "../platform/linear-algebra";
import { type Matrix, multiply } from "../platform/matrix";
import { type Pca, PIXELS } from "./components";

/**
 * Scores of images on components: the standardised pixels times each component, in double precision.
 *
 * With all 49,152 values of the three equal channels flattened, the components would span the same subspace and the
 * scores would be these times the square root of three.
 */
export class Projection {
  /** (pixel - mean) / scale, along a component, is the pixel along component / scale, less a constant. */
  private readonly weights: Matrix;
  private readonly offsets: Float64Array;

  constructor({ mean, scale, components }: Pick<Pca, "mean" | "scale" | "components">) {
    const values = new Float64Array(components.length * PIXELS);
    for (const [k, component] of components.entries())
      for (let j = 0; j < PIXELS; j++) values[k * PIXELS + j] = (component[j] as number) / (scale[j] as number);
    this.weights = { rows: components.length, columns: PIXELS, values };
    this.offsets = Float64Array.from(rowsOf(this.weights), (row) => dot(row, mean));
  }

  /**
   * @param pixels n x 16,384 values of 0 to 255: one channel of each image
   * @returns n x components, row by row
   */
  async scores(pixels: Uint8Array): Promise<Float64Array> {
    const rows = pixels.length / PIXELS;
    if (!Number.isInteger(rows)) throw new RangeError(`${pixels.length} values are not images of ${PIXELS} pixels.`);
    const images = { rows, columns: PIXELS, values: new Float64Array(pixels) };
    const { values } = await multiply(images, this.weights, { right: true });
    const width = this.offsets.length;
    for (let i = 0; i < values.length; i++) values[i] = (values[i] as number) - (this.offsets[i % width] as number);
    return values;
  }
}

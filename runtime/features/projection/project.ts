import { dot } from "../../platform/linear-algebra";
import { Layout, startKernel } from "../../platform/web-assembly";
import { type Pca, PIXELS } from "../components";
import { KERNEL } from "./kernel.generated";

/** Images that share one run over the components. */
const TOGETHER = 4;
const BYTES = 8 * PIXELS;

interface Kernel {
  dots(vectors: number, count: number, rows: number, bytes: number, sums: number): void;
}

/**
 * Scores of images on components: the standardised pixels times each component, in double precision, equal to the last bit on
 * every machine (rows that are written again have to be equal).
 *
 * With all 49,152 values of the three equal channels flattened, the components would span the same subspace and the
 * scores would be these times the square root of three.
 */
export class Projection {
  private readonly width: number;
  /** What the mean has on each component. */
  private readonly offsets: Float64Array;
  private readonly rows: Float64Array;
  private readonly sums: Float64Array;
  private readonly project: () => void;

  constructor({ mean, scale, components }: Pick<Pca, "mean" | "scale" | "components">) {
    this.width = components.length;
    const layout = new Layout();
    const at = {
      vectors: layout.take(this.width * BYTES),
      rows: layout.take(TOGETHER * BYTES),
      sums: layout.take(8 * TOGETHER * this.width),
    };
    const memory = layout.memory();
    // (pixel - mean) / scale, along a component, is the pixel along component / scale, less a constant.
    const vectors = components.map((component, k) => {
      const vector = new Float64Array(memory.buffer, at.vectors + k * BYTES, PIXELS);
      for (let j = 0; j < PIXELS; j++) vector[j] = (component[j] as number) / (scale[j] as number);
      return vector;
    });
    this.offsets = Float64Array.from(vectors, (vector) => dot(vector, mean));
    this.rows = new Float64Array(memory.buffer, at.rows, TOGETHER * PIXELS);
    this.sums = new Float64Array(memory.buffer, at.sums, TOGETHER * this.width);
    const kernel = startKernel<Kernel>(KERNEL, { memory });
    this.project = () => kernel.dots(at.vectors, this.width, at.rows, BYTES, at.sums);
  }

  /**
   * @param pixels n x 16,384 values of 0 to 255: one channel of each image
   * @returns n x components, row by row
   */
  scores(pixels: Uint8Array): Float64Array {
    const count = pixels.length / PIXELS;
    if (!Number.isInteger(count)) throw new RangeError(`${pixels.length} values are not images of ${PIXELS} pixels.`);
    const { width, offsets, rows, sums } = this;
    const scores = new Float64Array(count * width);
    for (let start = 0; start < count; start += TOGETHER) {
      rows.set(pixels.subarray(start * PIXELS, (start + TOGETHER) * PIXELS));
      this.project();
      for (let i = 0; i < Math.min(TOGETHER, count - start); i++)
        for (let k = 0; k < width; k++)
          scores[(start + i) * width + k] = (sums[k * TOGETHER + i] as number) - (offsets[k] as number);
    }
    return scores;
  }
}

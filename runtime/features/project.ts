import { type Pca, PIXELS } from "./components";

/** Images that share one run over the components. */
const TOGETHER = 4;

/**
 * Scores of images on the components: the standardised pixels times each component.
 *
 * With all 49,152 values of the three equal channels flattened, the components would span the same subspace and the
 * scores would be these times the square root of three.
 *
 * @param pixels n x 16,384 values of 0 to 255: one channel of each image
 * @returns n x components, row by row
 */
export function projectPixels(pca: Pick<Pca, "mean" | "scale" | "components">, pixels: Uint8Array): Float64Array {
  const count = pixels.length / PIXELS;
  if (!Number.isInteger(count)) throw new RangeError(`${pixels.length} values are not images of ${PIXELS} pixels.`);
  const { mean, scale, components } = pca;
  const scores = new Float64Array(count * components.length);
  const standardised = Array.from({ length: TOGETHER }, () => new Float64Array(PIXELS));
  const [a, b, c, d] = standardised as [Float64Array, Float64Array, Float64Array, Float64Array];
  for (let start = 0; start < count; start += TOGETHER) {
    const present = Math.min(TOGETHER, count - start);
    for (const [i, row] of standardised.slice(0, present).entries()) {
      const offset = (start + i) * PIXELS;
      for (let j = 0; j < PIXELS; j++)
        row[j] = ((pixels[offset + j] as number) - (mean[j] as number)) / (scale[j] as number);
    }
    for (const [k, component] of components.entries()) {
      let sum0 = 0;
      let sum1 = 0;
      let sum2 = 0;
      let sum3 = 0;
      for (let j = 0; j < PIXELS; j++) {
        const weight = component[j] as number;
        sum0 += weight * (a[j] as number);
        sum1 += weight * (b[j] as number);
        sum2 += weight * (c[j] as number);
        sum3 += weight * (d[j] as number);
      }
      const found = [sum0, sum1, sum2, sum3];
      for (let i = 0; i < present; i++) scores[(start + i) * components.length + k] = found[i] as number;
    }
  }
  return scores;
}

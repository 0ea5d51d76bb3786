import type { ModelMetadata } from "./metadata";

/** Specificities that are looked up. */
export const SPECIFICITIES = [0.95, 0.99] as const;

/** The thresholds that a model is published with: those of its validation images, in calibrated probability. */
export function fitOperatingPoints(
  probabilities: Float32Array,
  labels: Uint8Array,
): NonNullable<ModelMetadata["operatingPoints"]> {
  return SPECIFICITIES.flatMap((specificity) => {
    const threshold = thresholdFor({ labels, probabilities }, specificity);
    return threshold === undefined ? [] : [{ specificity, threshold }];
  });
}

/** The lowest probability from which calling images Cancer keeps the specificity; undefined without Non-Cancer images. */
export function thresholdFor(
  { labels, probabilities }: { readonly labels: Uint8Array; readonly probabilities: Float32Array | Float64Array },
  specificity: number,
): number | undefined {
  const negatives = Float64Array.from(probabilities)
    .filter((_, i) => labels[i] === 0)
    .sort();
  if (negatives.length === 0) return undefined;
  const allowed = Math.floor((1 - specificity) * negatives.length + 1e-9);
  const highestRejected = negatives[negatives.length - 1 - allowed];
  if (highestRejected === undefined) return 0;
  // The next answer above it: every image that scores alike must stay below the threshold.
  let above = Number.POSITIVE_INFINITY;
  for (const p of probabilities) if (p > highestRejected && p < above) above = p;
  return above <= 1 ? (highestRejected + above) / 2 : 1;
}

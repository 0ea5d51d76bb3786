import { logit, sigmoid } from "../platform/numbers";
import { labelOf } from "./decision";
import type { ModelMetadata } from "./metadata";

/** How the uncertain band is chosen. */
export const BAND = {
  /** Share of the validation images that is referred to a person. */
  referred: 0.2,
  /** Fewer validation images do not show where a fifth of them lies. */
  minimumImages: 20,
} as const;

export type UncertainBand = NonNullable<ModelMetadata["uncertain"]>;

/**
 * The band around the threshold in which a scan is referred, chosen on validation images alone.
 *
 * It reaches equally far on both sides in log odds (Chow 1970: at the threshold both answers cost the same; at either
 * end the odds speak by the same factor for the answer that is then given), just as far as it takes to refer a fifth of
 * the validation images.
 *
 * @param probabilities calibrated, of Cancer, length n
 * @param labels 1 Cancer, 0 Non-Cancer, length n
 * @returns undefined where there are too few images, or a threshold of 0 or 1 leaves no second side
 */
export function chooseBand(
  probabilities: ArrayLike<number>,
  labels: ArrayLike<number>,
  threshold: number,
): UncertainBand | undefined {
  const n = probabilities.length;
  if (n < BAND.minimumImages || threshold <= 0 || threshold >= 1) return undefined;
  const centre = logit(threshold);
  const distances = Float64Array.from(probabilities, (p) => Math.abs(logit(p) - centre));
  const reach = distances.toSorted()[Math.round(BAND.referred * n) - 1] as number;
  if (!Number.isFinite(reach)) return undefined;
  // A hair wider: rounding must not push the farthest referred image out again.
  const low = sigmoid(centre - reach) * (1 - 1e-9);
  const high = Math.min(1, sigmoid(centre + reach) * (1 + 1e-9));

  const right = (i: number) =>
    labelOf(probabilities[i] as number, threshold) === (labels[i] === 1 ? "Cancer" : "Non-Cancer");
  const everyone = Array.from({ length: n }, (_, i) => i);
  const kept = everyone.filter((i) => (probabilities[i] as number) < low || (probabilities[i] as number) > high);
  return {
    low,
    high,
    validation: {
      images: n,
      referred: 1 - kept.length / n,
      kept: kept.filter(right).length / Math.max(1, kept.length),
      all: everyone.filter(right).length / n,
    },
  };
}

/** The images that are decided, as a mask over the set. */
export function keptBy(band: Pick<UncertainBand, "low" | "high">, probabilities: Float64Array): boolean[] {
  return Array.from(probabilities, (p) => p < band.low || p > band.high);
}

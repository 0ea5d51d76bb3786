import { type Estimate, NO_LABELLED_IMAGE } from "../platform/metric";

/** Bins of the reliability curve and of the calibration error, equally wide over [0, 1]. */
export const CALIBRATION_BINS = 15;

export const calibrationBin = (probability: number): number =>
  Math.min(CALIBRATION_BINS - 1, Math.floor(probability * CALIBRATION_BINS));

/**
 * Expected calibration error: the mean distance between the probability of Cancer and the share of Cancer over 15
 * equally wide bins, weighted by how many images lie in each (Naeini et al. 2015, on the positive class).
 *
 * @param weights how often each image counts; default 1
 */
export function ece(
  { labels, probabilities }: { readonly labels: Uint8Array; readonly probabilities: Float64Array },
  weights?: Float64Array,
): Estimate {
  // Within a bin, weight x |mean probability - share of Cancer| is |sum of (probability - label)|.
  const gap = new Float64Array(CALIBRATION_BINS);
  let total = 0;
  for (let i = 0; i < labels.length; i++) {
    const weight = weights ? (weights[i] as number) : 1;
    const probability = probabilities[i] as number;
    const bin = calibrationBin(probability);
    gap[bin] = (gap[bin] as number) + weight * (probability - (labels[i] as number));
    total += weight;
  }
  if (total === 0) return { value: null, reason: NO_LABELLED_IMAGE };
  return { value: gap.reduce((sum, value) => sum + Math.abs(value), 0) / total };
}

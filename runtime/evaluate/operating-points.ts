import type { ModelMetadata } from "../registry";
import { shareInterval } from "./bootstrap";
import type { Metric, Scores } from "./metrics";

/** Specificities that are looked up. */
export const SPECIFICITIES = [0.95, 0.99] as const;

/** What a threshold gives. */
export interface Operation {
  readonly threshold: number;
  readonly sensitivity: Metric;
  readonly specificity: Metric;
}

/** Sensitivity where the false alarms are held to a given share. */
export interface OperatingPoint {
  /** The specificity that is aimed at. */
  readonly specificity: number;
  /** At the lowest threshold that reaches it on these very images: what the ROC curve offers, chosen in hindsight. */
  readonly inHindsight: Operation | null;
  /** At the model's threshold for it, from its validation split: what would have been had. Null where it has none. */
  readonly fromValidation: Operation | null;
}

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

export function operatingPoints(
  test: Scores,
  { operatingPoints: fitted = [] }: Pick<ModelMetadata, "operatingPoints">,
  seed: number,
): OperatingPoint[] {
  return SPECIFICITIES.map((specificity) => {
    const own = thresholdFor(test, specificity);
    const given = fitted.find((point) => point.specificity === specificity)?.threshold;
    return {
      specificity,
      inHindsight: own === undefined ? null : operationAt(test, own, seed),
      fromValidation: given === undefined ? null : operationAt(test, given, seed),
    };
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

function operationAt({ labels, probabilities, groups }: Scores, threshold: number, seed: number): Operation {
  const share = (label: 0 | 1, holds: (p: number) => boolean, reason: string) => {
    const images = Array.from(labels.keys()).filter((i) => labels[i] === label);
    return shareInterval(
      images.map((i) => holds(probabilities[i] as number)),
      images.map((i) => groups[i] as string),
      { seed, reason },
    );
  };
  return {
    threshold,
    sensitivity: share(1, (p) => p >= threshold, "There is no Cancer image to measure on."),
    specificity: share(0, (p) => p < threshold, "There is no Non-Cancer image to measure on."),
  };
}

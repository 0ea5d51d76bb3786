import { type ModelMetadata, SPECIFICITIES, thresholdFor } from "../model";
import type { Metric } from "../platform/metric";
import { shareInterval } from "./bootstrap";
import type { Scores } from "./metrics";

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

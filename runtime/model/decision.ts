import type { Label } from "../intake";
import { clamp, logit, sigmoid } from "../platform/numbers";
import type { ModelMetadata } from "./metadata";

/** What is said of a scan: its label, or that a person should look. */
export type ScanDecision = Label | "Uncertain";

/** Cancer from the model's threshold on. */
export function labelOf(probability: number, threshold: number): Label {
  return probability >= threshold ? "Cancer" : "Non-Cancer";
}

/** `Uncertain` within the model's band, both ends included; the label elsewhere, and always where a model has no band. */
export function decisionOf(
  probability: number,
  { threshold, uncertain }: Pick<ModelMetadata, "threshold" | "uncertain">,
): ScanDecision {
  if (uncertain && probability >= uncertain.low && probability <= uncertain.high) return "Uncertain";
  return labelOf(probability, threshold);
}

/** Keeps the log odds of an answer of exactly 0 or 1 finite: the resolution of float32 below 1. */
export const SUREST = 6e-8;
export const LARGEST_LOG_ODDS = logit(1 - SUREST);

/** Log odds of an answer, finite: 0 and 1 count as {@link SUREST} away from them. */
export const logOddsOf = (probability: number): number => logit(clamp(SUREST, 1 - SUREST, probability));

/** What a model's validation images made of its log odds; see {@link ModelMetadata}. */
export type Calibration = Pick<ModelMetadata, "temperature" | "offset">;

/**
 * Platt's (1999) scaling: the network's log odds divided by the temperature (Guo et al. 2017), plus the offset. Order is
 * kept, so the ROC curve and its area do not change.
 *
 * @param probability what the network answers, 0 to 1
 */
export function calibrate(probability: number, { temperature = 1, offset = 0 }: Calibration): number {
  return temperature === 1 && offset === 0 ? probability : sigmoid(logit(probability) / temperature + offset);
}

/** The network's own answer behind a calibrated one. */
export function uncalibrate(probability: number, { temperature = 1, offset = 0 }: Calibration): number {
  return temperature === 1 && offset === 0 ? probability : sigmoid((logit(probability) - offset) * temperature);
}

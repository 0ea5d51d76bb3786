import { logit, sigmoid } from "../platform/numbers";
import { logOddsOf } from "./decision";
import type { ModelMetadata } from "./metadata";

/** What the probability of an answer assumes of the scans that are asked about, and what it is where that is otherwise. */
export interface AssumedPrevalence {
  /**
   * Share of Cancer that `probability` assumes: that of the validation images to which calibration and threshold were
   * fitted. Null of a model that does not record it.
   */
  readonly assumed: number | null;
  /** The answer restated for the share that the hospital states; null where it states none, or `assumed` is not known. */
  readonly local: {
    readonly prevalence: number;
    readonly probability: number;
    /** Where the label becomes Cancer on the restated scale. */
    readonly threshold: number;
  } | null;
}

/**
 * A probability for another share of Cancer than it was fitted to: the evidence (the likelihood ratio) stays, and the odds
 * change by the ratio of the two prior odds (Saerens et al. 2002).
 *
 * @param from share of Cancer that it assumes, in (0, 1)
 * @param to share of Cancer that it is to assume, in (0, 1)
 */
export function restate(probability: number, from: number, to: number): number {
  return from === to ? probability : sigmoid(logOddsOf(probability) + logit(to) - logit(from));
}

/**
 * What is said of an answer's prevalence. Labels and decisions follow from `probability` and the model's own threshold, and
 * stay what they are: the threshold weighs each class as a whole (see `costThreshold`), so that it moves with the
 * prevalence by exactly as many log odds as the probability does.
 *
 * @param stated share of Cancer among the hospital's scans, if it says so
 */
export function assumedPrevalence(
  probability: number,
  { prevalence, threshold }: Pick<ModelMetadata, "prevalence" | "threshold">,
  stated: number | undefined,
): AssumedPrevalence {
  if (prevalence === undefined) return { assumed: null, local: null };
  if (stated === undefined) return { assumed: prevalence, local: null };
  return {
    assumed: prevalence,
    local: {
      prevalence: stated,
      probability: restate(probability, prevalence, stated),
      threshold: restate(threshold, prevalence, stated),
    },
  };
}

import { z } from "zod";
import { calibrate, costThreshold, fitCalibration, logOddsOf, type ScanDecision } from "../model";
import { foldsOfGroups } from "../platform/folds";
import { sigmoid } from "../platform/numbers";

/*
 * A study's own answer: one number of its slices' log odds, calibrated on the studies of the validation split. The largest
 * of many slices is high by chance alone, the more so the more slices there are, so which number it is is chosen by data.
 */

/** The numbers that are tried, the simplest first. `rank-k`: the k-th largest log odds; of fewer slices the smallest. */
export const STATISTICS = ["rank-1", "rank-2", "rank-3", "rank-5", "rank-8", "mean", "noisy-or"] as const;
export type Statistic = (typeof STATISTICS)[number];

/** Studies of each class in the validation split, below which nothing is chosen. */
export const LEAST_STUDIES = 10;
const FOLDS = 5;

export const studyRuleSchema = z.object({
  statistic: z.enum(STATISTICS),
  /** By what the statistic is divided, and what is then added, before it is log odds of the study. */
  temperature: z.number().positive(),
  offset: z.number(),
  /** Probability of the study from which its label is Cancer. */
  threshold: z.number().min(0).max(1),
});
export type StudyRule = Readonly<z.infer<typeof studyRuleSchema>>;

/** A study whose label is known: Cancer where any of its slices is. */
export interface LabelledStudy {
  readonly cancer: boolean;
  /** What belongs together: studies of one patient share it. */
  readonly group: string;
  /** Of Cancer, of each of its slices; at least one. */
  readonly probabilities: readonly number[];
}

/** What spoke for a rule. */
export interface StudyChoice {
  readonly studies: number;
  readonly cancer: number;
  readonly nonCancer: number;
  /** Mean cross-entropy (nats) of validation studies, each by what the other folds of groups gave. */
  readonly candidates: readonly { readonly statistic: Statistic; readonly logLoss: number }[];
}

export type ChosenRule =
  | { readonly rule: StudyRule; readonly choice: StudyChoice }
  | { readonly reason: string; readonly choice: StudyChoice };

/** A number of a study, in log odds, finite. */
export function statisticOf(statistic: Statistic, probabilities: readonly number[]): number {
  if (probabilities.length === 0) throw new RangeError("A study without an answered slice has no answer.");
  if (statistic === "mean") return probabilities.reduce((sum, p) => sum + logOddsOf(p), 0) / probabilities.length;
  if (statistic === "noisy-or") return logOddsOf(1 - probabilities.reduce((none, p) => none * (1 - p), 1));
  const rank = Math.min(Number(statistic.slice("rank-".length)), probabilities.length);
  return logOddsOf([...probabilities].sort((a, b) => b - a)[rank - 1] as number);
}

/** Probability of Cancer of a study, 0 to 1. @param probabilities of its slices, in any order; at least one */
export function studyProbability(rule: StudyRule, probabilities: readonly number[]): number {
  return calibrate(sigmoid(statisticOf(rule.statistic, probabilities)), rule);
}

export const studyDecision = (rule: StudyRule, probability: number): Exclude<ScanDecision, "Uncertain"> =>
  probability >= rule.threshold ? "Cancer" : "Non-Cancer";

/**
 * Chooses the statistic that is least surprised by validation studies it was not calibrated on (folds of whole groups),
 * then calibrates it on all of them. The threshold weighs mistakes as that of slices does. No test study may come in.
 */
export function chooseStudyRule(studies: readonly LabelledStudy[]): ChosenRule {
  const cancer = studies.filter((study) => study.cancer).length;
  const counts = { studies: studies.length, cancer, nonCancer: studies.length - cancer };
  const none = { ...counts, candidates: [] };
  if (studies.length === 0)
    return {
      reason:
        "The validation split has no image of which study or patient is known, so no rule for studies can be chosen.",
      choice: none,
    };
  if (Math.min(cancer, counts.nonCancer) < LEAST_STUDIES)
    return {
      reason: `The validation split has ${cancer} studies or patients with Cancer and ${counts.nonCancer} without, and ${LEAST_STUDIES} of each are the least from which a rule is chosen.`,
      choice: none,
    };
  const labels = Uint8Array.from(studies, (study) => (study.cancer ? 1 : 0));
  const foldOf = foldsOfGroups(
    studies.map(({ group }) => group),
    FOLDS,
  );
  const candidates = STATISTICS.map((statistic) => {
    const raw = Float64Array.from(studies, ({ probabilities }) => sigmoid(statisticOf(statistic, probabilities)));
    return { statistic, logLoss: heldOutLoss(raw, labels, foldOf), raw };
  });
  // Of equal ones the first, which is the simplest.
  const best = candidates.reduce((least, one) => (one.logLoss < least.logLoss ? one : least));
  return {
    rule: {
      statistic: best.statistic,
      ...fitCalibration(best.raw, labels),
      threshold: costThreshold(labels),
    },
    choice: { ...counts, candidates: candidates.map(({ statistic, logLoss }) => ({ statistic, logLoss })) },
  };
}

function heldOutLoss(raw: Float64Array, labels: Uint8Array, foldOf: Uint8Array): number {
  let sum = 0;
  for (const fold of new Set(foldOf)) {
    const learnt = (_: unknown, i: number) => foldOf[i] !== fold;
    const fitted = fitCalibration(raw.filter(learnt), labels.filter(learnt));
    foldOf.forEach((of, i) => {
      if (of !== fold) return;
      const p = calibrate(raw[i] as number, fitted);
      sum -= Math.log(Math.max(labels[i] === 1 ? p : 1 - p, Number.MIN_VALUE));
    });
  }
  return sum / labels.length;
}

const NAMES: Readonly<Record<Statistic, string>> = {
  "rank-1": "the largest log odds among its slices",
  "rank-2": "the second largest log odds among its slices",
  "rank-3": "the third largest log odds among its slices",
  "rank-5": "the fifth largest log odds among its slices",
  "rank-8": "the eighth largest log odds among its slices",
  mean: "the mean log odds of its slices",
  "noisy-or": "that any slice shows Cancer, were slices independent (noisy-or)",
};

/** A rule as a sentence. */
export const describeRule = ({ statistic, threshold }: StudyRule): string =>
  `A study is answered by ${NAMES[statistic]}, calibrated on validation studies; from ${threshold.toFixed(3)} on it is called Cancer.`;

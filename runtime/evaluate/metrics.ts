import { CALIBRATION_BINS, calibrationBin, ece } from "../model";
import { type Estimate, NO_LABELLED_IMAGE } from "../platform/metric";

/** Binary metrics of probabilities against labels. The positive class is Cancer. */

export const METRICS = ["accuracy", "precision", "recall", "specificity", "f1", "auc", "ece"] as const;
export type MetricName = (typeof METRICS)[number];

/** Counts (or sums of weights) at one threshold. */
export interface Confusion {
  readonly truePositive: number;
  readonly falsePositive: number;
  readonly trueNegative: number;
  readonly falseNegative: number;
}

/**
 * What is measured.
 *
 * All arrays have length n. `labels` is 1 for Cancer and 0 for Non-Cancer, `probabilities` lies in [0, 1], `groups`
 * names what belongs together (slices of one patient, near-duplicates).
 */
export interface Scores {
  readonly labels: Uint8Array;
  readonly probabilities: Float64Array;
  readonly groups: readonly string[];
}

/** @throws {RangeError} if the arrays differ in length, a probability is not in [0, 1] or a label is not 0 or 1. */
export function checkScores({ labels, probabilities, groups }: Scores): void {
  if (labels.length !== probabilities.length || labels.length !== groups.length) {
    throw new RangeError(
      `Labels, probabilities and groups must have one entry an image; there are ${labels.length}, ${probabilities.length} and ${groups.length}.`,
    );
  }
  const badProbability = probabilities.findIndex((value) => !(value >= 0 && value <= 1));
  if (badProbability >= 0) {
    throw new RangeError(
      `Probability ${badProbability} is ${probabilities[badProbability]}; it must lie between 0 and 1.`,
    );
  }
  const badLabel = labels.findIndex((value) => value > 1);
  if (badLabel >= 0) throw new RangeError(`Label ${badLabel} is ${labels[badLabel]}; it must be 0 or 1.`);
}

/** An image is called Cancer from the threshold on: `probability >= threshold`. */
export function confusionAt({ labels, probabilities }: Scores, threshold: number): Confusion {
  let truePositive = 0;
  let falsePositive = 0;
  let trueNegative = 0;
  let falseNegative = 0;
  for (let i = 0; i < labels.length; i++) {
    const called = (probabilities[i] as number) >= threshold;
    if (labels[i] === 1) called ? truePositive++ : falseNegative++;
    else called ? falsePositive++ : trueNegative++;
  }
  return { truePositive, falsePositive, trueNegative, falseNegative };
}

const undefinedBecause = (reason: string): Estimate => ({ value: null, reason });
const ratio = (part: number, whole: number, reason: string): Estimate =>
  whole > 0 ? { value: part / whole } : undefinedBecause(reason);

const NO_POSITIVE = "There is no Cancer image to measure on.";
const NO_NEGATIVE = "There is no Non-Cancer image to measure on.";
const NOTHING_CALLED = "The model calls no image Cancer at this threshold.";

/** Share of images called right. */
export const accuracy = (c: Confusion): Estimate =>
  ratio(
    c.truePositive + c.trueNegative,
    c.truePositive + c.falsePositive + c.trueNegative + c.falseNegative,
    NO_LABELLED_IMAGE,
  );

/** Of the images called Cancer, the share that is. */
export const precision = (c: Confusion): Estimate =>
  ratio(
    c.truePositive,
    c.truePositive + c.falsePositive,
    c.truePositive + c.falsePositive + c.trueNegative + c.falseNegative > 0 ? NOTHING_CALLED : NO_LABELLED_IMAGE,
  );

/** Sensitivity: of the Cancer images, the share that is called Cancer. */
export const recall = (c: Confusion): Estimate => ratio(c.truePositive, c.truePositive + c.falseNegative, NO_POSITIVE);

/** Of the Non-Cancer images, the share that is called Non-Cancer. */
export const specificity = (c: Confusion): Estimate =>
  ratio(c.trueNegative, c.trueNegative + c.falsePositive, NO_NEGATIVE);

/** Harmonic mean of precision and recall. 0 when there is Cancer and none is found; undefined when there is none. */
export const f1 = (c: Confusion): Estimate =>
  c.truePositive + c.falseNegative > 0
    ? { value: (2 * c.truePositive) / (2 * c.truePositive + c.falsePositive + c.falseNegative) }
    : undefinedBecause(NO_POSITIVE);

/** Order of the images by ascending probability: computed once, used by every resample. */
export function ascending(probabilities: Float64Array): Uint32Array {
  return Uint32Array.from(probabilities.keys()).sort(
    (a, b) => (probabilities[a] as number) - (probabilities[b] as number),
  );
}

/**
 * Area under the ROC curve as the Mann-Whitney statistic: the chance that a random Cancer image scores higher than a
 * random Non-Cancer image, ties counting one half. `weights` repeats images, as a resample does.
 */
export function auc(scores: Scores, order = ascending(scores.probabilities), weights?: Float64Array): Estimate {
  const { labels, probabilities } = scores;
  let negativesBelow = 0;
  let positivesBelow = 0;
  let wins = 0;
  let losses = 0;
  for (let start = 0; start < order.length; ) {
    const value = probabilities[order[start] as number] as number;
    let tiedPositives = 0;
    let tiedNegatives = 0;
    let end = start;
    while (end < order.length && probabilities[order[end] as number] === value) {
      const index = order[end] as number;
      const weight = weights ? (weights[index] as number) : 1;
      if (labels[index] === 1) tiedPositives += weight;
      else tiedNegatives += weight;
      end++;
    }
    wins += tiedPositives * (negativesBelow + tiedNegatives / 2);
    losses += tiedNegatives * (positivesBelow + tiedPositives / 2);
    negativesBelow += tiedNegatives;
    positivesBelow += tiedPositives;
    start = end;
  }
  if (positivesBelow === 0) return undefinedBecause(NO_POSITIVE);
  if (negativesBelow === 0) return undefinedBecause(NO_NEGATIVE);
  // Not over the product of the totals: with fractional weights, rounding would take a perfect order past 1.
  return { value: wins / (wins + losses) };
}

/** One bar of the reliability curve. */
export interface CalibrationBin {
  readonly from: number;
  readonly to: number;
  readonly count: number;
  /** Mean probability of Cancer in the bin; null if it is empty. */
  readonly predicted: number | null;
  /** Share of Cancer in the bin; null if it is empty. */
  readonly observed: number | null;
}

export function reliability({ labels, probabilities }: Scores): CalibrationBin[] {
  const count = new Float64Array(CALIBRATION_BINS);
  const sum = new Float64Array(CALIBRATION_BINS);
  const positive = new Float64Array(CALIBRATION_BINS);
  for (let i = 0; i < labels.length; i++) {
    const bin = calibrationBin(probabilities[i] as number);
    count[bin] = (count[bin] as number) + 1;
    sum[bin] = (sum[bin] as number) + (probabilities[i] as number);
    positive[bin] = (positive[bin] as number) + (labels[i] as number);
  }
  return Array.from({ length: CALIBRATION_BINS }, (_, bin) => {
    const n = count[bin] as number;
    return {
      from: bin / CALIBRATION_BINS,
      to: (bin + 1) / CALIBRATION_BINS,
      count: n,
      predicted: n > 0 ? (sum[bin] as number) / n : null,
      observed: n > 0 ? (positive[bin] as number) / n : null,
    };
  });
}

export interface RocPoint {
  readonly falsePositiveRate: number;
  readonly truePositiveRate: number;
  /** Null at (0, 0), where nothing is called Cancer. */
  readonly threshold: number | null;
}

export interface PrecisionRecallPoint {
  readonly recall: number;
  readonly precision: number;
  readonly threshold: number;
}

/** The points where the curves turn, by descending threshold. Empty where a class is missing. */
export function curves({ labels, probabilities }: Scores): {
  readonly roc: readonly RocPoint[];
  readonly precisionRecall: readonly PrecisionRecallPoint[];
} {
  const order = ascending(probabilities);
  const positives = labels.reduce((sum, label) => sum + label, 0);
  const negatives = labels.length - positives;
  if (positives === 0 || negatives === 0) return { roc: [], precisionRecall: [] };
  const roc: RocPoint[] = [{ falsePositiveRate: 0, truePositiveRate: 0, threshold: null }];
  const precisionRecall: PrecisionRecallPoint[] = [];
  let hits = 0;
  let alarms = 0;
  for (let i = order.length - 1; i >= 0; ) {
    const threshold = probabilities[order[i] as number] as number;
    for (; i >= 0 && probabilities[order[i] as number] === threshold; i--) {
      if (labels[order[i] as number] === 1) hits++;
      else alarms++;
    }
    roc.push({ falsePositiveRate: alarms / negatives, truePositiveRate: hits / positives, threshold });
    // Above the first hit precision is 0 of something: a point at (0, 0) that no reader could use.
    if (hits > 0) precisionRecall.push({ recall: hits / positives, precision: hits / (hits + alarms), threshold });
  }
  return { roc, precisionRecall };
}

/** Every metric at one threshold, without intervals. */
export function estimates(scores: Scores, threshold: number): Record<MetricName, Estimate> {
  checkScores(scores);
  const confusion = confusionAt(scores, threshold);
  return {
    accuracy: accuracy(confusion),
    precision: precision(confusion),
    recall: recall(confusion),
    specificity: specificity(confusion),
    f1: f1(confusion),
    auc: auc(scores),
    ece: ece(scores),
  };
}

import { labelOf } from "../model";

/** A share with its 95 % interval, or why there is none. */
export type Share =
  | { readonly value: number; readonly low: number; readonly high: number; readonly n: number }
  | { readonly value: null; readonly reason: UnknownReason; readonly n: number };

/**
 * Why accuracy cannot be told:
 * - `too-few`: fewer scans than {@link LEAST}
 * - `input-drift`: an alarm of input drift stands, so that nobody knows whether the calibration still holds
 * - `no-reference`: no held-out labelled scans on which the calibration was measured
 * - `not-calibrated`: on these the estimate was wrong by more than chance explains
 */
export type UnknownReason = "too-few" | "input-drift" | "no-reference" | "not-calibrated";

export const LEAST = 30;
const Z = 1.959964;
/** How far the estimate may be off on the reference, in standard errors, before calibration is not believed. */
const BELIEVED = 3;

interface Labelled {
  readonly probability: number;
  readonly label: "Cancer" | "Non-Cancer";
  readonly group?: string | undefined;
}

/** How far expected and true accuracy lie apart on labelled scans: what the estimate's interval is made of beside chance. */
export interface CalibrationGap {
  /** True minus expected. */
  readonly gap: number;
  /** Standard error of it, groups taken as wholes. */
  readonly error: number;
  readonly scans: number;
}

/** Probability that the label given at the threshold is right, if the probability is calibrated. */
const expectedRight = (probability: number, threshold: number) =>
  labelOf(probability, threshold) === "Cancer" ? probability : 1 - probability;

export function calibrationGap(reference: readonly Labelled[], threshold: number): CalibrationGap | undefined {
  const n = reference.length;
  if (n < LEAST) return undefined;
  const surplus = reference.map(
    ({ probability, label }) =>
      (labelOf(probability, threshold) === label ? 1 : 0) - expectedRight(probability, threshold),
  );
  const gap = surplus.reduce((sum, v) => sum + v, 0) / n;
  const groups = new Map<string, number>();
  reference.forEach(({ group }, i) => {
    const key = group ?? `${i}`;
    groups.set(key, (groups.get(key) ?? 0) + (surplus[i] as number) - gap);
  });
  const squares = [...groups.values()].reduce((sum, v) => sum + v * v, 0);
  return { gap, error: Math.sqrt((squares * groups.size) / Math.max(1, groups.size - 1)) / n, scans: n };
}

/**
 * Accuracy without labels, from calibrated probabilities: the mean probability that each label is right, which is
 * NannyML's CBPE (https://nannyml.readthedocs.io, "Confidence-based Performance Estimation") with probabilities that are
 * calibrated already. True as long as calibration holds: under a shift of the covariates that keeps P(label | scan), and
 * no other.
 *
 * The interval holds what chance does to these scans (sum of p (1 - p)) and how well the calibration is known.
 */
export function estimatedAccuracy(
  probabilities: readonly number[],
  threshold: number,
  { gap, inputDrift }: { readonly gap: CalibrationGap | undefined; readonly inputDrift: boolean },
): Share {
  const n = probabilities.length;
  const unknown = (reason: UnknownReason) => ({ value: null, reason, n }) as const;
  if (inputDrift) return unknown("input-drift");
  if (!gap) return unknown("no-reference");
  if (Math.abs(gap.gap) > BELIEVED * gap.error && Math.abs(gap.gap) > 0.02) return unknown("not-calibrated");
  if (n < LEAST) return unknown("too-few");
  let [sum, variance] = [0, 0];
  for (const probability of probabilities) {
    const right = expectedRight(probability, threshold);
    sum += right;
    variance += right * (1 - right);
  }
  // The gap itself stands for how wrong the calibration may be here too.
  const width = Z * Math.sqrt(variance / n ** 2 + gap.error ** 2 + gap.gap ** 2);
  const value = sum / n;
  return { value, low: Math.max(0, value - width), high: Math.min(1, value + width), n };
}

/** Accuracy among scans with a label, with Wilson's (1927) interval. */
export function feedbackAccuracy(confirmed: readonly Labelled[], threshold: number): Share {
  const n = confirmed.length;
  if (n === 0) return { value: null, reason: "too-few", n };
  const right = confirmed.filter(({ probability, label }) => labelOf(probability, threshold) === label).length;
  const value = right / n;
  const centre = (value + Z ** 2 / (2 * n)) / (1 + Z ** 2 / n);
  const width = (Z / (1 + Z ** 2 / n)) * Math.sqrt((value * (1 - value)) / n + Z ** 2 / (4 * n ** 2));
  return { value, low: Math.max(0, centre - width), high: Math.min(1, centre + width), n };
}

/**
 * Population stability index over ten bins of equal share of the reference: a description, never an alarm. With 40 scans a
 * day and nothing changed it is above .2 on half of all days.
 */
export function psi(reference: readonly number[], values: readonly number[]): number | null {
  if (reference.length < LEAST || values.length === 0) return null;
  const sorted = [...reference].sort((a, b) => a - b);
  const edges = Array.from({ length: 9 }, (_, i) => sorted[Math.floor(((i + 1) * sorted.length) / 10)] as number);
  const shares = (all: readonly number[]) => {
    const counts = new Array<number>(10).fill(0);
    for (const value of all) {
      const at = edges.findIndex((edge) => value < edge);
      const bin = at < 0 ? 9 : at;
      counts[bin] = (counts[bin] as number) + 1;
    }
    // Half a scan where a bin has none.
    return counts.map((count) => Math.max(0.5, count) / all.length);
  };
  const [before, now] = [shares(reference), shares(values)];
  return now.reduce(
    (sum, share, i) => sum + (share - (before[i] as number)) * Math.log(share / (before[i] as number)),
    0,
  );
}

import { ece } from "../model";
import type { Estimate, Metric } from "../platform/metric";
import { uniform } from "../platform/random";
import {
  accuracy,
  ascending,
  auc,
  type Confusion,
  estimates,
  f1,
  METRICS,
  type MetricName,
  precision,
  recall,
  type Scores,
  specificity,
} from "./metrics";

export const RESAMPLES = 2000;
const TAIL = 0.025;

/** Linear interpolation between order statistics (type 7 of Hyndman and Fan). `sorted` ascends and is not empty. */
function quantile(sorted: Float64Array, q: number): number {
  const position = (sorted.length - 1) * q;
  const below = sorted[Math.floor(position)] as number;
  const above = sorted[Math.ceil(position)] as number;
  return below + (above - below) * (position - Math.floor(position));
}

/**
 * Every metric with a 95 % percentile interval from resampling *groups* with replacement: images of one patient, or
 * near-duplicates, are not independent, and resampling images would make the interval too narrow.
 *
 * Two cases where resampling says less than is known to be unknown are widened. A share, or an AUC, that is exactly 0 or
 * 1 is so in every resample and gets the exact binomial bound over its groups; see {@link exactBound}. With one group
 * there is no spread at all to learn from, and the interval is 0 to 1.
 *
 * Resamples in which a metric is undefined (no Cancer drawn, say) do not count for that metric.
 */
export function withIntervals(
  scores: Scores,
  threshold: number,
  options: { readonly seed: number; readonly resamples?: number },
): Record<MetricName, Metric> {
  const point = estimates(scores, threshold);
  const { labels, probabilities, groups } = scores;
  const n = labels.length;
  const resamples = options.resamples ?? RESAMPLES;

  const numbers = new Map<string, number>();
  const groupOf = Uint32Array.from(groups, (group) => {
    const known = numbers.get(group);
    if (known !== undefined) return known;
    numbers.set(group, numbers.size);
    return numbers.size - 1;
  });
  const count = numbers.size;

  const cells = Array.from({ length: 4 }, () => new Float64Array(count)) as [
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  for (let i = 0; i < n; i++) {
    const called = (probabilities[i] as number) >= threshold;
    const cell = cells[labels[i] === 1 ? (called ? 0 : 3) : called ? 1 : 2] as Float64Array;
    const group = groupOf[i] as number;
    cell[group] = (cell[group] as number) + 1;
  }

  const order = ascending(probabilities);
  const random = uniform(options.seed);
  const drawn = new Float64Array(count);
  const weights = new Float64Array(n);
  const samples = Object.fromEntries(METRICS.map((name) => [name, new Float64Array(resamples)])) as Record<
    MetricName,
    Float64Array
  >;
  const filled = Object.fromEntries(METRICS.map((name) => [name, 0])) as Record<MetricName, number>;
  const record = (name: MetricName, estimate: Estimate) => {
    if (estimate.value === null) return;
    samples[name][filled[name]] = estimate.value;
    filled[name]++;
  };
  const weighted = (cell: Float64Array) => {
    let sum = 0;
    for (let group = 0; group < count; group++) sum += (cell[group] as number) * (drawn[group] as number);
    return sum;
  };

  for (let r = 0; r < resamples && count > 1; r++) {
    drawn.fill(0);
    for (let k = 0; k < count; k++) {
      const group = Math.floor(random() * count);
      drawn[group] = (drawn[group] as number) + 1;
    }
    for (let i = 0; i < n; i++) weights[i] = drawn[groupOf[i] as number] as number;
    const confusion: Confusion = {
      truePositive: weighted(cells[0]),
      falsePositive: weighted(cells[1]),
      trueNegative: weighted(cells[2]),
      falseNegative: weighted(cells[3]),
    };
    record("accuracy", accuracy(confusion));
    record("precision", precision(confusion));
    record("recall", recall(confusion));
    record("specificity", specificity(confusion));
    record("f1", f1(confusion));
    record("auc", auc(scores, order, weights));
    record("ece", ece(scores, weights));
  }

  const groupsWith = (...which: readonly (0 | 1 | 2 | 3)[]) => {
    let sum = 0;
    for (let group = 0; group < count; group++) if (which.some((w) => (cells[w][group] as number) > 0)) sum++;
    return sum;
  };
  const positives = groupsWith(0, 3);
  const negatives = groupsWith(1, 2);
  /** Independent trials behind a share; null where the metric is not a share. */
  const trials: Record<MetricName, number | null> = {
    accuracy: count,
    precision: groupsWith(0, 1),
    recall: positives,
    specificity: negatives,
    f1: positives,
    auc: Math.min(positives, negatives),
    ece: null,
  };

  const interval = (name: MetricName): Metric => {
    const estimate = point[name];
    if (estimate.value === null) return estimate;
    return bounded(estimate.value, samples[name].subarray(0, filled[name]), trials[name]);
  };
  return Object.fromEntries(METRICS.map((name) => [name, interval(name)])) as Record<MetricName, Metric>;
}

/** Resamples where an interval of one number is wanted beside many others. */
const AUC_RESAMPLES = 1000;

/**
 * AUC with a 95 % percentile interval from resampling groups; where it is 0 or 1, with the exact bound.
 *
 * @param options.weights of each image; default 1
 */
export function aucInterval(
  scores: Scores,
  options: { readonly seed: number; readonly weights?: Float64Array },
): Metric {
  const order = ascending(scores.probabilities);
  const point = auc(scores, order, options.weights);
  if (point.value === null) return point;
  const values = resampleGroups(scores.groups, options.seed, AUC_RESAMPLES, (times) => {
    const weights = options.weights ? times.map((count, i) => count * (options.weights?.[i] as number)) : times;
    return auc(scores, order, weights).value;
  });
  const groupsOf = (label: number) =>
    new Set(scores.groups.filter((_, i) => scores.labels[i] === label && options.weights?.[i] !== 0)).size;
  return bounded(point.value, Float64Array.from(values), Math.min(groupsOf(0), groupsOf(1)));
}

/**
 * The AUC of other answers for the same images less that of `scores`, with a 95 % percentile interval from resampling
 * groups: both are resampled alike, so what is hard for both does not count.
 *
 * @param others probabilities of the same images, in their order
 * @returns undefined where a class or a second group is missing
 */
export function aucDifference(
  { labels, groups, probabilities }: Scores,
  others: Float64Array,
  options: { readonly seed: number },
): { readonly value: number; readonly low: number; readonly high: number } | undefined {
  const [its, theirs] = [probabilities, others].map((answers) => {
    const scores = { labels, groups, probabilities: answers };
    const order = ascending(answers);
    return (weights?: Float64Array) => auc(scores, order, weights).value;
  }) as [(weights?: Float64Array) => number | null, (weights?: Float64Array) => number | null];
  const difference = (weights?: Float64Array) => {
    const [one, other] = [its(weights), theirs(weights)];
    return one === null || other === null ? null : other - one;
  };
  const value = difference();
  const sorted = Float64Array.from(resampleGroups(groups, options.seed, RESAMPLES, difference)).sort();
  if (value === null || sorted.length === 0) return undefined;
  return {
    value,
    low: Math.min(value, quantile(sorted, TAIL)),
    high: Math.max(value, quantile(sorted, 1 - TAIL)),
  };
}

/**
 * A share of the images that a test holds for, with its interval over groups, exact where it is 0 or 1; null with a reason
 * where there is no image.
 */
export function shareInterval(
  holds: readonly boolean[],
  groups: readonly string[],
  options: { readonly seed: number; readonly reason: string },
): Metric {
  if (holds.length === 0) return { value: null, reason: options.reason };
  const value = holds.filter(Boolean).length / holds.length;
  const values = resampleGroups(groups, options.seed, AUC_RESAMPLES, (times) => {
    let [part, whole] = [0, 0];
    times.forEach((count, i) => {
      whole += count;
      if (holds[i]) part += count;
    });
    return whole > 0 ? part / whole : null;
  });
  return bounded(value, Float64Array.from(values), new Set(groups).size);
}

/**
 * A value with its interval: percentiles of its resamples, held within 0 and 1, and wide enough to hold the value.
 *
 * @param samples are sorted in place; empty: nothing is known, and the interval is 0 to 1
 * @param trials independent trials behind the value; null where it is neither a share nor an AUC
 */
function bounded(value: number, samples: Float64Array, trials: number | null): Metric {
  if (samples.length === 0) return { value, low: 0, high: 1 };
  if (trials !== null && value === 1) return { value, low: exactBound(trials), high: 1 };
  if (trials !== null && value === 0) return { value, low: 0, high: 1 - exactBound(trials) };
  const sorted = samples.sort();
  return {
    value,
    low: Math.max(0, Math.min(value, quantile(sorted, TAIL))),
    high: Math.min(1, Math.max(value, quantile(sorted, 1 - TAIL))),
  };
}

/**
 * The lower limit of Clopper and Pearson (1934) for a share of 1 of n independent trials, the two-sided 95 % one:
 * 0.025 ^ (1/n); 31 of 31 groups right: 0.888. That of an AUC of 1 is the same: as many disjoint pairs of a Cancer and a
 * Non-Cancer group as there can be, which is the number of groups of the rarer class, are so many trials, each a
 * success.
 */
function exactBound(trials: number): number {
  return TAIL ** (1 / Math.max(1, trials));
}

/** A statistic of each resample, whose images are counted as often as their group was drawn; nulls are left out. */
function resampleGroups(
  groups: readonly string[],
  seed: number,
  resamples: number,
  statistic: (times: Float64Array) => number | null,
): number[] {
  const names = [...new Set(groups)];
  if (names.length < 2) return [];
  const index = new Map(names.map((name, i) => [name, i]));
  const groupOf = Uint32Array.from(groups, (group) => index.get(group) as number);
  const random = uniform(seed);
  const drawn = new Float64Array(names.length);
  const times = new Float64Array(groups.length);
  const values: number[] = [];
  for (let r = 0; r < resamples; r++) {
    drawn.fill(0);
    for (let k = 0; k < names.length; k++) {
      const group = Math.floor(random() * names.length);
      drawn[group] = (drawn[group] as number) + 1;
    }
    for (let i = 0; i < times.length; i++) times[i] = drawn[groupOf[i] as number] as number;
    const value = statistic(times);
    if (value !== null) values.push(value);
  }
  return values;
}

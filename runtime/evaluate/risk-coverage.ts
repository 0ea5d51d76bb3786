import { labelOf } from "../model";
import type { Metric } from "../platform/metric";
import { clamp, logit } from "../platform/numbers";
import { shareInterval } from "./bootstrap";
import type { Scores } from "./metrics";

/** One point of a risk-coverage curve (El-Yaniv and Wiener 2010). */
export interface RiskPoint {
  /** Share of the images that is decided. */
  readonly coverage: number;
  /** Share of the decided images that is called wrong. */
  readonly risk: number;
}

/**
 * How often a model is wrong if it decides only the images that lie farthest from its threshold, in log odds. Images at
 * equal distance are decided together.
 */
export function riskCoverage({ labels, probabilities }: Scores, threshold: number): RiskPoint[] {
  const { distance, order } = surestFirst(probabilities, threshold);
  const points: RiskPoint[] = [];
  let wrong = 0;
  order.forEach((image, i) => {
    const label = labels[image] === 1 ? "Cancer" : "Non-Cancer";
    if (labelOf(probabilities[image] as number, threshold) !== label) wrong++;
    const next = order[i + 1];
    if (next !== undefined && distance[next] === distance[image]) return;
    points.push({ coverage: (i + 1) / order.length, risk: wrong / (i + 1) });
  });
  return points;
}

/** Share of the images that is referred where a quota of them is, and not a band of probability. */
export const QUOTA = 0.15;

/** What is decided where just a share of the images is referred. */
export interface Quota {
  /** The share that is referred, at most. */
  readonly referred: number;
  /** Accuracy on the others, those that lie farthest from the threshold: what a band would give that was chosen for these images. */
  readonly accuracyKept: Metric;
}

/** @returns accuracy where {@link QUOTA} of the images, those nearest to the threshold, are referred */
export function referQuota({ labels, probabilities, groups }: Scores, threshold: number, seed: number): Quota {
  const { order } = surestFirst(probabilities, threshold);
  const kept = order.slice(0, Math.ceil((1 - QUOTA) * order.length));
  return {
    referred: QUOTA,
    accuracyKept: shareInterval(
      kept.map((i) => labelOf(probabilities[i] as number, threshold) === (labels[i] === 1 ? "Cancer" : "Non-Cancer")),
      kept.map((i) => groups[i] as string),
      { seed, reason: "There is no labelled image to measure on." },
    ),
  };
}

/** Images by descending distance from the threshold in log odds, and the distances by image. */
function surestFirst(probabilities: Float64Array, threshold: number) {
  const centre = logit(clamp(1e-9, 1 - 1e-9, threshold));
  const distance = probabilities.map((p) => Math.abs(logit(p) - centre));
  const order = Array.from(distance.keys()).sort((a, b) => (distance[b] as number) - (distance[a] as number));
  return { distance, order };
}

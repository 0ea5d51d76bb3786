import { labelOf } from "../model";
import { clamp, logit } from "../platform/numbers";
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
  const centre = logit(clamp(1e-9, 1 - 1e-9, threshold));
  const distance = probabilities.map((p) => Math.abs(logit(p) - centre));
  const order = Array.from(distance.keys()).sort((a, b) => (distance[b] as number) - (distance[a] as number));
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

import { clamp, sigmoid } from "../platform/numbers";
import { logOddsOf } from "./decision";

/** How a calibration is fitted and judged. */
export const CALIBRATION = {
  coldest: 0.1,
  hottest: 10,
  /** Farthest that the log odds are moved: a factor of 400 on the odds. */
  farthest: 6,
  /** Newton's steps: it converges in a handful. */
  steps: 50,
  /** Folds of the groups that say whether it helps, see choose-calibration.ts. */
  folds: 5,
} as const;

/** By what log odds are divided, and what is then added. */
export interface FittedCalibration {
  readonly temperature: number;
  readonly offset: number;
}

/** The network's own answer. */
export const NOT_CALIBRATED: FittedCalibration = { temperature: 1, offset: 0 };

/**
 * The temperature (Guo et al. 2017) and the offset by which log odds must be changed so that validation labels become
 * likeliest: Platt's (1999) logistic regression on one number. Test images must never be passed in.
 *
 * The offset is there because a network learns the share of tumours that training showed it, planted lesions and class
 * weights included, and a temperature alone cannot take that back.
 *
 * The targets are Platt's, (n + 1) / (n + 2) and 1 / (n + 2) with n images of the class, so that a validation split
 * without an error does not ask for infinite certainty.
 *
 * @param probabilities of Cancer, as the network gives them, length n
 * @param labels 1 Cancer, 0 Non-Cancer, length n
 * @returns temperature 0.1 to 10, offset -6 to 6; 1 and 0 where a class is missing
 */
export function fitCalibration(probabilities: ArrayLike<number>, labels: ArrayLike<number>): FittedCalibration {
  const n = probabilities.length;
  if (labels.length !== n) {
    throw new RangeError(`There are ${n} probabilities and ${labels.length} labels; there must be as many.`);
  }
  const positives = Array.from(labels).filter((label) => label === 1).length;
  const negatives = n - positives;
  if (positives === 0 || negatives === 0) return NOT_CALIBRATED;
  const targets = Float64Array.from(labels, (label) =>
    label === 1 ? (positives + 1) / (positives + 2) : 1 / (negatives + 2),
  );
  const logits = Float64Array.from(probabilities, logOddsOf);
  const { coldest, hottest, farthest } = CALIBRATION;
  const slope = clamp(1 / hottest, 1 / coldest, fitSlope(logits, targets));
  return { temperature: 1 / slope, offset: clamp(-farthest, farthest, fitOffset(logits, targets, slope)) };
}

/** Newton's method on the two parameters; the loss is convex. */
function fitSlope(logits: Float64Array, targets: Float64Array): number {
  let [slope, offset] = [1, 0];
  for (let step = 0; step < CALIBRATION.steps; step++) {
    const { first, second } = derivatives(logits, targets, slope, offset);
    const determinant = second.slope * second.offset - second.both ** 2;
    if (!(determinant > 1e-12)) break;
    const change = {
      slope: (second.offset * first.slope - second.both * first.offset) / determinant,
      offset: (second.slope * first.offset - second.both * first.slope) / determinant,
    };
    // A step is shortened where the labels are hard to tell apart and the loss is flat far out.
    slope -= clamp(-1, 1, change.slope);
    offset -= clamp(-1, 1, change.offset);
    if (Math.abs(change.slope) + Math.abs(change.offset) < 1e-10) break;
  }
  return slope;
}

function fitOffset(logits: Float64Array, targets: Float64Array, slope: number): number {
  let offset = 0;
  for (let step = 0; step < CALIBRATION.steps; step++) {
    const { first, second } = derivatives(logits, targets, slope, offset);
    if (!(second.offset > 1e-12)) break;
    const change = first.offset / second.offset;
    offset -= clamp(-1, 1, change);
    if (Math.abs(change) < 1e-10) break;
  }
  return offset;
}

/** Of the summed cross-entropy, by slope and offset. */
function derivatives(logits: Float64Array, targets: Float64Array, slope: number, offset: number) {
  const first = { slope: 0, offset: 0 };
  const second = { slope: 0, offset: 0, both: 0 };
  logits.forEach((z, i) => {
    const p = sigmoid(slope * z + offset);
    const wrong = p - (targets[i] as number);
    const curvature = p * (1 - p);
    first.slope += wrong * z;
    first.offset += wrong;
    second.slope += curvature * z * z;
    second.offset += curvature;
    second.both += curvature * z;
  });
  return { first, second };
}

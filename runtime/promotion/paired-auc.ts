import { studentOfTail, tailOfStudent } from "./student";

/** Two models' answers for the same scans, all arrays of length n. */
export interface PairedScores {
  /** 1: Cancer. */
  readonly labels: Uint8Array;
  /** Numbers that rise with the evidence for Cancer; only their order counts. */
  readonly champion: Float64Array;
  readonly challenger: Float64Array;
  /** What belongs together: slices of one patient, near-duplicates. */
  readonly groups: readonly string[];
}

/** The AUC of the challenger less that of the champion on the same scans, with what is known of it. */
export interface PairedAuc {
  readonly champion: number;
  readonly challenger: number;
  readonly difference: number;
  /** 0 where both put every scan in the same place. */
  readonly standardError: number;
  /** Groups less one. */
  readonly freedom: number;
}

/**
 * AUCs of two models on the same scans, and the standard error of their difference where scans of a group depend on each
 * other: DeLong, DeLong and Clarke-Pearson (Biometrics 44, 1988) by placement values, summed over groups as Obuchowski does
 * (Biometrics 53, 1997). A scan's placement is the share of the other class that it is on the right side of, ties counting
 * one half. With d the difference of the mean placements, a group g contributes
 *
 *     L_g = sum over its Cancer scans of (D_i - d) / m  +  sum over its others of (D_j - d) / n
 *
 * with D the challenger's placement less the champion's; the variance of d is G / (G - 1) sum of L_g^2.
 *
 * @returns undefined where a class or a second group is missing
 */
export function pairedAuc({ labels, champion, challenger, groups }: PairedScores): PairedAuc | undefined {
  const cancer = labels.reduce((sum, label) => sum + label, 0);
  const others = labels.length - cancer;
  const numbers = new Map<string, number>();
  for (const group of groups) if (!numbers.has(group)) numbers.set(group, numbers.size);
  if (cancer === 0 || others === 0 || numbers.size < 2) return undefined;
  const [before, after] = [placements(labels, champion), placements(labels, challenger)];
  const mean = (placed: Float64Array) =>
    placed.reduce((sum, value, i) => (labels[i] === 1 ? sum + value : sum), 0) / cancer;
  const [its, mine] = [mean(before), mean(after)];
  const difference = mine - its;
  const parts = new Float64Array(numbers.size);
  groups.forEach((group, i) => {
    const gained = (after[i] as number) - (before[i] as number) - difference;
    const at = numbers.get(group) as number;
    parts[at] = (parts[at] as number) + gained / (labels[i] === 1 ? cancer : others);
  });
  const squares = parts.reduce((sum, part) => sum + part * part, 0);
  // Sums of thousands of differences that are none: what is left is rounding.
  const variance = squares < 1e-24 ? 0 : (squares * numbers.size) / (numbers.size - 1);
  return {
    champion: its,
    challenger: mine,
    difference,
    standardError: Math.sqrt(variance),
    freedom: numbers.size - 1,
  };
}

/** Of each scan the share of the other class that it is on the right side of. */
function placements(labels: Uint8Array, scores: Float64Array): Float64Array {
  const order = Uint32Array.from(scores.keys()).sort((a, b) => (scores[a] as number) - (scores[b] as number));
  const cancer = labels.reduce((sum, label) => sum + label, 0);
  const others = labels.length - cancer;
  const placed = new Float64Array(scores.length);
  let [cancerBelow, othersBelow] = [0, 0];
  for (let start = 0; start < order.length; ) {
    let end = start;
    while (end < order.length && scores[order[end] as number] === scores[order[start] as number]) end++;
    const tied = order.subarray(start, end);
    const tiedCancer = tied.reduce((sum, i) => sum + (labels[i] as number), 0);
    const tiedOthers = tied.length - tiedCancer;
    for (const i of tied)
      placed[i] =
        labels[i] === 1
          ? (othersBelow + tiedOthers / 2) / others
          : (cancer - cancerBelow - tiedCancer + tiedCancer / 2) / cancer;
    cancerBelow += tiedCancer;
    othersBelow += tiedOthers;
    start = end;
  }
  return placed;
}

/** One-sided p-value of the hypothesis that the true difference is `at` or less. */
export function pOfAtMost(at: number, { difference, standardError, freedom }: PairedAuc): number {
  if (standardError === 0) return difference > at ? 0 : 1;
  return tailOfStudent((difference - at) / standardError, freedom);
}

/** Half the width of a two-sided interval for the difference. @param confidence 0.95, say */
export function halfWidth({ standardError, freedom }: PairedAuc, confidence: number): number {
  return standardError * studentOfTail((1 - confidence) / 2, freedom);
}

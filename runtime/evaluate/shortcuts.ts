import type { Metric } from "../platform/metric";
import { aucInterval } from "./bootstrap";
import { type ClassicalResult, classicalResult, classicalScores, type PlainImage, PROBES } from "./classical";
import { ascending, auc, type Scores } from "./metrics";
import { type Pause, unheard } from "./pause";

const BINS = 10;
const JOINT = "border + histogram";

/** How much of a result could come from what has nothing to do with a tumour. */
export interface ShortcutAudit {
  /** How the probes were fitted. */
  readonly fitted: string;
  /** AUC of each probe on the measured images; 0.5 is nothing learnt. */
  readonly probes: readonly ClassicalResult[];
  readonly matched: MatchedAuc;
  /** The same within each collection, with deciles of its own, where there is more than one. */
  readonly matchedByCollection: readonly ({ readonly name: string } & MatchedAuc)[];
}

export interface MatchedAuc {
  /**
   * The model's AUC when Cancer and Non-Cancer images are weighted to have the same distribution over the deciles of
   * the joint probe's score: what remains when that shortcut tells nothing.
   */
  readonly auc: Metric;
  /** The joint probe's own AUC under the same weights: near 0.5 if the matching worked. */
  readonly probe: number | null;
  /** Share of the images that both classes have in common; a small one leaves little to measure on. */
  readonly overlap: number;
}

/**
 * Fits probes and reweights.
 *
 * @param scores the network's, of the same images in the same order as `set`
 * @param learn training images; without them the probes are cross-validated by group on the set itself
 * @param collections of the images of `set`, as far as they are known
 * @param pause awaited between its parts
 */
export async function auditShortcuts(
  scores: Scores,
  set: readonly PlainImage[],
  learn: readonly PlainImage[] | undefined,
  seed: number,
  collections: readonly (string | undefined)[] = [],
  pause: Pause = unheard,
): Promise<ShortcutAudit> {
  let joint: Float64Array | undefined;
  const probes: ClassicalResult[] = [];
  for (const probe of PROBES) {
    await pause();
    const answers = await classicalScores(probe, set, learn, seed, pause);
    if (probe.name === JOINT) joint = answers;
    probes.push(classicalResult(probe, answers, set, seed));
  }
  const fitted = learn
    ? "on the training split, read on these images"
    : "on these images, cross-validated by group (five parts)";
  if (!joint) {
    const reason = "The joint probe could not be fitted: there are too few images of a class.";
    const matched = { auc: { value: null, reason }, probe: null, overlap: 0 };
    return { fitted, probes, matched, matchedByCollection: [] };
  }
  const answers = joint;
  const names = [...new Set(collections.filter((name) => name !== undefined))].sort();
  return {
    fitted,
    probes,
    matched: matchedAuc(scores, answers, seed),
    matchedByCollection:
      names.length < 2
        ? []
        : names.map((name) => {
            const rows = [...scores.labels.keys()].filter((i) => collections[i] === name);
            const probe = Float64Array.from(rows, (i) => answers[i] as number);
            return { name, ...matchedAuc(subset(scores, rows), probe, seed) };
          }),
  };
}

function matchedAuc(scores: Scores, joint: Float64Array, seed: number): MatchedAuc {
  const { weights, overlap } = matchingWeights(scores.labels, joint);
  if (overlap === 0) {
    const reason = "In no decile of the probe's score are there images of both classes.";
    return { auc: { value: null, reason }, probe: null, overlap };
  }
  const probe = auc({ ...scores, probabilities: joint }, ascending(joint), weights);
  return { auc: aucInterval(scores, { seed, weights }), probe: probe.value, overlap };
}

const subset = ({ labels, probabilities, groups }: Scores, rows: readonly number[]): Scores => ({
  labels: Uint8Array.from(rows, (i) => labels[i] as number),
  probabilities: Float64Array.from(rows, (i) => probabilities[i] as number),
  groups: rows.map((i) => groups[i] as string),
});

/**
 * Weights under which both classes have the same distribution over the deciles of a score: in each decile the class
 * that has the larger share of its images there is weighed down to the other's share. No image weighs more than 1, and
 * a decile without one of the classes counts for nothing.
 */
export function matchingWeights(
  labels: Uint8Array,
  score: Float64Array,
): { readonly weights: Float64Array; readonly overlap: number } {
  const n = labels.length;
  const sorted = Float64Array.from(score).sort();
  const edges = Array.from({ length: BINS - 1 }, (_, i) => sorted[Math.floor(((i + 1) * n) / BINS)] as number);
  const bin = Uint8Array.from(score, (value) => edges.filter((edge) => value >= edge).length);
  const share = [new Float64Array(BINS), new Float64Array(BINS)] as const;
  const totals = [0, 0];
  for (let i = 0; i < n; i++) totals[labels[i] as number] = (totals[labels[i] as number] as number) + 1;
  for (let i = 0; i < n; i++) {
    const counts = share[labels[i] as 0 | 1];
    const at = bin[i] as number;
    counts[at] = (counts[at] as number) + 1 / (totals[labels[i] as number] as number);
  }
  const common = share[0].map((value, at) => Math.min(value, share[1][at] as number));
  const weights = Float64Array.from(labels, (label, i) => {
    const at = bin[i] as number;
    return (common[at] as number) / (share[label as 0 | 1][at] as number);
  });
  // Sums of shares round to a little more than 1.
  return {
    weights,
    overlap: Math.min(
      1,
      common.reduce((sum, value) => sum + value, 0),
    ),
  };
}

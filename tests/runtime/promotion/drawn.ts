import type { ScoredScan } from "../../../runtime/evaluate";
import { sigmoid } from "../../../runtime/platform/numbers";
import { mixSeed, normal, uniform } from "../../../runtime/platform/random";
import { tailOfStudent } from "../../../runtime/promotion/student";

/** 1,000 scans in 300 groups, of three collections; what one model finds hard the other does too. */
const SCANS = 1000;
const GROUPS = 300;
/** Of the noise of two models, and of what is left of it within a group. */
const [SHARED, WITHIN] = [0.9, 0.3];

/** How far apart two normal distributions of variance 1 lie whose AUC is this. */
function separation(auc: number): number {
  let [low, high] = [0, 10];
  for (let i = 0; i < 50; i++) {
    const middle = (low + high) / 2;
    if (1 - tailOfStudent(middle / Math.SQRT2, 1e6) < auc) low = middle;
    else high = middle;
  }
  return low;
}

/**
 * Answers of several models for the same scans: binormal scores of a known AUC.
 *
 * @param aucs of each model
 * @param seed of the scans and of the answers
 */
export function drawn(aucs: readonly number[], ...seed: readonly number[]): readonly (readonly ScoredScan[])[] {
  const noise = normal(uniform(mixSeed(...seed, 1)));
  const random = uniform(mixSeed(...seed, 2));
  const groups = Array.from({ length: GROUPS }, (_, g) => ({
    group: `g${g}`,
    collection: ["a", "b", "c"][g % 3] as string,
    label: random() < 0.5 ? ("Cancer" as const) : ("Non-Cancer" as const),
    shared: noise(),
    own: aucs.map(() => noise()),
  }));
  const apart = aucs.map(separation);
  const mix = (share: number, a: number, b: number) => Math.sqrt(share) * a + Math.sqrt(1 - share) * b;
  const scans = Array.from({ length: SCANS }, (_, i) => {
    const { shared, own, ...group } = groups[i % GROUPS] as (typeof groups)[number];
    const hard = mix(WITHIN, shared, noise());
    return aucs.map((_, m): ScoredScan => {
      const score = mix(SHARED, hard, mix(WITHIN, own[m] as number, noise()));
      const at = score + (group.label === "Cancer" ? (apart[m] as number) : 0);
      return { id: `scan-${i}`, sha256: `scan-${i}`, ...group, probability: sigmoid(at - 1) };
    });
  });
  return aucs.map((_, m) => scans.map((answers) => answers[m] as ScoredScan));
}

import { logGamma } from "../promotion";

/** On which side of a bound a share lies, as far as it is shown. */
export type Side = "below" | "above" | "open";

const logBeta = (a: number, b: number) => logGamma(a) + logGamma(b) - logGamma(a + b);

/**
 * The logarithm of the evidence against the share being `bound`, after `count` of `of`: a mixture of likelihood ratios over
 * the Beta(1/2, 1/2) distribution. Under the bound itself it is a martingale that begins at 1, so the chance that it ever
 * reaches 1 / a is at most a (Ville), however often one looks and whenever one stops. Of the shares on the other side of the
 * bound the bound itself is the most likely one, so what refutes it refutes them all.
 */
function logEvidence(count: number, of: number, bound: number): number {
  const rest = of - count;
  const likelihood = (count === 0 ? 0 : count * Math.log(bound)) + (rest === 0 ? 0 : rest * Math.log(1 - bound));
  return logBeta(count + 0.5, rest + 0.5) - logBeta(0.5, 0.5) - likelihood;
}

/**
 * Whether a share lies below or above a bound, at one-sided confidence for each of the two, looked at as often as one
 * likes.
 *
 * @param count how often it happened, of `of`
 * @param bound between 0 and 1, both not included
 */
export function sideOf(count: number, of: number, bound: number, confidence: number): Side {
  if (of === 0 || logEvidence(count, of, bound) < -Math.log(1 - confidence)) return "open";
  return count / of < bound ? "below" : "above";
}

/**
 * How many more it takes until the share is shown to lie below the bound, if it stays as it is: an estimate. Undefined where
 * it does not lie below it as it is now.
 */
export function missingUntilBelow(count: number, of: number, bound: number, confidence: number): number | undefined {
  const share = of === 0 ? 0 : count / of;
  if (share >= bound) return undefined;
  const shown = (more: number) => sideOf(share * (of + more), of + more, bound, confidence) === "below";
  let [low, high] = [0, 1];
  if (shown(0)) return 0;
  while (!shown(high)) {
    [low, high] = [high, high * 2];
    if (high > MOST) return undefined;
  }
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (shown(middle)) high = middle;
    else low = middle;
  }
  return high;
}

/** What nobody waits for. */
const MOST = 10_000_000;

import type { ScoredScan } from "../evaluate";
import { listed } from "../platform/config";
import type { ChangePlan } from "./change-plan";
import type { Counted } from "./ledger";
import { halfWidth, type PairedAuc, pairedAuc, pOfAtMost } from "./paired-auc";
import type { Reference } from "./reference";

/** The test of one set of scans. */
export interface PairedResult {
  readonly scans: number;
  readonly groups: number;
  /** AUCs; null where a class is missing. */
  readonly champion: number | null;
  readonly challenger: number | null;
  /** Challenger less champion, with its two-sided 95 % interval; null where there is none. */
  readonly difference: { readonly value: number; readonly low: number; readonly high: number } | null;
}

/** The test of one collection. */
export interface CollectionResult extends PairedResult {
  readonly name: string;
  /** It is not shown that the AUC is not lower by the plan's margin. */
  readonly regressed: boolean;
}

export interface PairedComparison extends PairedResult {
  /** One-sided: of seeing such a difference where the challenger is not better; null where nothing can be tested. */
  readonly p: number | null;
  /** What p may be at most. */
  readonly level: number;
  /** Whether the challenger is shown to be better: p is at most the level. */
  readonly better: boolean;
  /** By collection, the small ones together; `regressed`: it is not shown that the AUC is not lower by the plan's margin. */
  readonly collections: readonly CollectionResult[];
  /** The same on the frozen reference set; absent where there is none yet. */
  readonly reference?: ReferenceComparison;
  /** Scans that a model refused. Each counts as the worst answer there could be: refusing what is hard wins nothing. */
  readonly refused: { readonly champion: number; readonly challenger: number };
}

/** Collections that are too small to be judged alone, and scans of no known collection. */
export const OTHERS = "others";

/**
 * Compares two models on the same scans; groups are the units. The challenger is *better* where the one-sided p-value of
 * "its AUC is not higher" is at most `level`: Student's t with the standard error of {@link pairedAuc}. That p-value is
 * asymptotic in the number of groups: with equal models on 1,000 scans in 300 groups (AUC .85 to .95, mistakes more and less
 * alike) it fell below .05 in 4.1 % of 7,200 drawings and below .0111 in .8 %. Below the plan's least number of groups, or
 * where a class is missing, nothing is shown.
 *
 * What a level has to be for the chance of *any* wrong promotion to stay within the plan's budget, however often and
 * however long one goes on comparing, says {@link file://./ledger.ts}.
 *
 * A collection *regressed* unless the hypothesis that its AUC is lower by the plan's margin is refuted at the plan's
 * one-sided confidence. Those with fewer groups than can be tested, or one class, are judged together; where these are
 * still too few, by the difference itself, and where they have no AUC, not at all.
 *
 * @throws {RangeError} if the two are not of the same scans, or a probability is none
 */
export function comparePaired(
  champion: readonly ScoredScan[],
  challenger: readonly ScoredScan[],
  { leastGroups, collections: bound }: Pick<ChangePlan["comparison"], "leastGroups" | "collections">,
  level: number,
): PairedComparison {
  const pairs = paired(champion, challenger);
  const whole = resultOf(pairs, leastGroups);
  const p = whole.tested ? pOfAtMost(0, whole.tested) : null;
  const refusedBy = (which: "champion" | "challenger") => pairs.filter((pair) => pair[which] === null).length;
  return {
    ...whole.result,
    p,
    level,
    better: p !== null && p <= level,
    collections: collectionsOf(pairs, leastGroups, bound),
    refused: { champion: refusedBy("champion"), challenger: refusedBy("challenger") },
  };
}

/** The test of the scans of the frozen reference set. */
export interface ReferenceComparison extends PairedResult {
  /** Names the set. */
  readonly digest: string;
  /** How many scans were registered: those that were forgotten since are in no comparison. */
  readonly registered: number;
  /** One-sided: of seeing such a difference where the challenger's AUC is lower by the margin; null where nothing can be tested. */
  readonly p: number | null;
  /** What p may be at most. */
  readonly level: number;
  /** Which comparison against this set it is. */
  readonly number: number;
  /** It is not shown that the AUC is not lower by the plan's margin: on all of it, or in one of its collections. */
  readonly regressed: boolean;
  /** As those of the test set. */
  readonly collections: readonly CollectionResult[];
}

/** Whether a scan is of the reference set: the same picture with the same label. @throws {RangeError} where its picture is not known */
export function inReference(scans: Reference["scans"]): (scan: Pick<ScoredScan, "id" | "sha256" | "label">) => boolean {
  const labels = new Map(scans.map(({ sha256, label }) => [sha256, label]));
  return ({ id, sha256, label }) => {
    if (sha256 === undefined)
      throw new RangeError(
        `Of which picture the answer for ${id} is was not stored: an earlier program evaluated it. npm run train evaluates a model that is there anew.`,
      );
    return labels.get(sha256) === label;
  };
}

/**
 * Compares two models on those scans of the test set that are of the frozen reference set: the challenger *regressed* there
 * unless the hypothesis that its AUC is lower by the plan's margin is refuted at a level that is counted, as often as one
 * compares against the set, or in one of its collections as in those of the test set. Where nothing can be tested, the
 * difference itself decides, and where there is none, nothing.
 *
 * @throws {RangeError} as {@link comparePaired}, or if it is not known of which pictures the answers are
 */
export function compareOnReference(
  champion: readonly ScoredScan[],
  challenger: readonly ScoredScan[],
  { digest, registered, scans }: Reference,
  { leastGroups, collections: bound }: Pick<ChangePlan["comparison"], "leastGroups" | "collections">,
  { number, level }: Pick<Counted, "number" | "level">,
): ReferenceComparison {
  const isFrozen = inReference(scans);
  const pairs = paired(champion, challenger).filter(isFrozen);
  const { tested, result } = resultOf(pairs, leastGroups);
  const p = tested ? pOfAtMost(-bound.margin, tested) : null;
  const collections = collectionsOf(pairs, leastGroups, bound);
  const asWhole = p === null ? (result.difference?.value ?? 0) < -bound.margin : p > level;
  const regressed = asWhole || collections.some((one) => one.regressed);
  return { ...result, digest, registered, p, level, number, regressed, collections };
}

type Pair = Omit<ScoredScan, "probability"> & Readonly<Record<"champion" | "challenger", number | null>>;

function paired(champion: readonly ScoredScan[], challenger: readonly ScoredScan[]): Pair[] {
  const known = new Map(champion.map((scan) => [scan.id, scan]));
  const problems: string[] = [];
  const check = (holds: boolean, sentence: string) => void (holds || problems.push(sentence));
  check(known.size === champion.length, "The champion has two answers for one scan.");
  check(
    new Set(challenger.map(({ id }) => id)).size === challenger.length,
    "The challenger has two answers for one scan.",
  );
  check(
    champion.length === challenger.length,
    `The champion has ${champion.length} answers, the challenger ${challenger.length}.`,
  );
  for (const { id, probability } of [...champion, ...challenger])
    check(
      probability === null || (probability >= 0 && probability <= 1),
      `Scan ${id} has ${probability}, which is no probability.`,
    );
  const pairs = challenger.flatMap(({ probability, ...scan }) => {
    const its = known.get(scan.id);
    check(its !== undefined, `The champion has no answer for scan ${scan.id}.`);
    if (!its) return [];
    const { probability: before, ...there } = its;
    const same = there.group === scan.group && there.label === scan.label && there.collection === scan.collection;
    check(same, `Scan ${scan.id} has another group, label or collection for the champion.`);
    return [{ ...scan, champion: before, challenger: probability }];
  });
  if (problems.length > 0)
    throw new RangeError(`The models cannot be compared scan by scan. ${listed([...new Set(problems)], 5).join(" ")}`);
  return pairs;
}

function resultOf(
  pairs: readonly Pair[],
  leastGroups: number,
): { result: PairedResult; tested: PairedAuc | undefined } {
  const groups = pairs.map(({ group }) => group);
  const count = new Set(groups).size;
  const scores = (which: "champion" | "challenger") =>
    Float64Array.from(pairs, ({ label, [which]: score }) => score ?? (label === "Cancer" ? -1 : 2));
  const labels = Uint8Array.from(pairs, ({ label }) => (label === "Cancer" ? 1 : 0));
  const paired = pairedAuc({ labels, champion: scores("champion"), challenger: scores("challenger"), groups });
  const half = paired && halfWidth(paired, 0.95);
  return {
    tested: count >= leastGroups ? paired : undefined,
    result: {
      scans: pairs.length,
      groups: count,
      champion: paired?.champion ?? null,
      challenger: paired?.challenger ?? null,
      difference:
        paired && half !== undefined
          ? { value: paired.difference, low: paired.difference - half, high: paired.difference + half }
          : null,
    },
  };
}

function collectionsOf(
  pairs: readonly Pair[],
  leastGroups: number,
  { margin, confidence }: ChangePlan["comparison"]["collections"],
): readonly CollectionResult[] {
  const collections = [...byCollection(pairs, leastGroups)].map(([name, scans]) => {
    const { tested, result } = resultOf(scans, leastGroups);
    const regressed = tested ? pOfAtMost(-margin, tested) > 1 - confidence : (result.difference?.value ?? 0) < -margin;
    return { name, ...result, regressed };
  });
  // One collection is the whole.
  return collections.length > 1 ? collections : [];
}

function byCollection(pairs: readonly Pair[], leastGroups: number): Map<string, Pair[]> {
  const names = [...new Set(pairs.map(({ collection }) => collection))].sort();
  const judged = new Map<string, Pair[]>();
  for (const name of names) {
    const scans = pairs.filter(({ collection }) => collection === name);
    const alone =
      name !== "" &&
      new Set(scans.map(({ group }) => group)).size >= leastGroups &&
      new Set(scans.map(({ label }) => label)).size === 2;
    const under = alone ? name : OTHERS;
    judged.set(under, [...(judged.get(under) ?? []), ...scans]);
  }
  return judged;
}

const digits = (value: number | null) => value?.toFixed(4) ?? "none";
const signed = (value: number) => `${value < 0 ? "-" : "+"}${Math.abs(value).toFixed(4)}`;

/** p-values and levels as people write them. */
export const pText = (p: number): string => (p < 1e-6 ? "< 1e-6" : String(Number(p.toPrecision(2))));

/** Numbers of a comparison as a part of a sentence. */
export function describeResult({ scans, groups, champion, challenger, difference }: PairedResult): string {
  const interval = difference
    ? `, ${signed(difference.value)} (95 % interval ${signed(difference.low)} to ${signed(difference.high)})`
    : "";
  return `AUC ${digits(challenger)} against ${digits(champion)} on the same ${scans} scans in ${groups} groups${interval}`;
}

import { contender, type Evaluation, readScans, type ScoredScan } from "../evaluate";
import { type ModelMetadata, modelFilesInStore, readMetadata, UnusableModelError, type Verdict } from "../model";
import type { ReadableStore } from "../platform/stores";
import type { ChangePlan, Clause } from "./change-plan";
import {
  compareOnReference,
  comparePaired,
  describeResult,
  inReference,
  type PairedComparison,
  pText,
  type ReferenceComparison,
} from "./compare";
import { type Counted, Ledger } from "./ledger";
import { type Asker, outsidePlan } from "./modifications";
import type { Reference } from "./reference";

/** A model with its answers on one test set. */
export interface Contender {
  readonly model: string;
  /** Digest of the test set; results on different ones cannot be compared. */
  readonly testSet: string;
  /** Area under the ROC curve; null where the test set cannot give one. */
  readonly auc: number | null;
  readonly verdict: Verdict;
  /** Scan by scan; undefined where an earlier program evaluated it. */
  readonly scans: readonly ScoredScan[] | undefined;
}

/** A champion that gives no result any more (its files are damaged, say): only what was recorded of it is known. */
export type Unmeasured = Pick<Contender, "model" | "verdict"> & { readonly testSet: null };

/** What a stored evaluation says of a model, with its answers scan by scan. */
export async function contenderOf(reports: ReadableStore, evaluation: Evaluation): Promise<Contender> {
  return { ...contender(evaluation), scans: await readScans(reports, evaluation.model) };
}

export interface Decision {
  readonly promoted: boolean;
  /** A sentence. */
  readonly reason: string;
  /** Of the change plan, which the challenger does not meet. */
  readonly clause?: Clause;
  /** Where it came to a test. */
  readonly comparison?: PairedComparison;
  /** As what it was counted, or would be. */
  readonly counted?: Counted;
}

/** What is never given up for a better AUC, the lowest first. */
const RANKS = ["a model of drawn phantoms", "not fit for use", "fit"] as const;
const FIT = 2;

/** Undefined where nobody knows: such a model has to make way for none by its rank, and none for it. */
function rankOf({ fit, reasons }: Verdict): number | undefined {
  if (fit) return FIT;
  if (reasons.includes("not-evaluated")) return undefined;
  return reasons.includes("phantoms") ? 0 : 1;
}

/** A comparison as the ledger counts it, or would. */
type Count = (
  ledger: Ledger,
  pair: Pick<Counted, "champion" | "challenger" | "testSet">,
) => Promise<Counted | undefined>;

/** What a decision is made with. */
interface DecideContext {
  readonly models: ReadableStore;
  readonly plan: ChangePlan;
  readonly asker: Asker;
  /** The frozen reference set; undefined where none is registered yet. */
  readonly reference: Reference | undefined;
  readonly count: Count;
  /** Puts down what came of what was counted. */
  readonly conclude: (ledger: Ledger, counted: Counted, result: Parameters<Ledger["conclude"]>[2]) => Promise<void>;
}

/**
 * The rule. What the change plan lets nobody, or no program, change is refused first. Without a champion a challenger takes
 * over, fit or not. A model that is fit goes before one that is not, and a model of scans before one of drawn phantoms,
 * whatever their AUCs; a champion that cannot be measured stands in the way only by its rank. Where neither is fit, and
 * every answer says so, the higher AUC on the same test set serves. Between two that are fit the challenger takes over only
 * if it is *shown to be better* on the same scans, by a comparison that is counted ({@link Ledger}), and regressed in no
 * collection ({@link comparePaired}) and not on the frozen reference set ({@link compareOnReference}), comparisons against
 * which are counted likewise.
 *
 * @throws {RangeError} if the two were measured on different test sets, or cannot be compared scan by scan
 */
export async function decide(
  challenger: Contender,
  champion: Contender | Unmeasured | undefined,
  context: DecideContext,
): Promise<Decision> {
  const { model } = challenger;
  if (!champion) return { promoted: true, reason: `${model} is the first model.` };
  const outside = await changesOutside(challenger.model, champion.model, context);
  if (outside) return { promoted: false, ...outside };
  if (champion.testSet !== null && champion.testSet !== challenger.testSet)
    throw new RangeError(
      `${model} and ${champion.model} were measured on different test sets. Evaluate the champion on the challenger's first.`,
    );
  const [mine, its] = [rankOf(challenger.verdict), rankOf(champion.verdict)];
  if (mine !== undefined && its !== undefined && mine !== its) {
    const both = `${model} is ${RANKS[mine]}, the champion ${champion.model} is ${RANKS[its]}`;
    return mine > its
      ? { promoted: true, reason: `${both}: it takes over, whatever the AUCs.` }
      : { promoted: false, reason: `${both}: the champion stays.` };
  }
  if (champion.testSet === null)
    return {
      promoted: true,
      reason: `The champion ${champion.model} cannot be measured any more: ${model} takes over.`,
    };
  if (mine !== undefined && mine !== FIT) return byAuc(challenger, champion);
  return byTest(challenger, champion, context);
}

/** Of two that are not fit. Equals change nothing. */
function byAuc(challenger: Contender, champion: Contender): Decision {
  const { model, auc } = challenger;
  const both = `Neither is fit for use: ${model} has AUC ${auc?.toFixed(4) ?? "none"} on the same test set, the champion ${champion.model} ${champion.auc?.toFixed(4) ?? "none"}`;
  return auc !== null && (champion.auc === null || auc > champion.auc)
    ? { promoted: true, reason: `${both}: the better one serves.` }
    : { promoted: false, reason: `${both}, which is not lower: the champion stays.` };
}

async function byTest(challenger: Contender, champion: Contender, context: DecideContext): Promise<Decision> {
  const { models, plan, count, conclude } = context;
  for (const { model, scans } of [challenger, champion])
    if (!scans)
      throw new RangeError(
        `No answers of ${model} scan by scan are stored: an earlier program evaluated it. npm run train evaluates a model that is there anew.`,
      );
  const { model } = challenger;
  const [mine, its] = [challenger.scans ?? [], champion.scans ?? []];
  const groups = mine.map(({ group }) => group);
  const pair = { champion: champion.model, challenger: model, testSet: challenger.testSet };
  const ledger = await Ledger.open(models, groups, plan);
  const counted = await count(ledger, pair);
  if (!counted || counted.level === 0) return spent(model, champion.model, plan);
  const onTest = comparePaired(its, mine, plan.comparison, counted.level);
  const reference = await onReference(its, mine, pair, context);
  if (reference === "spent") return referenceSpent(model, champion.model, plan);
  const comparison = reference ? { ...onTest, reference } : onTest;
  await conclude(ledger, counted, comparison);
  return { ...verdictOn(comparison, challenger.model, champion.model, counted, plan), comparison, counted };
}

/** What the frozen reference set says, counted; undefined where none of it is among the scans. */
async function onReference(
  champion: readonly ScoredScan[],
  challenger: readonly ScoredScan[],
  pair: Pick<Counted, "champion" | "challenger" | "testSet">,
  { models, plan, reference, count, conclude }: DecideContext,
): Promise<ReferenceComparison | "spent" | undefined> {
  if (!reference || !challenger.some(inReference(reference.scans))) return undefined;
  const ledger = Ledger.ofReference(models, reference.digest, plan);
  const counted = await count(ledger, pair);
  if (!counted || counted.level === 0) return "spent";
  const compared = compareOnReference(champion, challenger, reference, plan.comparison, counted);
  await conclude(ledger, counted, { ...compared, better: compared.p !== null && !compared.regressed });
  return compared;
}

/** Where nothing may be tested against the frozen reference set any more. */
function referenceSpent(
  challenger: string,
  champion: string,
  { comparison }: Pick<ChangePlan, "comparison">,
): Decision {
  return {
    promoted: false,
    clause: "comparison.budget",
    reason: `The comparisons that the change plan allows against one frozen reference set (${comparison.most}) are spent (comparison.budget): ${challenger} is not tested before another is registered (docs/operations.md, "Retraining"). ${capital(named(champion))} stays.`,
  };
}

/** Where nothing may be tested any more. */
export function spent(
  challenger: string,
  champion: string | undefined,
  { comparison }: Pick<ChangePlan, "comparison">,
): Decision {
  const { most, renewal } = comparison;
  return {
    promoted: false,
    clause: "comparison.budget",
    reason: `The comparisons that the change plan allows against one test set (${most}) are spent (comparison.budget): ${challenger} is not tested before more than ${percent(renewal)} of its groups are new. ${capital(named(champion))} stays.`,
  };
}

/** What a comparison says, as a decision. @param champion undefined where it has no name */
export function verdictOn(
  comparison: PairedComparison,
  challenger: string,
  champion: string | undefined,
  { number, level }: Pick<Counted, "number" | "level">,
  plan: Pick<ChangePlan, "comparison">,
): Pick<Decision, "promoted" | "reason" | "clause"> {
  const { leastGroups, most, collections } = plan.comparison;
  const refused = comparison.refused.champion + comparison.refused.challenger;
  const worst =
    refused > 0
      ? ` (${comparison.refused.challenger} and ${comparison.refused.champion} of them refused, and counted as the worst answers)`
      : "";
  const numbers = `${describeResult(comparison)}${worst}`;
  if (comparison.p === null)
    return {
      promoted: false,
      clause: "comparison.superiority",
      reason: `${challenger} is not shown to be better than ${named(champion)} (comparison.superiority): ${numbers}; nothing is tested below ${leastGroups} groups or without both classes. The champion stays.`,
    };
  const tested = `${numbers}; p ${pText(comparison.p)}, at most ${pText(level)} as comparison ${number} of ${most} against this test set`;
  if (!comparison.better)
    return {
      promoted: false,
      clause: "comparison.superiority",
      reason: `${challenger} is not shown to be better than ${named(champion)} (comparison.superiority): ${tested}. The champion stays.`,
    };
  const regressed = comparison.collections.filter((one) => one.regressed);
  if (regressed.length > 0)
    return {
      promoted: false,
      clause: "comparison.collections",
      reason: `${challenger} is better than ${named(champion)} as a whole, but may be worse by more than ${collections.margin} in ${regressed.map((one) => `${one.name}, ${describeResult(one)}`).join("; ")} (comparison.collections). The champion stays.`,
    };
  const { reference } = comparison;
  if (reference?.regressed)
    return {
      promoted: false,
      clause: "comparison.reference",
      reason: `${challenger} is better than ${named(champion)} as a whole, but may be worse by more than ${collections.margin} on the frozen reference set: ${describeReference(reference, plan)} (comparison.reference). The champion stays.`,
    };
  const frozen = reference ? `; on the frozen reference set ${describeReference(reference, plan)}` : "";
  return {
    promoted: true,
    reason: `${challenger} is shown to be better than ${named(champion)}: ${tested}${frozen}.`,
  };
}

function describeReference(reference: ReferenceComparison, { comparison }: Pick<ChangePlan, "comparison">): string {
  const { p, level, number } = reference;
  const tested =
    p === null
      ? "; too little for a test"
      : `; p ${pText(p)} of being worse by ${comparison.collections.margin}, at most ${pText(level)} as comparison ${number} of ${comparison.most} against this set`;
  const worse = reference.collections.filter((one) => one.regressed);
  const among =
    worse.length > 0 ? `; there in ${worse.map((one) => `${one.name}, ${describeResult(one)}`).join("; ")}` : "";
  return `${describeResult(reference)}${tested}${among}`;
}

const named = (champion: string | undefined) => (champion === undefined ? "the champion" : `the champion ${champion}`);
const capital = (text: string) => `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
const percent = (share: number) => `${Math.round(100 * share)} %`;

async function changesOutside(
  challenger: string,
  champion: string,
  { models, plan, asker }: { readonly models: ReadableStore; readonly plan: ChangePlan; readonly asker: Asker },
) {
  const of = (id: string): Promise<ModelMetadata> => readMetadata(modelFilesInStore(models, id));
  // A champion that cannot be read any more bounds nothing.
  const its = await of(champion).catch((error: unknown) => {
    if (error instanceof UnusableModelError) return undefined;
    throw error;
  });
  return its && outsidePlan(await of(challenger), its, plan, asker);
}

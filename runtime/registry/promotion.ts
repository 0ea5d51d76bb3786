import type { Verdict } from "../model";
import type { ReadableStore } from "../platform/stores";
import { currentModel, type PointerStore, setCurrent, updateVerdict } from "./current";
import { publishedModels } from "./models";

/** A model with its result on one test set. */
export interface Contender {
  readonly model: string;
  /** Digest of the test set; results on different ones cannot be compared. */
  readonly testSet: string;
  /** Area under the ROC curve; null where the test set cannot give one. */
  readonly auc: number | null;
  readonly verdict: Verdict;
}

/** A champion that gives no result any more (its files are damaged, say): only what was recorded of it is known. */
export type Unmeasured = Pick<Contender, "model" | "verdict"> & { readonly testSet: null };

export interface PromotionDecision {
  readonly promoted: boolean;
  /** A sentence. */
  readonly reason: string;
}

export interface Promotion extends PromotionDecision {
  /** Whether the challenger is the current model now. */
  readonly current: boolean;
  /** Sentences for the person who started this. */
  readonly notes: readonly string[];
}

/** What is never given up for a better AUC, the lowest first. */
const RANKS = ["a model of drawn phantoms", "not fit for use", "fit"] as const;

/** Undefined where nobody knows: such a model has to make way for none by its rank, and none for it. */
function rankOf({ fit, reasons }: Verdict): number | undefined {
  if (fit) return 2;
  if (reasons.includes("not-evaluated")) return undefined;
  return reasons.includes("phantoms") ? 0 : 1;
}

/**
 * The rule. A model that is fit goes before one that is not, and a model of scans before one of drawn phantoms, whatever
 * their AUCs. Among equals a challenger takes over if, on the same test set, its AUC is not below the champion's.
 * Where a step of training is repeated, a challenger that was published before the champion has to be better: the champion
 * has been compared with it. Without a champion it takes over, fit or not; a champion that cannot be measured stands in its way only if it was fit,
 * or of scans, and the challenger is not.
 *
 * @param tie whose it is where both are as good
 * @throws {RangeError} if the two were measured on different test sets
 */
export function decide(
  challenger: Contender,
  champion: Contender | Unmeasured | undefined,
  tie: "challenger" | "champion" = "challenger",
): PromotionDecision {
  const { model } = challenger;
  if (!champion) return { promoted: true, reason: `${model} is the first model.` };
  if (champion.testSet !== null && champion.testSet !== challenger.testSet) {
    throw new RangeError(
      `${model} and ${champion.model} were measured on different test sets. Evaluate the champion on the challenger's first.`,
    );
  }
  const [mine, its] = [rankOf(challenger.verdict), rankOf(champion.verdict)];
  if (mine !== undefined && its !== undefined && mine !== its) {
    const both = `${model} is ${RANKS[mine]}, the champion ${champion.model} is ${RANKS[its]}`;
    return mine > its
      ? { promoted: true, reason: `${both}: it takes over, whatever the AUCs.` }
      : { promoted: false, reason: `${both}: the champion stays.` };
  }
  if (champion.testSet === null) {
    return {
      promoted: true,
      reason: `The champion ${champion.model} cannot be measured any more: ${model} takes over.`,
    };
  }
  if (challenger.auc === null) {
    return { promoted: false, reason: `${model} has no AUC on this test set: it cannot be compared.` };
  }
  const both = `${model} has AUC ${challenger.auc.toFixed(4)} on the same test set, the champion ${champion.model} ${champion.auc?.toFixed(4) ?? "none"}`;
  if (
    champion.auc === null ||
    challenger.auc > champion.auc ||
    (tie === "challenger" && challenger.auc === champion.auc)
  )
    return { promoted: true, reason: `${both}: not worse.` };
  const older = challenger.auc === champion.auc ? ", and is the older one" : "";
  return { promoted: false, reason: `${both}${older}: the champion stays.` };
}

/**
 * Compares a model with the current one on the same images, and makes it the current one if the rule of {@link decide}
 * says so, unless another process has moved the pointer meanwhile. The pointer gets the newest verdict on whichever is
 * current afterwards. For a model that is current already, what was decided at its promotion stands.
 *
 * @param measure gives the current model's result on the challenger's test set; a champion for which it throws counts as
 * one that cannot be measured
 * @param tie whose it is: the challenger's, or that of whichever was published later
 */
export async function promote(
  models: PointerStore,
  challenger: Contender,
  measure: (model: string) => Promise<Contender>,
  tie: "challenger" | "newer" = "challenger",
): Promise<Promotion> {
  const { model, verdict } = challenger;
  const seen = await currentModel(models);
  if (seen?.model === model) {
    await updateVerdict(models, seen, verdict);
    return { promoted: false, current: true, reason: seen.reason, notes: [`${model} is current already.`] };
  }
  const notes: string[] = [];
  let champion: Contender | Unmeasured | undefined;
  if (seen) {
    champion = await measure(seen.model).catch((error: Error) => {
      notes.push(`The current model ${seen.model} cannot be measured: ${error.message}`);
      return { model: seen.model, verdict: seen.verdict, testSet: null };
    });
  }
  const isOlder =
    tie === "newer" && seen && (await publishedAt(models, model)) < (await publishedAt(models, seen.model));
  const decision = decide(challenger, champion, isOlder ? "champion" : "challenger");
  if (!decision.promoted) {
    if (seen && champion?.testSet) await updateVerdict(models, seen, champion.verdict);
    return { ...decision, current: false, notes: [...notes, decision.reason] };
  }
  if (await setCurrent(models, { model, reason: decision.reason, verdict }, seen, new Date())) {
    return { ...decision, current: true, notes: [...notes, decision.reason] };
  }
  const reason = "Another process promoted a model meanwhile: start this step again to compare with that one.";
  return { promoted: false, current: false, reason, notes: [...notes, reason] };
}

/** ISO 8601; nothing of a model that is not there whole, which sorts before all others. */
async function publishedAt(models: ReadableStore, id: string): Promise<string> {
  for await (const { at } of publishedModels(models, id)) return at;
  return "";
}

import { UnusableModelError } from "../model";
import type { ReadableStore } from "../platform/stores";
import { currentModel, type PointerStore, setCurrent, updateVerdict } from "../registry";
import { type ChangePlan, changePlan } from "./change-plan";
import { type Contender, type Decision, decide, type Unmeasured } from "./decide";
import type { Asker } from "./modifications";
import type { Reference } from "./reference";

export interface Promotion extends Decision {
  /** Whether the challenger is the current model now. */
  readonly current: boolean;
  /** Sentences for the person who started this. */
  readonly notes: readonly string[];
}

/**
 * Compares a model with the current one on the same scans, and makes it the current one if the rule says so, unless another
 * process has moved the pointer meanwhile. The pointer gets the newest verdict on whichever is current afterwards. For a
 * model that is current already, what was decided at its promotion stands. A process that is killed at any point and
 * started again decides the same, and has counted once.
 *
 * @param options.measure gives the current model's result on the challenger's test set; a champion for which it throws an
 *   {@link UnusableModelError} counts as one that cannot be measured, any other error is passed on
 * @param options.reference the frozen reference set; undefined where none is registered yet
 * @param options.asker whether a program asks, or a person, who may do more of what the plan names
 * @param options.plan default: the one that this program was built with
 * @throws {RangeError} if the two were measured on different test sets, or cannot be compared scan by scan
 */
export async function considerPromotion(options: {
  readonly models: PointerStore;
  readonly challenger: Contender;
  readonly measure: (model: string) => Promise<Contender>;
  readonly reference: Reference | undefined;
  readonly asker: Asker;
  readonly plan?: ChangePlan;
  readonly now?: Date;
}): Promise<Promotion> {
  const { models, challenger, measure, reference, asker, plan = changePlan(), now = new Date() } = options;
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
      // What fails for another reason, as a store that is away, says nothing of the champion.
      if (!(error instanceof UnusableModelError)) throw error;
      notes.push(`The current model ${seen.model} cannot be measured: ${error.message}`);
      return { model: seen.model, verdict: seen.verdict, testSet: null };
    });
  }
  const decision = await decide(challenger, champion, {
    ...{ models, plan, asker, reference },
    count: (ledger, pair) => ledger.count(models, pair, now),
    conclude: (ledger, counted, result) => ledger.conclude(models, counted, result),
  });
  const said = { ...decision, notes: [...notes, decision.reason] };
  if (!decision.promoted) {
    if (seen && champion?.testSet) await updateVerdict(models, seen, champion.verdict);
    return { ...said, current: false };
  }
  if (await setCurrent(models, { model, reason: decision.reason, verdict }, seen, now))
    return { ...said, current: true };
  const reason = "Another process promoted a model meanwhile: start this step again to compare with that one.";
  return { promoted: false, current: false, reason, notes: [...notes, reason] };
}

/**
 * What the rule would say of a challenger taking over from a champion now. Nothing is counted and nothing moves.
 *
 * @throws {RangeError} as {@link considerPromotion}
 */
export function previewPromotion(options: {
  readonly models: ReadableStore;
  readonly challenger: Contender;
  readonly champion: Contender;
  readonly reference: Reference | undefined;
  readonly asker: Asker;
  readonly plan?: ChangePlan;
}): Promise<Decision> {
  const { models, challenger, champion, reference, asker, plan = changePlan() } = options;
  const now = new Date();
  return decide(challenger, champion, {
    ...{ models, plan, asker, reference },
    count: (ledger, pair) => ledger.preview(pair, now),
    conclude: async () => {},
  });
}

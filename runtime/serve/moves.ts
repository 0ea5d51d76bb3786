import { readEvaluation } from "../evaluate";
import { UnusableModelError } from "../model";
import type { ReadableStore } from "../platform/stores";
import { ChangedReferenceError, type Clause, considerPromotion, contenderOf, readReference } from "../promotion";
import { currentModel, type PointerStore, rollback } from "../registry";
import type { Promotion } from "./schemas";
import { loadScorer } from "./scoring";

/** The pointer to the current model was not moved. The message is a sentence; `code` is stable. */
export class NotMoved extends Error {
  /** Of the change plan, which the model does not meet. */
  readonly clause: Clause | undefined;

  constructor(
    readonly code: "not-evaluated" | "unusable-model" | "not-comparable" | "not-promoted" | "not-rolled-back",
    message: string,
    options: ErrorOptions & { readonly clause?: Clause | undefined } = {},
  ) {
    super(message, options);
    this.name = "NotMoved";
    this.clause = options.clause;
  }
}

/** Where models lie, and their evaluations. */
export interface ModelShelves {
  readonly pointer: PointerStore;
  readonly reports: ReadableStore;
}

/** A rejection that says why two models cannot be compared, as a refusal. */
export const notComparable = (error: unknown): never => {
  const isKnown = error instanceof RangeError || error instanceof ChangedReferenceError;
  throw isKnown ? new NotMoved("not-comparable", error.message, { cause: error }) : error;
};

/**
 * Makes a model the current one, if it can be used and the change plan's rule says so by the stored evaluations.
 *
 * @throws {NotMoved}
 */
export async function promoteModel({ pointer, reports }: ModelShelves, id: string): Promise<Promotion> {
  const evaluation = await readEvaluation(reports, id);
  if (!evaluation)
    throw new NotMoved("not-evaluated", `No evaluation of ${id} is stored, so the rule cannot compare it.`);
  await tryOut(pointer, id);
  const { promoted, current, reason, clause } = await considerPromotion({
    models: pointer,
    challenger: await contenderOf(reports, evaluation),
    measure: async (champion) => {
      const its = await readEvaluation(reports, champion);
      if (!its) throw new Error(`no evaluation of ${champion} is stored.`);
      return contenderOf(reports, its);
    },
    reference: await readReference(reports).catch(notComparable),
    asker: "person",
  }).catch(notComparable);
  if (!current) throw new NotMoved("not-promoted", reason, { clause });
  const previous = (await currentModel(pointer))?.previous ?? null;
  return { current: id, previous, reason: promoted ? reason : `${id} is current already: nothing was moved.` };
}

/**
 * Makes the model before the current one current again, if it can be used.
 *
 * @param who is named in the reason that is recorded
 * @throws {NotMoved}
 */
export async function rollBackModel({ pointer, reports }: ModelShelves, who?: string): Promise<Promotion> {
  const verdictOn = async (model: string) => {
    await tryOut(pointer, model);
    return (await readEvaluation(reports, model))?.verdict;
  };
  const outcome = await rollback(pointer, verdictOn, who);
  if (!outcome.done) throw new NotMoved("not-rolled-back", outcome.problem);
  return { current: outcome.model, previous: outcome.previous, reason: outcome.reason };
}

/** @throws {NotMoved} `unusable-model`, if it cannot be served */
export async function tryOut(models: ReadableStore, id: string): Promise<void> {
  try {
    await (await loadScorer(models, id, 1)).dispose();
  } catch (error) {
    if (!(error instanceof UnusableModelError)) throw error;
    throw new NotMoved("unusable-model", error.message, { cause: error });
  }
}

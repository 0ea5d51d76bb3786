import { NOT_EVALUATED, type Verdict } from "../model";
import { currentModel, type PointerStore, setCurrent } from "./current";
import { isPublished } from "./publish";

/** What a rollback did: the model that is current now, and the one that was, or a sentence why nothing was done. */
export type Rollback =
  | { readonly done: true; readonly model: string; readonly previous: string; readonly reason: string }
  | { readonly done: false; readonly problem: string };

/**
 * Makes the model before the current one current again, whatever their results: a second rollback undoes the first.
 *
 * @param verdictOn the newest verdict on a model; undefined where none is recorded. What it throws is thrown, and the
 * pointer has not moved then: so a model that cannot be used is refused
 */
export async function rollback(
  models: PointerStore,
  verdictOn: (model: string) => Promise<Verdict | undefined>,
  who?: string,
): Promise<Rollback> {
  const seen = await currentModel(models);
  if (!seen) return { done: false, problem: "No model has been promoted yet, so there is none to go back from." };
  const { model, previous } = seen;
  if (previous === null) return { done: false, problem: `${model} is the first model: there is none before it.` };
  if (!(await isPublished(models, previous)))
    return { done: false, problem: `The model before ${model} was ${previous}, and its files are not there any more.` };
  const reason = `Rolled back from ${model}${who === undefined ? "" : ` by ${who}`}.`;
  const next = { model: previous, reason, verdict: (await verdictOn(previous)) ?? NOT_EVALUATED };
  return (await setCurrent(models, next, seen, new Date()))
    ? { done: true, model: previous, previous: model, reason }
    : { done: false, problem: "Another process moved the pointer meanwhile. Look at the current model and try again." };
}

import { evaluationPrefix, readEvaluation } from "../evaluate";
import { NOT_EVALUATED, type Verdict } from "../model";
import type { ReadableStore } from "../platform/stores";
import { currentModel } from "../registry";

/** The model that a process is to hold. */
export interface Chosen {
  readonly model: string;
  readonly verdict: Verdict;
  /** Another once the choice, or what is said of it, has changed. */
  readonly generation: number;
}

/** Says which model a process is to hold now; undefined where there is none yet. */
export type Choice = () => Promise<Chosen | undefined>;

/** Whichever is current. */
export const followCurrent =
  (models: ReadableStore): Choice =>
  () =>
    currentModel(models);

/** One model for good, with the verdict of its newest evaluation. */
export const pinnedTo =
  (reports: ReadableStore, model: string): Choice =>
  async () => {
    const evaluated = await reports.stat(`${evaluationPrefix(model)}evaluation.json`);
    const verdict = evaluated ? (await readEvaluation(reports, model))?.verdict : undefined;
    return { model, verdict: verdict ?? NOT_EVALUATED, generation: evaluated?.generation ?? 0 };
  };

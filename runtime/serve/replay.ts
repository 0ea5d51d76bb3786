import { UnusableModelError } from "../model";
import { ObjectNotFoundError } from "../platform/stores";
import type { Workspace } from "../platform/workspace";
import { Answers, type KeptAnswer } from "./kept/answers";
import { loadScorer, type Scorer } from "./scoring";

/** What two computations of one answer may differ by, in probability and in the map's values. */
const TOLERANCE = 1e-6;

/** An answer that was given again from what is kept of it. */
export interface Replay {
  readonly request: string;
  readonly id: string;
  readonly model: string;
  readonly equal: boolean;
  /** Of Cancer, as it was answered and as it is now. */
  readonly probability: { readonly answered: number; readonly now: number };
  /** Largest differences over all pages, and over the map of the page that the answer is about. */
  readonly difference: { readonly probability: number; readonly map: number };
  readonly pages: number;
  /** All of it for a person. */
  readonly sentence: string;
}

/** An answer that cannot be given again. The message says why. */
export class NothingToReplay extends Error {}

/**
 * Recomputes an answer of a workspace from the pages that are kept of it, with the model that gave it.
 *
 * @throws {NothingToReplay} if there was no such answer, its days are over, or its model is not there as it was
 */
export async function replay({ buckets, warehouse }: Workspace, request: string): Promise<Replay> {
  if (!/^[0-9a-f-]{36}$/.test(request))
    throw new NothingToReplay(`"${request}" is no request: take the field request of an answer.`);
  const [row] = (await warehouse.batch("predictions", request)) ?? [];
  if (!row) throw new NothingToReplay(`There is no answer ${request} in this workspace.`);
  const gone = new NothingToReplay(
    `Nothing is left of the answer ${request} of ${row.predicted_at.slice(0, 10)}: its days are over, and its pixels were erased.`,
  );
  // How long answers are kept stands in each of them.
  const answers = new Answers(buckets.reports, 0);
  const kept = await answers.find(row.id, request, new Date(row.predicted_at));
  if (!kept) throw gone;
  const scorer = await scorerOf(kept, buckets.models);
  try {
    return await recompute(kept, scorer, answers);
  } catch (error) {
    if (error instanceof ObjectNotFoundError) throw gone;
    throw error;
  } finally {
    await scorer.dispose();
  }
}

async function scorerOf(
  { prediction: { receipt } }: KeptAnswer,
  models: Workspace["buckets"]["models"],
): Promise<Scorer> {
  const scorer = await loadScorer(models, receipt.model, 1).catch((error: unknown) => {
    if (error instanceof UnusableModelError) throw new NothingToReplay(error.message);
    throw error;
  });
  if (scorer.digest === receipt.model_sha256) return scorer;
  await scorer.dispose();
  throw new NothingToReplay(`The model ${receipt.model} has other files than the one that gave the answer.`);
}

async function recompute(kept: KeptAnswer, scorer: Scorer, answers: Answers): Promise<Replay> {
  const { prediction, map } = kept;
  const { request, id, model, slices } = prediction;
  const difference = { probability: 0, map: 0 };
  let now = 0;
  for (const { page, probability, sha256 } of slices) {
    const scored = await scorer.score((await answers.page(kept, { page, sha256 })).png);
    difference.probability = Math.max(difference.probability, Math.abs(scored.probability - probability));
    now = Math.max(now, scored.probability);
    if (page === prediction.page) difference.map = largestDifference(scored.map.values, map.values);
  }
  const equal = difference.probability <= TOLERANCE && difference.map <= TOLERANCE;
  const pages = slices.length === 1 ? "one page" : `${slices.length} pages`;
  const said = `${request}: ${pages}, probability of Cancer ${now.toFixed(6)}, answered ${prediction.probability.toFixed(6)}`;
  const most = `largest difference ${difference.probability.toExponential(1)}, of the map ${difference.map.toExponential(1)}`;
  return {
    request,
    id,
    model,
    equal,
    probability: { answered: prediction.probability, now },
    difference,
    pages: slices.length,
    sentence: `${equal ? "Equal" : "NOT equal"}. ${said} (${most}; ${TOLERANCE} is allowed). Model ${model}.`,
  };
}

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  let largest = 0;
  for (let i = 0; i < a.length; i++) largest = Math.max(largest, Math.abs((a[i] as number) - (b[i] as number)));
  return largest;
}

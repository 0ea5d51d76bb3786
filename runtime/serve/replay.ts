import { isDeepStrictEqual } from "node:util";
import { leafOfRow } from "../audit";
import { RejectedImage, type RejectionCode } from "../imaging";
import { type ScoredScan, scanId, UnusableModelError } from "../model";
import type { PredictionRow } from "../platform/warehouse";
import type { Workspace } from "../platform/workspace";
import { predictionOf } from "./answering";
import { Answers, DamagedAnswer, type KeptAnswer, type KeptPage } from "./kept/answers";
import { loadScorer, type Scorer } from "./scoring";

/** What two computations of one answer may differ by, in probability and in the map's values. */
const TOLERANCE = 1e-6;

/** An answer that was given again from what is kept of it. */
export interface Replay {
  readonly request: string;
  readonly id: string;
  readonly model: string;
  readonly equal: boolean;
  /** What is kept otherwise than it was written down or than it is now, a clause each; empty where `equal` is true. */
  readonly differs: readonly string[];
  /** Of Cancer, as it was answered and as it is now; null where a page cannot be answered again. */
  readonly probability: { readonly answered: number; readonly now: number | null };
  /** Largest differences over all pages, and over the map of the page that the answer is about; null likewise. */
  readonly difference: { readonly probability: number | null; readonly map: number | null };
  readonly pages: number;
  /** All of it for a person. */
  readonly sentence: string;
}

/** An answer that cannot be given again. The message says why. */
export class NothingToReplay extends Error {}

/** What was named is the name of no answer, anywhere. */
export class NoRequest extends NothingToReplay {}

/**
 * Recomputes an answer of a workspace from the pages that are kept of it, with the model that gave it, and compares all of
 * it: with what is kept, and with the audited row. Nothing tells whether the verdict, the pages that were rejected or the
 * hash of the file that was sent are those of then, nor whether the study is.
 *
 * @throws {NothingToReplay} if there was no such answer, its days are over, or its model is not there as it was
 */
export async function replay({ buckets, warehouse }: Workspace, request: string): Promise<Replay> {
  if (!/^[0-9a-f-]{36}$/.test(request))
    throw new NoRequest(`"${request}" is no request: take the field request of an answer.`);
  const [row] = (await warehouse.batch("predictions", request)) ?? [];
  if (!row) throw new NothingToReplay(`There is no answer ${request} in this workspace.`);
  const gone = new NothingToReplay(
    `Nothing is left of the answer ${request} of ${row.predicted_at.slice(0, 10)}: its days are over, and its pixels were erased.`,
  );
  // How long answers are kept stands in each of them.
  const answers = new Answers(buckets.reports, 0);
  const kept = await findKept(answers, row);
  if (!kept) throw gone;
  const scorer = await scorerOf(row.model, kept, buckets.models);
  try {
    return await recompute(row, kept, scorer, answers);
  } finally {
    await scorer.dispose();
  }
}

function findKept(answers: Answers, { id, request, predicted_at }: PredictionRow): Promise<KeptAnswer | undefined> {
  return answers.find(id, request, new Date(predicted_at)).catch((error: unknown) => {
    if (error instanceof DamagedAnswer) throw new NothingToReplay(error.message);
    throw error;
  });
}

async function scorerOf(
  model: string,
  { prediction: { receipt } }: KeptAnswer,
  models: Workspace["buckets"]["models"],
): Promise<Scorer> {
  const scorer = await loadScorer(models, model, 1).catch((error: unknown) => {
    if (error instanceof UnusableModelError) throw new NothingToReplay(error.message);
    throw error;
  });
  if (scorer.digest === receipt.model_sha256) return scorer;
  await scorer.dispose();
  throw new NothingToReplay(`The model ${model} has other files than the one that gave the answer.`);
}

async function recompute(row: PredictionRow, kept: KeptAnswer, scorer: Scorer, answers: Answers): Promise<Replay> {
  const { prediction } = kept;
  const { request, id, model } = row;
  const { scored, differs: damaged } = await scorePages(kept, scorer, answers);
  const differs = [...damaged, ...againstRow(kept, row)];
  const best = damaged.length === 0 ? mostSuspicious(scored, prediction.page) : undefined;
  if (best) differs.push(...againstNow(kept, scorer, scored, best));
  else if (damaged.length === 0) differs.push("no page of it is kept");
  const probability = { answered: prediction.probability, now: best?.probability ?? null };
  const difference = {
    probability: best
      ? scored.reduce((most, { slice, now }) => Math.max(most, Math.abs(now.probability - slice.probability)), 0)
      : null,
    map: best ? largestDifference(best.map.values, kept.map.values) : null,
  };
  const equal = differs.length === 0;
  const pages = prediction.slices.length;
  return {
    request,
    id,
    model,
    equal,
    differs,
    probability,
    difference,
    pages,
    sentence: sentenceOf({ request, model, differs, probability, difference, pages }),
  };
}

/** A page that is kept, and what the model says of it now. */
interface Scored {
  readonly slice: KeptPage & { readonly probability: number };
  readonly now: ScoredScan;
}

async function scorePages(kept: KeptAnswer, scorer: Scorer, answers: Answers) {
  const scored: Scored[] = [];
  const differs: string[] = [];
  for (const slice of kept.prediction.slices) {
    try {
      const { png, image } = await answers.page(kept, slice);
      const { width, height, depth } = image;
      scored.push({ slice: { ...slice, width, height, depth }, now: await scorer.score(png) });
    } catch (error) {
      if (error instanceof DamagedAnswer) differs.push(error.message.replace(/\.$/, ""));
      else if (error instanceof RejectedImage) differs.push(`page ${slice.page} is refused now: ${error.message}`);
      else throw error;
    }
  }
  return { scored, differs };
}

/** The page that the answer is about, if none is more suspicious now by more than is allowed. */
function mostSuspicious(scored: readonly Scored[], page: number): (ScoredScan & { readonly page: number }) | undefined {
  const most = Math.max(...scored.map(({ now }) => now.probability));
  const near = scored.filter(({ now }) => most - now.probability <= TOLERANCE);
  const best = near.find(({ slice }) => slice.page === page) ?? near[0];
  return best && { ...best.now, page: best.slice.page };
}

/** What the audited row, which is written once and never changed, says otherwise. */
function againstRow({ prediction, who }: KeptAnswer, row: PredictionRow): string[] {
  const { request, id, model, recipe, probability, label, decision, threshold, page, slices, receipt } = prediction;
  const sha256 = slices.find((slice) => slice.page === page)?.sha256;
  const predicted_at = receipt.answered_at;
  const { leaf } = receipt;
  const kept = { request, id, model, recipe, probability, label, decision, threshold, sha256, predicted_at, who, leaf };
  const { salt: _salt, ...said } = row;
  // An earlier program knew of no leaf.
  const written = { ...said, leaf: leaf ? leafOfRow("predictions", row) : leaf };
  return differences(kept, written, 0).map(
    ({ path, a, b }) => `${path} is kept as ${a}, and in the audited row it is ${b}`,
  );
}

/** What the model says otherwise of the pages, and what follows otherwise from that. */
function againstNow(kept: KeptAnswer, scorer: Scorer, scored: readonly Scored[], best: ScoredScan): string[] {
  const { request, id, verdict, rejected_pages, receipt } = kept.prediction;
  const hashes = scored.map(({ slice }) => slice.sha256);
  // The pixels of pages that the guard refused are in the id, and are not kept.
  const known = rejected_pages.every(({ code }) => code !== "not-a-brain-scan");
  const most = largestDifference(best.map.values, kept.map.values);
  const same = most <= TOLERANCE;
  const now = {
    ...best,
    // Of two places that are nearly as strong another machine would name the other.
    map: same ? { ...best.map, values: Float32Array.from(kept.map.values) } : best.map,
    id: known ? scanId(scorer.metadata.id, hashes) : id,
    pages: scored.length,
    slices: scored.map(({ slice: { page, sha256 }, now: { probability } }) => ({ page, sha256, probability })),
    rejectedPages: rejected_pages.map(({ page, code, detail }) => ({
      page,
      reason: new RejectedImage(code as RejectionCode, detail),
    })),
  };
  const pages = scored.map(({ slice }) => slice);
  const prediction = predictionOf(scorer, now, pages, {
    request,
    verdict,
    at: new Date(receipt.answered_at),
    keptUntil: new Date(receipt.kept_until),
    // What was stated then.
    prevalence: kept.prediction.prevalence?.local?.prevalence,
    fileSha256: receipt.file_sha256,
    study: kept.study,
    leaf: receipt.leaf,
    pinned: kept.prediction.pinned ?? false,
  });
  const { map, geometry } = now;
  const { rows, columns } = map;
  const differs = [
    ...differences(kept.prediction, prediction),
    ...differences({ geometry: kept.geometry }, { geometry }),
    ...differences({ map: { rows: kept.map.rows, columns: kept.map.columns } }, { map: { rows, columns } }),
  ].map(({ path, a, b }) => `${path} is kept as ${a}, and now it is ${b}`);
  if (!same) differs.push(`the map is another one (largest difference ${most.toExponential(1)})`);
  return differs;
}

interface Difference {
  readonly path: string;
  readonly a: string;
  readonly b: string;
}

/** Where `a` is not as `b`, by everything that `a` holds. @param tolerance of numbers */
function differences(a: object, b: object, tolerance = TOLERANCE, within = ""): Difference[] {
  return Object.entries(a).flatMap(([key, mine]): Difference[] => {
    const its: unknown = (b as Record<string, unknown>)[key];
    const path = within ? `${within}.${key}` : key;
    if (isDeepStrictEqual(mine, its)) return [];
    if (typeof mine === "number" && typeof its === "number" && Math.abs(mine - its) <= tolerance) return [];
    const alike = typeof mine === "object" && typeof its === "object" && mine !== null && its !== null;
    if (alike && isDeepStrictEqual(Object.keys(mine).sort(), Object.keys(its).sort()))
      return differences(mine, its, tolerance, path);
    return [{ path, a: JSON.stringify(mine) ?? "nothing", b: JSON.stringify(its) ?? "nothing" }];
  });
}

function sentenceOf({
  request,
  model,
  differs,
  probability: { answered, now },
  difference,
  pages,
}: Pick<Replay, "request" | "model" | "differs" | "probability" | "difference" | "pages">): string {
  const many = pages === 1 ? "one page" : `${pages} pages`;
  const again = now === null ? "not to be computed again" : now.toFixed(6);
  const said = `${request}: ${many}, probability of Cancer ${again}, answered ${answered.toFixed(6)}`;
  const { probability, map } = difference;
  const most =
    probability === null || map === null
      ? ""
      : ` (largest difference ${probability.toExponential(1)}, of the map ${map.toExponential(1)}; ${TOLERANCE} is allowed)`;
  const found = differs.length === 0 ? "Equal." : `NOT equal. What differs: ${differs.join("; ")}.`;
  return `${found} ${said}${most}. Model ${model}.`;
}

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  let largest = 0;
  for (let i = 0; i < a.length; i++) largest = Math.max(largest, Math.abs((a[i] as number) - (b[i] as number)));
  return largest;
}

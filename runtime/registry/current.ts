import type { z } from "zod";
import { NOT_EVALUATED, type Verdict, verdictSchema } from "../model";
import {
  type CreatableStore,
  PreconditionFailedError,
  type ReadableStore,
  type ReplaceableStore,
} from "../platform/stores";
import { type Move, moveSchema, recordedMoves, recordMove } from "./history";

/** The bucket of models for who may move the pointer, and put down that it moved. */
export type PointerStore = ReadableStore & ReplaceableStore & CreatableStore;
/** The same for who only looks where it points: a {@link ReadableStore} is one. */
export interface PointerReader {
  stat(name: string): Promise<{ readonly generation: number } | undefined>;
  read(name: string, options: { readonly generation: number }): Promise<Buffer>;
}

const CURRENT = "current.json";

const currentSchema = moveSchema.extend({
  /** By its newest evaluation. A pointer that an earlier program wrote has none: nobody knows. */
  verdict: verdictSchema.default(NOT_EVALUATED),
});
export type CurrentModel = z.infer<typeof currentSchema>;

/** The pointer as it was read. */
export type SeenModel = CurrentModel & { readonly generation: number };

/** Which model is served, with the generation of the pointer; undefined before the first promotion. */
export async function currentModel(models: PointerReader): Promise<SeenModel | undefined> {
  const info = await models.stat(CURRENT);
  if (!info) return undefined;
  const content = await models.read(CURRENT, { generation: info.generation });
  return { ...currentSchema.parse(JSON.parse(content.toString("utf8"))), generation: info.generation };
}

/**
 * Moves the pointer by compare-and-swap: if another process moved it since `seen` was read, nothing changes.
 *
 * @returns false if the pointer had moved
 */
export async function setCurrent(
  models: PointerStore,
  next: Pick<CurrentModel, "model" | "reason"> & { readonly verdict?: Verdict },
  seen: SeenModel | undefined,
  now: Date,
): Promise<boolean> {
  if (seen) await recordMove(models, seen);
  const current = { ...next, previous: seen?.model ?? null, promotedAt: now.toISOString() };
  if (!(await replace(models, current, seen?.generation))) return false;
  await recordMove(models, current);
  return true;
}

/**
 * Every move of the pointer, the oldest first: those that were put down, and the last one where that was not, because an
 * earlier program moved it or the process was killed before.
 */
export async function historyOf(models: ReadableStore): Promise<readonly Move[]> {
  const [moves, seen] = [await recordedMoves(models), await currentModel(models)];
  if (!seen || moves.some((one) => one.model === seen.model && one.promotedAt === seen.promotedAt)) return moves;
  const { model, previous, reason, promotedAt } = seen;
  return [...moves, { model, previous, reason, promotedAt }];
}

/** Enters a newer verdict on the current model, unless the pointer has moved meanwhile. All else stays as it is. */
export async function updateVerdict(models: PointerStore, seen: SeenModel, verdict: Verdict): Promise<void> {
  if (JSON.stringify(verdictSchema.parse(verdict)) === JSON.stringify(seen.verdict)) return;
  const { generation, ...current } = seen;
  await replace(models, { ...current, verdict }, generation);
}

async function replace(
  models: PointerStore,
  content: z.input<typeof currentSchema>,
  generation: number | undefined,
): Promise<boolean> {
  try {
    await models.write(CURRENT, `${JSON.stringify(content, null, 2)}\n`, {
      ifGenerationMatch: generation ?? 0,
      contentType: "application/json",
    });
    return true;
  } catch (error) {
    if (error instanceof PreconditionFailedError) return false;
    throw error;
  }
}

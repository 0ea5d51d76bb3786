import { z } from "zod";
import { type CreatableStore, PreconditionFailedError, type ReadableStore, readJson } from "../platform/stores";

/** Below it an object for each model that ever became the current one, the oldest first. */
export const HISTORY_FOLDER = "history/";

export const moveSchema = z.object({
  /** Id of the model that became the current one. */
  model: z.string(),
  /** The one before it: what a rollback returns to. */
  previous: z.string().nullable(),
  /** Why, as a sentence. */
  reason: z.string(),
  /** ISO 8601. */
  promotedAt: z.string(),
});
/** When a model became the current one, and why. */
export type Move = z.infer<typeof moveSchema>;

/**
 * Puts down a place where the pointer was. It is done after each move, and once more before the next: a process that was
 * killed in between leaves no gap.
 */
export async function recordMove(models: CreatableStore, { model, previous, reason, promotedAt }: Move): Promise<void> {
  const name = `${HISTORY_FOLDER}${promotedAt.replace(/[^0-9TZ]/g, "-")}-${model}.json`;
  try {
    const move: Move = { model, previous, reason, promotedAt };
    await models.create(name, `${JSON.stringify(move, null, 2)}\n`, { contentType: "application/json" });
  } catch (error) {
    if (!(error instanceof PreconditionFailedError)) throw error;
  }
}

/** Every move of the pointer that was put down, the oldest first. */
export async function recordedMoves(models: ReadableStore): Promise<readonly Move[]> {
  const moves: Move[] = [];
  for await (const { name } of models.listAll(HISTORY_FOLDER))
    moves.push(moveSchema.parse(await readJson(models, name)));
  return moves;
}

import { z } from "zod";
import { type ObjectStore, PreconditionFailedError } from "../platform/stores";

const CURRENT = "current.json";

const currentSchema = z.object({
  /** Id of the model that is served. */
  model: z.string(),
  /** The one before it: what a rollback returns to. */
  previous: z.string().nullable(),
  /** Why it is the current one, as a sentence. */
  reason: z.string(),
  /** ISO 8601. */
  promotedAt: z.string(),
});
export type CurrentModel = z.infer<typeof currentSchema>;

/** A model with its result on one test set. */
export interface Contender {
  readonly model: string;
  /** Digest of the test set; results on different ones cannot be compared. */
  readonly testSet: string;
  /** Area under the ROC curve; null where the test set cannot give one. */
  readonly auc: number | null;
}

export interface PromotionDecision {
  readonly promoted: boolean;
  readonly reason: string;
}

/** Which model is served, with the generation of the pointer; undefined before the first promotion. */
export async function currentModel(
  models: ObjectStore,
): Promise<(CurrentModel & { readonly generation: number }) | undefined> {
  const info = await models.stat(CURRENT);
  if (!info) return undefined;
  const content = await models.read(CURRENT, { generation: info.generation });
  return { ...currentSchema.parse(JSON.parse(content.toString("utf8"))), generation: info.generation };
}

/**
 * The rule: a challenger takes over if, on the same test set, its AUC is not below the champion's. Without a champion it
 * takes over; a champion that cannot be measured on this test set does not stand in its way.
 */
export function decide(challenger: Contender, champion: Contender | undefined): PromotionDecision {
  if (!champion) return { promoted: true, reason: `${challenger.model} is the first model.` };
  if (champion.model === challenger.model)
    return { promoted: false, reason: `${challenger.model} is current already.` };
  if (champion.testSet !== challenger.testSet) {
    throw new RangeError(
      `${challenger.model} and ${champion.model} were measured on different test sets. Evaluate the champion on the challenger's first.`,
    );
  }
  if (challenger.auc === null) {
    return { promoted: false, reason: `${challenger.model} has no AUC on this test set: it cannot be compared.` };
  }
  if (champion.auc === null || challenger.auc >= champion.auc) {
    return {
      promoted: true,
      reason: `${challenger.model} has AUC ${challenger.auc.toFixed(4)} on the same test set, the champion ${champion.model} ${champion.auc?.toFixed(4) ?? "none"}: not worse.`,
    };
  }
  return {
    promoted: false,
    reason: `${challenger.model} has AUC ${challenger.auc.toFixed(4)} on the same test set, the champion ${champion.model} ${champion.auc.toFixed(4)}: the champion stays.`,
  };
}

/**
 * Moves the pointer by compare-and-swap: if another process moved it since `seen` was read, nothing changes.
 *
 * @returns false if the pointer had moved
 */
export async function setCurrent(
  models: ObjectStore,
  next: Pick<CurrentModel, "model" | "reason">,
  seen: { readonly model: string; readonly generation: number } | undefined,
  now: Date,
): Promise<boolean> {
  const content: CurrentModel = { ...next, previous: seen?.model ?? null, promotedAt: now.toISOString() };
  try {
    await models.write(CURRENT, `${JSON.stringify(content, null, 2)}\n`, {
      ifGenerationMatch: seen?.generation ?? 0,
      contentType: "application/json",
    });
    return true;
  } catch (error) {
    if (error instanceof PreconditionFailedError) return false;
    throw error;
  }
}

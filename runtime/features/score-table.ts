import { createHash } from "node:crypto";
import type { FeaturesPcaRow, Warehouse } from "../platform/warehouse";

/** Digits of a score that are kept: more than float32 holds, and half the bytes of a double written out. */
const DIGITS = 8;

/** What the rows of the table `features_pca` belong to. */
export interface ScoredBy {
  readonly recipe: string;
  readonly pca: string;
}

/**
 * The batch that an image's row lies in: two hex digits that depend on its id alone. So a batch keeps its name whatever
 * arrives, and the rows of one batch can be replaced without a look at the others.
 */
export function batchOf(id: string): string {
  return createHash("sha256").update(id).digest("hex").slice(0, 2);
}

/** All batches there can be: 00 to ff. */
export const BATCHES: readonly string[] = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, "0"));

/**
 * Which of a batch's images have no scores by these components yet. Rows of images that are no longer among the
 * processed ones are taken out.
 *
 * @param ids every processed image that belongs to the batch
 */
export async function missingScores(
  warehouse: Warehouse,
  by: ScoredBy,
  batch: string,
  ids: readonly string[],
): Promise<string[]> {
  const stored = await warehouse.batch("features_pca", nameOf(by, batch));
  if (!stored) return [...ids];
  const wanted = new Set(ids);
  const live = stored.filter(({ id }) => wanted.has(id));
  if (live.length < stored.length) await warehouse.append("features_pca", nameOf(by, batch), live);
  const done = new Set(live.filter(({ pca }) => pca === by.pca).map(({ id }) => id));
  return ids.filter((id) => !done.has(id));
}

/**
 * Adds rows to a batch, in place of earlier ones of the same images. Rows by other components stay until their images
 * are scored anew.
 *
 * @param scores values by image id
 */
export async function appendScores(
  warehouse: Warehouse,
  by: ScoredBy,
  batch: string,
  scores: ReadonlyMap<string, ArrayLike<number>>,
): Promise<void> {
  const stored = (await warehouse.batch("features_pca", nameOf(by, batch))) ?? [];
  const rows: FeaturesPcaRow[] = stored.filter(({ id }) => !scores.has(id));
  for (const [id, values] of scores) rows.push({ id, ...by, values: Array.from(values, rounded) });
  rows.sort((a, b) => (a.id < b.id ? -1 : 1));
  await warehouse.append("features_pca", nameOf(by, batch), rows);
}

const nameOf = ({ recipe }: ScoredBy, batch: string) => `${recipe}/${batch}`;

const rounded = (value: number) => Number(value.toPrecision(DIGITS));

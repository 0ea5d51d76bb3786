import { createHash } from "node:crypto";
import { CURRENT_FIT, DifferentRowsError, type FeaturesPcaRow, type Warehouse } from "../platform/warehouse";

/** Digits of a score that are kept: more than float32 holds, and half the bytes of a double written out. */
const DIGITS = 8;

/** Of the length of an image's scores, what two kinds of processor may put between them. */
const ROUNDING = 1e-6;

/** What the rows of the table `features_pca` belong to. */
export interface ScoredBy {
  readonly recipe: string;
  readonly pca: string;
}

/**
 * The part of the table that an image's row lies in: two hex digits that depend on its id alone. Whatever arrives, an
 * image's part is the same, and one part can be worked on without a look at the others.
 */
export function batchOf(id: string): string {
  return createHash("sha256").update(id).digest("hex").slice(0, 2);
}

/** All batches there can be: 00 to ff. */
export const BATCHES: readonly string[] = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, "0"));

/**
 * Which of a part's images have no scores by these components yet.
 *
 * @param ids every processed image that belongs to the part
 */
export async function missingScores(
  warehouse: Warehouse,
  by: ScoredBy,
  batch: string,
  ids: readonly string[],
): Promise<string[]> {
  const done = new Set<string>();
  for (const name of await warehouse.batches("features_pca", prefixOf(by, batch)))
    for (const { id } of (await warehouse.batch("features_pca", name)) ?? []) done.add(id);
  return ids.filter((id) => !done.has(id));
}

/**
 * Adds the scores of some of a part's images by one fit. Rows by other components stay: {@link makeCurrent} says which
 * count.
 *
 * @param scores values by image id
 */
export async function appendScores(
  warehouse: Warehouse,
  by: ScoredBy,
  batch: string,
  scores: ReadonlyMap<string, ArrayLike<number>>,
): Promise<void> {
  const { recipe, pca } = by;
  const rows: FeaturesPcaRow[] = [...scores]
    .map(([id, values]) => ({ id, recipe, pca, values: Array.from(values, rounded) }))
    .sort((a, b) => (a.id < b.id ? -1 : 1));
  const images = createHash("sha256").update(rows.map(({ id }) => id).join("\n"));
  const name = `${prefixOf(by, batch)}${images.digest("hex").slice(0, 20)}`;
  try {
    await warehouse.append("features_pca", name, rows);
  } catch (error) {
    // A task that is worked on twice: another kind of processor rounds the last digits otherwise, and those that are there count.
    if (!(error instanceof DifferentRowsError)) throw error;
    if (!alike((await warehouse.batch("features_pca", name)) ?? [], rows)) throw error;
  }
}

/** Whether two batches are scores of the same images by the same components, but for rounding. */
function alike(some: readonly FeaturesPcaRow[], others: readonly FeaturesPcaRow[]): boolean {
  const byId = new Map(some.map(({ id, values }) => [id, values]));
  return others.every(({ id, values }) => {
    const there = byId.get(id) ?? [];
    const rounding = ROUNDING * Math.hypot(...values);
    return there.length === values.length && values.every((value, k) => Math.abs(value - Number(there[k])) <= rounding);
  });
}

/** Makes a fit the current one of its recipe, once every processed image has its scores by it. Nothing happens if it is. */
export async function makeCurrent(warehouse: Warehouse, { recipe, pca }: ScoredBy, now: Date): Promise<void> {
  for (;;) {
    const [current] = await warehouse.ask(CURRENT_FIT, { recipe });
    if (current?.pca === pca) return;
    const revision = (current?.revision ?? 0) + 1;
    const name = `${recipe}/${String(revision).padStart(8, "0")}`;
    try {
      await warehouse.append("pca_fits", name, [{ recipe, revision, pca, fitted_at: now.toISOString() }]);
      return;
    } catch (error) {
      // Another run made its fit the current one meanwhile: this one comes after it.
      if (!(error instanceof DifferentRowsError)) throw error;
    }
  }
}

const prefixOf = ({ recipe, pca }: ScoredBy, batch: string) => `${recipe}/${pca}/${batch}/`;

const rounded = (value: number) => Number(value.toPrecision(DIGITS));

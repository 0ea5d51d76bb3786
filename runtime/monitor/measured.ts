import { createHash } from "node:crypto";
import { curatedName, readCuratedObject } from "../dataset";
import { applyRecipeGrey, decodeCurated, RECIPE } from "../imaging";
import type { Progress } from "../platform/progress";
import type { ReadableStore } from "../platform/stores";
import { type InputStatisticsRow, PICTURE_STATISTICS as STORED, type Warehouse } from "../platform/warehouse";
import { type PictureStatistic, pictureStatistics } from "./picture-statistics";

/** Pictures whose rows are stored together. */
const BATCH = 256;

export interface MeasureTools {
  readonly warehouse: Warehouse;
  readonly curated: ReadableStore;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/**
 * How some pictures were made, by their SHA-256: what is stored, and what is measured now and stored. A picture that is
 * not curated, or cannot be read, has none.
 */
export async function measured(
  pictures: ReadonlySet<string>,
  { warehouse, curated, progress, signal }: MeasureTools,
  now: Date,
): Promise<ReadonlyMap<string, Readonly<Record<PictureStatistic, number>>>> {
  const recipe = RECIPE.id;
  const known = new Map<string, Readonly<Record<PictureStatistic, number>>>();
  for (const row of await warehouse.ask(STORED, { recipe })) known.set(row.sha256, row);
  const missing = [...pictures].filter((sha256) => !known.has(sha256)).sort();
  progress.start(missing.length);
  for (let start = 0; start < missing.length; start += BATCH) {
    const rows: InputStatisticsRow[] = [];
    for (const sha256 of missing.slice(start, start + BATCH)) {
      signal.throwIfAborted();
      const bytes = await readCuratedObject(curated, curatedName(sha256));
      progress.advance();
      if ("reason" in bytes) continue;
      const image = await decodeCurated(bytes).catch(() => undefined);
      if (!image) continue;
      const { grey, geometry } = applyRecipeGrey(image);
      const row = { sha256, recipe, ...pictureStatistics(grey, geometry), measured_at: now.toISOString() };
      rows.push(row);
      known.set(sha256, row);
    }
    if (rows.length === 0) continue;
    const names = createHash("sha256").update(rows.map(({ sha256 }) => sha256).join("\n"));
    await warehouse.append("input_statistics", `${recipe}/${names.digest("hex").slice(0, 20)}`, rows);
  }
  progress.finish();
  return known;
}

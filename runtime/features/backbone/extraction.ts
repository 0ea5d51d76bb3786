import { appendFeatures, type ExtractedBy, picturesWithFeatures, ShardFiles } from "../../dataset";
import { oneChannel, RECIPE } from "../../imaging";
import type { ReadableStore } from "../../platform/stores";
import type { Warehouse } from "../../platform/warehouse";
import type { ExtractionPool } from "./pool";

/** Pictures whose rows are stored together. */
const STORED = 128;

export interface ExtractionContext {
  readonly processed: ReadableStore;
  readonly warehouse: Warehouse;
}

/** Pictures of one shard that a network has not seen. */
export interface Extraction {
  readonly shard: string;
  /** SHA-256s. */
  readonly pictures: readonly string[];
}

/** What a network has not seen of the processed images of the current recipe. */
export async function planExtraction(
  { processed, warehouse }: ExtractionContext,
  backbone: string,
): Promise<{ readonly parts: readonly Extraction[]; readonly skipped: number }> {
  const seen = await picturesWithFeatures(warehouse, { recipe: RECIPE.id, backbone });
  const files = await ShardFiles.open(processed);
  const parts: Extraction[] = [];
  let skipped = 0;
  try {
    for (const shard of await files.names()) {
      const all = (await files.rows(shard)).map(({ sha256 }) => sha256);
      const waiting = all.filter((sha256) => !seen.has(sha256));
      skipped += all.length - waiting.length;
      for (let start = 0; start < waiting.length; start += STORED)
        parts.push({ shard, pictures: waiting.slice(start, start + STORED) });
    }
  } finally {
    await files.close();
  }
  return { parts, skipped };
}

/** Takes a part's pictures through the network and stores what it sees. @returns how many there were */
export async function extractPart(
  { warehouse }: ExtractionContext,
  files: ShardFiles,
  pool: ExtractionPool,
  backbone: string,
  { shard, pictures }: Extraction,
): Promise<number> {
  const wanted = new Set(pictures);
  const images = (await files.rowsWithPixels(shard, undefined))
    .filter(({ row }) => wanted.delete(row.sha256))
    .map(({ row, pixels }) => ({ sha256: row.sha256, plane: oneChannel(pixels) }));
  if (images.length === 0) return 0;
  const found = await pool.extract(images.map(({ plane }) => plane));
  const features = new Map(images.map(({ sha256 }, i) => [sha256, found[i] as Float32Array]));
  const by: ExtractedBy = { recipe: RECIPE.id, backbone };
  await appendFeatures(warehouse, by, features, new Date());
  return features.size;
}

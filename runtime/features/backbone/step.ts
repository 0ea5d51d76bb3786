import { type Backbone, backboneUri, loadBackbone } from "../../backbone";
import { ShardFiles } from "../../dataset";
import type { StepCounts } from "../../platform/step";
import type { FeaturesContext } from "../step";
import { extractPart, planExtraction } from "./extraction";
import { ExtractionPool } from "./pool";

/**
 * What another network sees in every processed picture: rows of `features_deep`, added as they come. A run that was ended
 * goes on with the pictures that have none; a second run adds nothing.
 *
 * @param given URI or path of the folder where `backbone.json` lies
 * @throws {ConfigurationError} if the backbone cannot be used
 */
export async function backboneStep(context: FeaturesContext, given: string): Promise<StepCounts> {
  const { workspace, progress, signal } = context;
  const tables = { processed: workspace.buckets.processed, warehouse: workspace.warehouse };
  const backbone = await loadBackbone(given);
  const pool = await ExtractionPool.start(backboneUri(given), backbone);
  const files = await ShardFiles.open(tables.processed);
  let items = 0;
  try {
    const { parts, skipped } = await planExtraction(tables, backbone.id);
    progress.start(parts.reduce((sum, { pictures }) => sum + pictures.length, 0));
    for (const part of parts) {
      signal.throwIfAborted();
      items += await extractPart(tables, files, pool, backbone.id, part);
      progress.advance(part.pictures.length);
    }
    const none = "there is no processed image here. Run npm run preprocess on this workspace first.";
    return { items, skipped, rejected: 0, notes: items + skipped === 0 ? [none] : [noteOf(backbone)] };
  } finally {
    progress.finish();
    await files.close();
    await pool.close();
  }
}

/**
 * The absolute URI of a backbone that can be used: what is wrong with it is said before Spark starts.
 * @throws {ConfigurationError}
 */
export async function checkedBackbone(given: string): Promise<string> {
  const uri = backboneUri(given);
  await (await ExtractionPool.start(uri, await loadBackbone(uri), 1)).close();
  return uri;
}

/** Names what the rows are of, as whoever asks for them has to. */
export const noteOf = ({ id, manifest }: Backbone): string =>
  `rows of features_deep with backbone ${id}: ${manifest.features.length} features a picture (${manifest.licence}).`;

import { curatedName, curatedPixels, currentImages } from "../../dataset";
import { encodePng, PERCEPTUAL_HASH, RECIPE } from "../../imaging";
import { asSplit, LABELS } from "../../intake";
import { modelFilesInStore, readMetadata, sha256 as sha256Of } from "../../model";
import { sourceCommit } from "../../platform/source-commit";
import type { ContextWith, StepCounts } from "../../platform/step";
import type { ObjectStore, ReadableStore } from "../../platform/stores";
import { KNOWN_SCANS } from "../../platform/warehouse";
import { currentModel } from "../../registry";
import { analyse, type ReportImage } from "./analysis";
import { renderFeaturesReport } from "./page";

export type ReportContext = ContextWith<{ curated: ReadableStore; models: ReadableStore; reports: ObjectStore }>;

/** Images of a report: each is compared with all training images among them, which takes some seconds. */
const MOST_IMAGES = 10_000;

/** Raised when the same rows would give another report. */
const REPORT_VERSION = 1;

/** Where the report on a model's features lies in the bucket of reports. */
export const featuresReportName = (model: string): string => `features/${model}/report.html`;

/**
 * Writes the report on what the current model sees in the data set, from the rows of `features_deep`. One that is there of
 * the same images, labels, splits and model stays.
 */
export async function featuresReportStep({ workspace, signal }: ReportContext): Promise<StepCounts> {
  const { buckets, warehouse } = workspace;
  const nothing = (note: string) => ({ items: 0, skipped: 0, rejected: 0, notes: [note] });
  const model = (await currentModel(buckets.models))?.model;
  if (model === undefined)
    return nothing("there is no model here yet, so no report. Run npm run train on this workspace first.");
  const by = { recipe: RECIPE.id, backbone: model, hash: PERCEPTUAL_HASH.id };
  const rows = await warehouse.ask(KNOWN_SCANS, by);
  const facts = new Map((await currentImages(warehouse)).map((image) => [image.id, image]));
  const seen = new Set<string>();
  const all = rows.flatMap(({ id, sha256, label, split, group, features }): ReportImage[] => {
    // Equal pixels are one picture, whatever their names.
    if (features.length === 0 || seen.has(sha256)) return [];
    seen.add(sha256);
    const { source = id, collection = null } = facts.get(id) ?? {};
    const known = LABELS.find((one) => one === label) ?? null;
    return [{ sha256, source, label: known, split: asSplit(split), group, collection, features }];
  });
  const images = all.slice(0, MOST_IMAGES).filter(({ features }) => features.length === all[0]?.features.length);
  signal.throwIfAborted();
  if (images.filter(({ split }) => split === "train").length < 2)
    return nothing(
      `fewer than two training images have features by ${model}, so no report. Run npm run score on this workspace first.`,
    );
  const name = featuresReportName(model);
  const notes = [`report: ${buckets.reports.uri}/${name}`];
  const parts = [REPORT_VERSION, model, all.map(({ features: _, ...image }) => image)];
  const inputs = sha256Of(Buffer.from(JSON.stringify(parts)));
  if ((await buckets.reports.stat(name))?.metadata.inputs === inputs)
    return { items: 0, skipped: images.length, rejected: 0, notes };
  const { synthetic } = await readMetadata(modelFilesInStore(buckets.models, model));
  const html = await renderFeaturesReport({
    model,
    synthetic,
    provenance: { at: new Date(), data: `${buckets.curated.uri}/`, commit: await sourceCommit() },
    analysis: analyse(images),
    images: images.length,
    isComplete: images.length === all.length,
    async pictureOf({ sha256 }) {
      const pixels = await curatedPixels(buckets.curated, { object: curatedName(sha256), sha256 });
      if ("reason" in pixels) return undefined;
      return Buffer.from(await encodePng({ width: RECIPE.side, height: RECIPE.side, depth: 8, pixels }));
    },
  });
  await buckets.reports.write(name, html, { contentType: "text/html; charset=utf-8", metadata: { inputs } });
  return { items: images.length, skipped: 0, rejected: 0, notes };
}

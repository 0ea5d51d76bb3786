import { type CurrentImage, currentImages } from "../dataset";
import { isLabel, type Label } from "../intake";
import { modelFilesInStore, readMetadata } from "../model";
import type { ReadableStore } from "../platform/stores";
import { MODEL_ANSWERS, type Warehouse } from "../platform/warehouse";
import { currentModel } from "../registry";

/** A labelled scan of the data set, with the split that it was in when a model took over. */
export type OwnScan = Omit<CurrentImage, "label" | "group" | "split"> & {
  readonly label: Label;
  readonly group: string;
  readonly split: string;
};

/** Labelled scans of the data set that were there when a model took over. @param since ISO 8601 */
export async function ownScans(warehouse: Warehouse, since: string): Promise<readonly OwnScan[]> {
  const own: OwnScan[] = [];
  for (const { label, group, split, ...row } of await currentImages(warehouse))
    if (isLabel(label) && split !== null && row.ingested_at <= since)
      own.push({ ...row, label, group: group ?? row.id, split });
  return own;
}

/** Neither the network nor a statistic was fitted to these. */
export const isHeldOut = (split: string | null | undefined): split is "validation" | "test" =>
  split === "validation" || split === "test";

export interface HeldOutAnswers {
  readonly model: string;
  readonly threshold: number;
  readonly scans: readonly {
    /** Of Cancer, calibrated, 0 to 1. */
    readonly probability: number;
    readonly label: Label;
    readonly group: string;
    readonly split: "validation" | "test";
  }[];
}

/** What the current model answered for the held-out scans, each picture once; undefined where there is no model. */
export async function heldOutAnswers({
  models,
  warehouse,
}: {
  readonly models: ReadableStore;
  readonly warehouse: Warehouse;
}): Promise<HeldOutAnswers | undefined> {
  const current = await currentModel(models);
  if (!current) return undefined;
  const { model, promotedAt } = current;
  const { threshold } = await readMetadata(modelFilesInStore(models, model));
  const own = new Map((await ownScans(warehouse, promotedAt)).map((scan) => [scan.sha256, scan]));
  const scans = new Map<string, HeldOutAnswers["scans"][number]>();
  for (const { sha256, probability } of await warehouse.ask(MODEL_ANSWERS, { model, before: "9999-12-31" })) {
    const { label, group, split } = own.get(sha256) ?? {};
    if (label === undefined || group === undefined || !isHeldOut(split) || scans.has(sha256)) continue;
    scans.set(sha256, { probability, label, group, split });
  }
  return { model, threshold, scans: [...scans.values()] };
}

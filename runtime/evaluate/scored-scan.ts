import { z } from "zod";
import { type ReadableStore, type ReplaceableStore, readJson } from "../platform/stores";
import type { ScoredImage } from "./evaluation";

const scanSchema = z.object({
  /** Names the scan: the same whichever model answers. */
  id: z.string(),
  /** Scans of one patient, and near-duplicates, share it. */
  group: z.string(),
  /** Where it was collected; empty where that is not known. */
  collection: z.string(),
  label: z.enum(["Cancer", "Non-Cancer"]),
  /** Of Cancer, 0 to 1; null where the model refused the scan. */
  probability: z.number().min(0).max(1).nullable(),
  /** What it would have answered had it refused none; as {@link probability} where it did not. */
  given: z.number().min(0).max(1).optional(),
  /** Of the decoded pixels; absent where an earlier program evaluated. */
  sha256: z.string().optional(),
});
/** A labelled scan with a model's answer: what two models are compared by, scan by scan. */
export type ScoredScan = Readonly<z.infer<typeof scanSchema>>;

/** Where the evaluation of a model lies in the reports bucket. */
export const evaluationPrefix = (model: string): string => `evaluation/${model}/`;

const nameOf = (model: string) => `${evaluationPrefix(model)}scans.json`;

/** Stores a model's answers for the test split. */
export async function writeScans(
  reports: ReplaceableStore,
  model: string,
  test: readonly ScoredImage[],
): Promise<void> {
  const scans = test.map(
    ({ path, group, collection = "", label, probability, refused, sha256 }): ScoredScan => ({
      ...{ id: path, group, collection, label, sha256 },
      ...{ probability: refused ? null : probability, given: probability },
    }),
  );
  await reports.write(nameOf(model), JSON.stringify(scans), { contentType: "application/json" });
}

/** A model's answers for the test split; undefined where an earlier program evaluated it, or none did. */
export async function readScans(reports: ReadableStore, model: string): Promise<readonly ScoredScan[] | undefined> {
  if (!(await reports.stat(nameOf(model)))) return undefined;
  return z.array(scanSchema).parse(await readJson(reports, nameOf(model)));
}

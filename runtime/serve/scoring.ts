import { createHash } from "node:crypto";
import { availableParallelism } from "node:os";
import { type Explanation, explanationOf } from "../explain";
import { RECIPE } from "../imaging";
import { type Classifier, loadClassifier, METADATA_FILE, modelFilesInStore, type ScoredScan } from "../model";
import type { ReadableStore } from "../platform/stores";

/**
 * Scans that are answered at a time, one a thread. Two on a single core too: what is soon done then shares it with a scan
 * of many pages instead of waiting for its end.
 */
export const LANES = Math.max(2, availableParallelism());

/** A loaded, verified and warm model. */
export interface Scorer extends Pick<Classifier, "metadata" | "score" | "encode" | "dispose"> {
  /** SHA-256 of `metadata.json`, which holds the hashes of the other files: names the model's bytes. */
  readonly digest: string;
}

/** @throws {UnusableModelError} */
export async function loadScorer(models: ReadableStore, id: string, threads = LANES): Promise<Scorer> {
  const files = modelFilesInStore(models, id);
  const classifier = await loadClassifier(files, { threads });
  try {
    const blank = new Uint8Array(RECIPE.side * RECIPE.side * RECIPE.channels);
    // Each thread is warm then.
    await classifier.predict(Array.from({ length: threads }, () => blank));
    const digest = createHash("sha256")
      .update(await files.read(METADATA_FILE))
      .digest("hex");
    return {
      metadata: classifier.metadata,
      digest,
      score: (bytes, options) => classifier.score(bytes, options),
      encode: (bytes, options) => classifier.encode(bytes, options),
      dispose: () => classifier.dispose(),
    };
  } catch (error) {
    await classifier.dispose();
    throw error;
  }
}

/** What a map says of an image, where it was stored. */
export const explanationOfMap = (
  { rows, columns, values }: { readonly rows: number; readonly columns: number; readonly values: ArrayLike<number> },
  geometry: ScoredScan["geometry"],
): Explanation => explanationOf({ rows, columns, values: Float32Array.from(values) }, geometry);

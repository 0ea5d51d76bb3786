import type { StepContext, StepCounts } from "../platform/step";
import { ingestAll } from "./ingest-all";
import { type UploadCounts, uploadFolder } from "./upload";

/** Counts of a step that takes files from an input folder, with a sentence for each that it refused to take. */
export interface LandedCounts extends StepCounts {
  readonly refused: readonly string[];
}

/** Uploads an input folder into the workspace's landing folder. */
export async function uploadStep(
  { workspace, signal, progress }: StepContext,
  options: { readonly data: string; readonly limit?: number },
): Promise<UploadCounts> {
  return uploadFolder({ ...options, store: workspace.buckets.landing, signal, progress });
}

/** Ingests what has landed; with `data`, lands that folder first. */
export async function ingestStep(
  context: StepContext,
  options: { readonly data?: string; readonly limit?: number; readonly concurrency?: number } = {},
): Promise<LandedCounts> {
  const { data, limit, concurrency } = options;
  const landed =
    data === undefined ? undefined : await uploadStep(context, limit === undefined ? { data } : { data, limit });
  const counts = await ingestAll(context, concurrency === undefined ? {} : { concurrency });
  const notes = [...(landed?.notes ?? [])];
  if (counts.items + counts.skipped === 0) {
    notes.push(`nothing has landed in ${context.workspace.directory}. Give a folder of scans with --data DIR.`);
  }
  return { ...counts, refused: landed?.refused ?? [], notes };
}

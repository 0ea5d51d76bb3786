import { Command, InvalidArgumentError } from "commander";
import { interruptible, runStep, type StepOptions, wholeNumber } from "../platform/command-line";
import { openStore } from "../platform/open-store";
import { createProgress } from "../platform/progress";
import type { StepContext, StepCounts } from "../platform/step";
import { DEFAULT_WORKSPACE } from "../platform/workspace";
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

/** `upload --data DIR --bucket gs://BUCKET | --out DIR [--limit N]` */
export function uploadCommand(): Command {
  return new Command("upload")
    .description("send a folder of scans to a landing bucket: resumable, checked, never overwriting")
    .requiredOption(
      "--data <dir>",
      "folder with Cancer/, Non-Cancer/, Unlabelled/, and optionally manifest.csv, masks/",
    )
    .option("--bucket <uri>", "landing bucket, gs://BUCKET", bucketUri)
    .option("--out <dir>", "workspace to land in, instead of a bucket", DEFAULT_WORKSPACE)
    .option("--limit <n>", "at most this many scans, balanced over the label folders", wholeNumber())
    .option("--seed <n>", "accepted by every step; an upload has no chance in it", wholeNumber())
    .action(async (options: { data: string; bucket?: string; out: string; limit?: number }) => {
      const { bucket, out, ...rest } = options;
      const selection = { data: rest.data, ...(rest.limit === undefined ? {} : { limit: rest.limit }) };
      const { refused } =
        bucket === undefined
          ? await runStep("upload", { out }, (context) => uploadStep(context, selection))
          : await toBucket(bucket, selection);
      if (refused.length > 0) process.exitCode = 1;
    });
}

/** `ingest [--data DIR] --out DIR` */
export function ingestCommand(): Command {
  return new Command("ingest")
    .description("validate, convert and de-identify what has landed; the rest goes to quarantine with its reason")
    .option("--data <dir>", "land this folder first")
    .option("--out <dir>", "workspace", DEFAULT_WORKSPACE)
    .option("--limit <n>", "with --data: at most this many scans, balanced over the label folders", wholeNumber())
    .option("--seed <n>", "accepted by every step; ingest has no chance in it", wholeNumber())
    .action(async (options: { data?: string; out: string; limit?: number; seed?: number }) => {
      const { out, seed, data, limit } = options;
      const step: StepOptions = seed === undefined ? { out } : { out, seed };
      const { refused } = await runStep("ingest", step, (context) =>
        ingestStep(context, {
          ...(data === undefined ? {} : { data }),
          ...(limit === undefined ? {} : { limit }),
        }),
      );
      if (refused.length > 0) process.exitCode = 1;
    });
}

/** A bucket has no workspace, and so no summary: what was done is said on the terminal. */
async function toBucket(uri: string, selection: { data: string; limit?: number }): Promise<UploadCounts> {
  const store = await openStore(uri);
  const { signal, release } = interruptible();
  try {
    const counts = await uploadFolder({ ...selection, store, signal, progress: createProgress("upload") });
    for (const note of counts.notes ?? []) process.stderr.write(`${note}\n`);
    const { items, skipped, rejected, bytes } = counts;
    process.stdout.write(
      `${store.uri}: ${items} sent (${(bytes / 1e6).toFixed(1)} MB), ${skipped} there already, ${rejected} refused.\n`,
    );
    return counts;
  } catch (error) {
    // A request that the interruption cut off fails in its own words.
    signal.throwIfAborted();
    throw error;
  } finally {
    release();
  }
}

/** A name without gs:// would quietly become a folder here. */
function bucketUri(text: string): string {
  if (!/^gs:\/\/[^/]+\/?$/.test(text)) {
    throw new InvalidArgumentError(`"${text}" is not gs://BUCKET. For a workspace on this machine use --out.`);
  }
  return text;
}

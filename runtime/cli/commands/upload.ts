import { Command } from "commander";
import type { Selection, UploadCounts } from "../../ingest";
import type { FolderNames } from "../../intake";
import { createProgress } from "../../platform/progress";
import { openStore } from "../../platform/stores";
import { DEFAULT_WORKSPACE } from "../../platform/workspace";
import { bucketUri, interruptible, runStep, wholeNumber } from "../command-line";
import { add, check, labels, seed } from "../options";

interface UploadFlags {
  readonly data: string;
  readonly bucket?: string;
  readonly out: string;
  readonly limit?: number;
  readonly labels?: FolderNames;
  readonly add?: boolean;
  readonly check?: boolean;
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
    .addOption(seed())
    .addOption(labels())
    .addOption(add())
    .addOption(check())
    .action(async ({ data, bucket, out, limit, labels: names, ...flags }: UploadFlags) => {
      const selection = { data, ...(limit === undefined ? {} : { limit }), ...(names ? { names } : {}) };
      const { takeIn } = await import("../take-in.js");
      if (!(await takeIn({ ...flags, ...selection, out: bucket === undefined ? out : undefined }))) return;
      const { uploadStep } = await import("../../ingest/index.js");
      const { refused } =
        bucket === undefined
          ? await runStep("upload", { out }, (context) => uploadStep(context, selection))
          : await toBucket(bucket, selection);
      if (refused.length > 0) process.exitCode = 1;
    });
}

/** A bucket has no workspace, and so no summary: what was done is said on the terminal. */
async function toBucket(uri: string, selection: Selection): Promise<UploadCounts> {
  const { uploadFolder } = await import("../../ingest/index.js");
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

import { availableParallelism } from "node:os";
import { rejectRows, ShardFiles, unhashedImages } from "../dataset";
import type { StoresOf } from "../platform/open-stores";
import type { StepContext, StepCounts } from "../platform/step";
import type { Workspace } from "../platform/workspace";
import type { preprocessContract } from "./contract";
import { Decoder } from "./decoder";
import { finishPlan, planFromTable, readTables, type ShardOutcome, writePlannedShard } from "./plan";

/** What the step needs of {@link StepContext}. */
export interface PreprocessContext extends Pick<StepContext, "log" | "progress" | "signal"> {
  readonly workspace: {
    readonly buckets: Pick<StoresOf<typeof preprocessContract>, "curated" | "processed">;
    readonly warehouse: Workspace["warehouse"];
  };
}

export interface PreprocessOptions {
  /** Worker threads. Default: one a processor. */
  readonly threads?: number;
}

/**
 * Groups and splits every curated image, and writes the recipe's pixels of each as Parquet shards, on this machine. What
 * an earlier run did is not done again, and a run that was cut short is completed to the same bytes.
 */
export async function preprocessStep(context: PreprocessContext, options: PreprocessOptions = {}): Promise<StepCounts> {
  const { progress, signal, workspace } = context;
  const files = await ShardFiles.open(workspace.buckets.processed);
  const decoder = new Decoder(workspace.buckets.curated, options.threads ?? availableParallelism());
  try {
    const known = await readTables(context);
    const unhashed = unhashedImages(known.images, known.assignments);
    if (unhashed.length > 0) progress.start(unhashed.length);
    const hashes = await decoder.hash(unhashed, signal, () => progress.advance());
    const plan = await planFromTable(context, known, hashes);
    progress.start(plan.skipped + plan.shards.reduce((sum, { fresh }) => sum + fresh.length, 0), plan.skipped);
    const outcomes: ShardOutcome[] = [];
    for (const shard of plan.shards) {
      signal.throwIfAborted();
      const { pixels, rejections } = await decoder.decode(shard.fresh, signal, () => progress.advance());
      const exists = await writePlannedShard(files, workspace.buckets.curated, shard, pixels);
      outcomes.push({ name: shard.name, decoded: pixels.size, exists, rejects: rejectRows(shard.rows, rejections) });
    }
    return await finishPlan(workspace.buckets.processed, plan, outcomes, ({ source }) => source);
  } finally {
    progress.finish();
    await decoder.close();
    await files.close();
  }
}

import { availableParallelism } from "node:os";
import { PlanDatabase, rejectRows, ShardFiles } from "../dataset";
import type { StoresOf } from "../platform/open-stores";
import type { StepContext, StepCounts } from "../platform/step";
import { PLANNED_IMAGES } from "../platform/warehouse";
import type { Workspace } from "../platform/workspace";
import type { preprocessContract } from "./contract";
import { Decoder } from "./decoder";
import { finishPlan, lookUpShard, makePlan, type ShardOutcome, searchPictures, writePlannedShard } from "./plan";

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

/** Images that are hashed between two looks at the table. */
const HASHED = 10_000;

/**
 * Groups and splits every curated image, and writes the recipe's pixels of each as Parquet shards, on this machine. What
 * an earlier run did is not done again, and a run that was cut short is completed to the same bytes.
 */
export async function preprocessStep(context: PreprocessContext, options: PreprocessOptions = {}): Promise<StepCounts> {
  const { progress, signal, workspace, log } = context;
  const { curated, processed } = workspace.buckets;
  const database = await PlanDatabase.open((file) => workspace.warehouse.extract(PLANNED_IMAGES, {}, file));
  const decoder = new Decoder(curated, options.threads ?? availableParallelism());
  const files = await ShardFiles.open(processed);
  try {
    for await (const unhashed of database.unhashed(HASHED)) {
      progress.start(unhashed.length);
      await database.addHashes(await decoder.hash(unhashed, signal, () => progress.advance()));
    }
    const plan = await makePlan(context, database, [searchPictures(await database.pictures())]);
    progress.start(plan.rows);
    const outcomes: ShardOutcome[] = [];
    let kept = 0;
    const advance = (skipped: number) => {
      progress.advance(plan.rest.skipped - kept + skipped);
      kept = plan.rest.skipped;
    };
    for await (const shard of plan.shards) {
      signal.throwIfAborted();
      const work = await lookUpShard(files, shard, log);
      const skipped = work.planes.size;
      advance(skipped);
      const { pixels, rejections } = await decoder.decode(work.fresh, signal, () => progress.advance());
      const exists = await writePlannedShard(files, curated, work, pixels);
      const rejects = rejectRows(shard.rows, rejections);
      outcomes.push({ name: shard.name, decoded: pixels.size, skipped, exists, rejects });
    }
    advance(0);
    return await finishPlan(processed, plan.rest, outcomes, ({ source }) => source);
  } finally {
    progress.finish();
    await decoder.close();
    await files.close();
    await database.close();
  }
}

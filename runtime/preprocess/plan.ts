import {
  bucketBits,
  bucketOfId,
  bucketRange,
  type ContentShard,
  isUpToDate,
  nearPairs,
  type Pictures,
  type PlanDatabase,
  type Planes,
  type PlannedRow,
  type RejectRow,
  rejectsName,
  resultOf,
  ShardFiles,
  type ShardLabel,
  type ShardRow,
  storeAssignments,
  writeRejects,
} from "../dataset";
import { oneChannel } from "../imaging";
import type { Logger } from "../platform/logging";
import type { StoresOf } from "../platform/open-stores";
import type { StepContext } from "../platform/step";
import type { ObjectStore, ReadableStore } from "../platform/stores";
import type { Workspace } from "../platform/workspace";
import type { preprocessContract } from "./contract";
import { makeMask } from "./lesion-mask";

/** What planning needs of {@link StepContext}. */
export interface PlanContext extends Pick<StepContext, "log" | "signal"> {
  readonly workspace: {
    readonly buckets: Pick<StoresOf<typeof preprocessContract>, "curated" | "processed">;
    readonly warehouse: Workspace["warehouse"];
  };
}

/** A shard that is not there as it is to be, and all that is needed to make it, wherever that is done. */
export interface PlannedShard extends ContentShard {
  /** Names of the shards that may have pixels of its images. */
  readonly sources: readonly string[];
}

/** What a plan says beside its shards. */
export interface PlanRest {
  /** Names of the shards that stay as they are. */
  readonly kept: readonly string[];
  /** Names of all shards that were there. */
  readonly before: readonly string[];
  /** Images of the shards that stay. */
  readonly skipped: number;
  /** Sentences for a person. */
  readonly notes: readonly string[];
}

export interface Plan {
  /** Images that are to be in shards. */
  readonly rows: number;
  /** Those with something to do, one after the other. */
  readonly shards: AsyncGenerator<PlannedShard>;
  /** Complete once all shards were gone through. */
  readonly rest: PlanRest;
}

/** What became of a planned shard. */
export interface ShardOutcome {
  readonly name: string;
  /** Images whose pixels were made. */
  readonly decoded: number;
  /** Images whose pixels were there. */
  readonly skipped: number;
  /** False where no image of it could be read. */
  readonly exists: boolean;
  readonly rejects: readonly RejectRow[];
}

/** The images that are near each other among pictures, two positions of images each. */
export function searchPictures({ firsts, ...pictures }: Pictures & { readonly firsts: Uint32Array }): Uint32Array {
  return resultOf(nearPairs(pictures)).map((picture) => firsts[picture] as number);
}

/**
 * Groups and splits every image of a plan, stores that where the plan was made of the tables, and says what is to be done.
 *
 * @param pairs positions of images that are near, two each
 */
export async function makePlan(
  context: PlanContext,
  database: PlanDatabase,
  pairs: Iterable<Uint32Array>,
  isListing = false,
): Promise<Plan> {
  const { workspace } = context;
  const notes = [...(await database.group(pairs))];
  if (!isListing) await storeAssignments({ ...context, warehouse: workspace.warehouse }, database);
  const { rows, contradicting } = await database.layOut(workspace.buckets.curated);
  if (!isListing) {
    const hashed = await database.hashesAdded();
    if (rows === 0) notes.push("there is no curated image here. Run npm run ingest on this workspace first.");
    if (hashed > 0) {
      notes.push(
        `${hashed} images were compared with all others anew: recipe or perceptual hash have changed since they were ingested.`,
      );
    }
    if (contradicting > 0) {
      notes.push(
        `${contradicting} pictures landed as Cancer and as Non-Cancer under different names. They are processed without ` +
          "a label and take no part in training; delete the wrong ones from landing.",
      );
    }
  }
  const stored = await storedShards(context, bucketBits(rows));
  const kept: string[] = [];
  const rest = { kept, before: [...stored.labels.keys()], skipped: 0, notes };
  async function* shards(): AsyncGenerator<PlannedShard> {
    for await (const shard of database.shards(rows)) {
      if (stored.labels.get(shard.name)?.content === shard.content) {
        kept.push(shard.name);
        rest.skipped += shard.rows.length;
      } else yield { ...shard, sources: stored.sources.get(Number(shard.bucket.split("/")[1])) ?? [] };
    }
  }
  return { rows, shards: shards(), rest };
}

/** The shards that are there, and which of them may have images of each bucket of so many bits. */
async function storedShards({ workspace, log }: PlanContext, bits: number) {
  const files = await ShardFiles.open(workspace.buckets.processed);
  try {
    const labels = await files.labels();
    const sources = new Map<number, string[]>();
    for (const [name, { bucket }] of labels) {
      for (const number of await bucketsOf(files, name, bucket, bits, log)) {
        const some = sources.get(number);
        if (some) some.push(name);
        else sources.set(number, [name]);
      }
    }
    return { labels, sources };
  } finally {
    await files.close();
  }
}

/** The buckets that a shard's images lie in. What an earlier version wrote has to be looked into. */
async function bucketsOf(
  files: ShardFiles,
  name: string,
  label: string | undefined,
  bits: number,
  log: Logger,
): Promise<Iterable<number>> {
  const range = label === undefined ? undefined : bucketRange(label, bits);
  if (range) return Array.from({ length: range[1] - range[0] + 1 }, (_, index) => range[0] + index);
  try {
    return new Set((await files.rows(name)).map(({ id }) => bucketOfId(id, bits)));
  } catch (error) {
    log.warn({ shard: name, err: error }, "A shard cannot be read and is written again.");
    return [];
  }
}

/** A planned shard and what of it is there. */
export interface ShardWork {
  readonly shard: PlannedShard;
  /** The rows whose pixels have to be made from the curated file. */
  readonly fresh: readonly PlannedRow[];
  /** What is stored of the others. */
  readonly planes: ReadonlyMap<string, Planes>;
  /** A shard of that name is stored and has exactly the rows that are not fresh. */
  readonly isThere: boolean;
}

/** Looks for the pixels of a shard's images in the shards that may have them. */
export async function lookUpShard(files: ShardFiles, shard: PlannedShard, log: Logger): Promise<ShardWork> {
  const wanted = new Map(shard.rows.map((row) => [row.id, row]));
  const planes = new Map<string, Planes>();
  let content: readonly ShardRow[] | undefined;
  for (const name of shard.sources) {
    try {
      const found = await files.rowsWithPixels(name, undefined);
      if (name === shard.name) content = found.map(({ row }) => row);
      for (const { row, pixels, mask } of found)
        if (wanted.get(row.id)?.sha256 === row.sha256) planes.set(row.id, { grey: oneChannel(pixels), mask });
    } catch (error) {
      log.warn({ shard: name, err: error }, "A shard cannot be read and is written again.");
    }
  }
  const others = shard.rows.filter(({ id }) => planes.has(id));
  return {
    shard,
    fresh: shard.rows.filter(({ id }) => !planes.has(id)),
    planes,
    isThere: others.length > 0 && content !== undefined && isUpToDate(content, others),
  };
}

/**
 * Writes a shard from the pixels that were made and those that are stored, unless it is there already.
 *
 * @param curated where the lesion masks lie
 * @param pixels one channel, 128 x 128 bytes, by id, of the fresh rows that could be read
 * @returns false where there is nothing to write
 */
export async function writePlannedShard(
  files: ShardFiles<ObjectStore>,
  curated: ReadableStore,
  { shard, planes: stored, isThere }: ShardWork,
  pixels: ReadonlyMap<string, Uint8Array>,
): Promise<boolean> {
  const rows = shard.rows.filter(({ id }) => stored.has(id) || pixels.has(id));
  if (rows.length === 0) return false;
  if (pixels.size === 0 && isThere) return true;
  const all = new Map<string, Planes>();
  let isComplete = rows.length === shard.rows.length;
  for (const { id, object, mask: name } of rows) {
    const { grey, mask } = stored.get(id) ?? { grey: pixels.get(id) as Uint8Array, mask: null };
    const made = name === null ? null : (mask ?? (await makeMask(curated, object, name)));
    if (name !== null && made === null) isComplete = false;
    all.set(id, { grey, mask: made });
  }
  const { name, bucket, content } = shard;
  const label: ShardLabel = isComplete ? { bucket, content } : { bucket };
  await files.write({ name, rows }, all, label);
  return true;
}

/**
 * Deletes the shards that the new ones replace and stores which images were left out. Gives the step's counts.
 *
 * @param call what the notes call an image: its file for the person whose terminal it is, its id in the log of a cluster
 */
export async function finishPlan(
  processed: ObjectStore,
  { before, kept, skipped, notes }: PlanRest,
  outcomes: readonly ShardOutcome[],
  call: (reject: RejectRow) => string,
): Promise<{ items: number; skipped: number; rejected: number; notes: readonly string[] }> {
  const live = new Set([...kept, ...outcomes.filter(({ exists }) => exists).map(({ name }) => name)]);
  for (const name of before) if (!live.has(name)) await processed.delete(name);
  const rejects = outcomes.flatMap((outcome) => outcome.rejects).sort((a, b) => (a.id < b.id ? -1 : 1));
  await writeRejects(processed, rejects);
  return {
    items: outcomes.reduce((sum, { decoded }) => sum + decoded, 0),
    skipped: outcomes.reduce((sum, outcome) => sum + outcome.skipped, skipped),
    rejected: rejects.length,
    notes: [...notes, ...describe(rejects, call)],
  };
}

/** Most images that are named one by one to a person. */
const NAMED = 20;

function describe(rejects: readonly RejectRow[], call: (reject: RejectRow) => string): string[] {
  const named = rejects
    .slice(0, NAMED)
    .map(
      (reject) => `${call(reject)} is left out: ${reject.message} Restore the file, or land the scan under a new name.`,
    );
  const others = rejects.length - named.length;
  return others > 0 ? [...named, `and ${others} more: processed/${rejectsName()} names them all.`] : named;
}

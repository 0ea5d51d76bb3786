import {
  assignGroups,
  type CuratedPage,
  type CurrentImage,
  curatedMasks,
  currentAssignments,
  currentImages,
  groupables,
  isUpToDate,
  onePerPicture,
  type Planes,
  type PlannedRow,
  planShards,
  type RejectRow,
  rejectsName,
  type Shard,
  ShardFiles,
  type ShardRow,
  type StoredAssignment,
  storeAssignments,
  withGroups,
  writeRejects,
} from "../dataset";
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

/** A shard with something to do, and all that is needed to do it, wherever it is done. */
export interface PlannedShard {
  readonly name: string;
  /** Ascending by id. */
  readonly rows: readonly ShardRow[];
  /** The rows whose pixels have to be made from the curated file. */
  readonly fresh: readonly CuratedPage[];
  /** The rows whose lesion masks have to be made, with the page and the mask in the curated bucket. */
  readonly masks: readonly { readonly id: string; readonly object: string; readonly mask: string }[];
  /** Which stored shard has the pixels of the others. */
  readonly stored: Readonly<Record<string, readonly string[]>>;
  /** A shard of that name is stored and has exactly the rows that are not fresh. */
  readonly hasOthers: boolean;
  /** Bytes of the decoded pixels of the fresh rows, about. */
  readonly cost: number;
}

export interface Plan {
  readonly shards: readonly PlannedShard[];
  /** Names of the shards that stay as they are. */
  readonly kept: readonly string[];
  /** Names of all shards that were there. */
  readonly before: readonly string[];
  /** Images whose pixels are stored. */
  readonly skipped: number;
  /** Sentences for a person. */
  readonly notes: readonly string[];
}

/** What became of a planned shard. */
export interface ShardOutcome {
  readonly name: string;
  /** Images whose pixels were made. */
  readonly decoded: number;
  /** False where no image of it could be read. */
  readonly exists: boolean;
  readonly rejects: readonly RejectRow[];
}

/** What the tables say of the images that a data set is made of. */
export interface KnownImages {
  readonly images: readonly CurrentImage[];
  readonly assignments: ReadonlyMap<string, StoredAssignment>;
}

export async function readTables({ workspace }: Pick<PlanContext, "workspace">): Promise<KnownImages> {
  const { warehouse } = workspace;
  return { images: await currentImages(warehouse), assignments: await currentAssignments(warehouse) };
}

/**
 * Groups and splits every current image of the table `images`, stores that, and says what is to be done.
 *
 * @param hashes of the images whose stored hash is not by the current perceptual hash, by id; one without is compared by none
 */
export async function planFromTable(
  context: PlanContext,
  { images, assignments }: KnownImages,
  hashes: ReadonlyMap<string, string>,
): Promise<Plan> {
  const { workspace, signal, log } = context;
  const deciding = groupables(images, assignments, hashes);
  const grouping = assignGroups(deciding);
  const assigned = withGroups(deciding, grouping);
  await storeAssignments({ warehouse: workspace.warehouse, signal, log }, assignments, assigned);
  const grouped = assigned.map(({ group, split, phash }, index) => ({
    ...(images[index] as (typeof images)[number]),
    ...{ group, split, phash },
  }));
  const { rows, contradicting } = onePerPicture(grouped, await curatedMasks(workspace.buckets.curated));
  const notes = [...grouping.notes];
  if (images.length === 0) notes.push("there is no curated image here. Run npm run ingest on this workspace first.");
  if (hashes.size > 0) {
    notes.push(
      `${hashes.size} images were compared with all others anew: recipe or perceptual hash have changed since they were ingested.`,
    );
  }
  if (contradicting > 0) {
    notes.push(
      `${contradicting} pictures landed as Cancer and as Non-Cancer under different names. They are processed without ` +
        "a label and take no part in training; delete the wrong ones from landing.",
    );
  }
  return planRows(context, rows, notes);
}

/** Compares the rows that are to be with the shards that are there. */
export async function planRows(
  { workspace, log }: PlanContext,
  rows: readonly PlannedRow[],
  notes: readonly string[],
): Promise<Plan> {
  const files = await ShardFiles.open(workspace.buckets.processed);
  try {
    const before = await files.names();
    const contents = new Map<string, readonly ShardRow[]>();
    const stored = new Map<string, StoredImage>();
    for (const name of before) {
      try {
        const found = await files.rows(name);
        contents.set(name, found);
        for (const { id, sha256, masked } of found) stored.set(id, { shard: name, sha256, masked });
      } catch (error) {
        log.warn({ shard: name, err: error }, "A shard cannot be read and is written again.");
      }
    }
    const shards: PlannedShard[] = [];
    const kept: string[] = [];
    let skipped = 0;
    for (const shard of planShards(rows)) {
      const planned = planShard(shard, contents.get(shard.name), stored);
      skipped += planned.rows.length - planned.fresh.length;
      if (planned.fresh.length === 0 && planned.hasOthers) kept.push(planned.name);
      else shards.push(planned);
    }
    return { shards, kept, before, skipped, notes };
  } finally {
    await files.close();
  }
}

interface StoredImage {
  readonly shard: string;
  readonly sha256: string;
  readonly masked: boolean;
}

function planShard(
  { name, rows }: Shard<PlannedRow>,
  content: readonly ShardRow[] | undefined,
  stored: ReadonlyMap<string, StoredImage>,
): PlannedShard {
  const isFresh = (row: ShardRow) => stored.get(row.id)?.sha256 !== row.sha256;
  const fresh = rows.filter(isFresh);
  const others = rows.filter((row) => !isFresh(row));
  const sources: Record<string, string[]> = {};
  for (const { id } of others) {
    const { shard } = stored.get(id) as StoredImage;
    sources[shard] ??= [];
    sources[shard].push(id);
  }
  return {
    name,
    rows: rows.map(({ object: _object, mask: _mask, cost: _cost, ...row }) => row),
    fresh: fresh.map(({ id, object, sha256 }) => ({ id, object, sha256 })),
    masks: rows.flatMap((row) => {
      const { id, object, mask } = row;
      return mask !== null && (isFresh(row) || !stored.get(id)?.masked) ? [{ id, object, mask }] : [];
    }),
    stored: sources,
    hasOthers: others.length > 0 && content !== undefined && isUpToDate(content, others),
    cost: fresh.reduce((sum, row) => sum + row.cost, 0),
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
  shard: Omit<PlannedShard, "cost">,
  pixels: ReadonlyMap<string, Uint8Array>,
): Promise<boolean> {
  const unreadable = new Set(shard.fresh.flatMap(({ id }) => (pixels.has(id) ? [] : [id])));
  const rows = shard.rows.filter(({ id }) => !unreadable.has(id));
  if (rows.length === 0) return false;
  if (pixels.size === 0 && shard.hasOthers) return true;
  const all = new Map<string, Planes>([...pixels].map(([id, grey]) => [id, { grey, mask: null }]));
  for (const [name, ids] of Object.entries(shard.stored)) {
    for (const [id, planes] of await files.planes(name, new Set(ids))) all.set(id, planes);
  }
  const masked = new Set(rows.flatMap(({ id, masked }) => (masked ? [id] : [])));
  for (const [id, { grey, mask }] of all) if (mask && !masked.has(id)) all.set(id, { grey, mask: null });
  for (const { id, object, mask } of shard.masks) {
    const planes = all.get(id);
    if (planes) all.set(id, { grey: planes.grey, mask: await makeMask(curated, object, mask) });
  }
  await files.write({ name: shard.name, rows }, all);
  return true;
}

/**
 * Deletes the shards that the new ones replace and stores which images were left out. Gives the step's counts.
 *
 * @param call what the notes call an image: its file for the person whose terminal it is, its id in the log of a cluster
 */
export async function finishPlan(
  processed: ObjectStore,
  { before, kept, skipped, notes }: Omit<Plan, "shards">,
  outcomes: readonly ShardOutcome[],
  call: (reject: RejectRow) => string,
): Promise<{ items: number; skipped: number; rejected: number; notes: readonly string[] }> {
  const live = new Set([...kept, ...outcomes.filter(({ exists }) => exists).map(({ name }) => name)]);
  for (const name of before) if (!live.has(name)) await processed.delete(name);
  const rejects = outcomes.flatMap((outcome) => outcome.rejects).sort((a, b) => (a.id < b.id ? -1 : 1));
  await writeRejects(processed, rejects);
  return {
    items: outcomes.reduce((sum, { decoded }) => sum + decoded, 0),
    skipped,
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

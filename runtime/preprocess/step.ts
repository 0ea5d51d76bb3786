import { availableParallelism } from "node:os";
import { LABELS, type Label } from "../platform/labels";
import type { StepContext, StepCounts } from "../platform/step";
import type { ImageRow } from "../platform/warehouse/tables";
import type { Workspace } from "../platform/workspace";
import { Decoder } from "./decoder";
import { assignGroups, type Groupable, SPLITS, type Split } from "./groups";
import { isUpToDate, planShards, ShardFiles, type ShardRow } from "./shards";

/** What the step needs of {@link StepContext}. */
export interface PreprocessContext extends Pick<StepContext, "log" | "progress" | "signal"> {
  readonly workspace: {
    readonly buckets: Pick<Workspace["buckets"], "curated" | "processed">;
    readonly warehouse: Workspace["warehouse"];
  };
}

export interface PreprocessOptions {
  /** Worker threads. Default: one a processor. */
  readonly threads?: number;
}

interface StoredRow {
  readonly batch: string;
  readonly row: ImageRow;
}

type CuratedRow = ImageRow & { readonly sha256: string; readonly phash: string };

/**
 * Groups and splits every curated image, and writes the recipe's pixels of each as Parquet shards. What an earlier run
 * did is not done again, and a run that was cut short is completed to the same bytes.
 */
export async function preprocessStep(context: PreprocessContext, options: PreprocessOptions = {}): Promise<StepCounts> {
  const stored = await context.workspace.warehouse.rows("images");
  const live = liveRows(stored);
  const grouping = assignGroups(live.map((row) => groupable(row, stored)));
  const grouped = live.map((row) => {
    const { group, split } = grouping.assignments.get(row.id) as { group: string; split: Split };
    return { ...row, group, split };
  });
  await storeGroups(context, stored, grouped);

  const { rows, contradicting } = shardRows(grouped);
  const notes = [...grouping.notes];
  if (live.length === 0) notes.push("there is no curated image here. Run npm run ingest on this workspace first.");
  if (contradicting > 0) {
    notes.push(
      `${contradicting} pictures landed as Cancer and as Non-Cancer under different names. They are processed without ` +
        "a label and take no part in training; delete the wrong ones from landing.",
    );
  }
  const counts = await writeShards(context, options, rows, notes);
  return { ...counts, notes };
}

/** Curated rows of the latest generation of each object, ascending by id. */
function liveRows(stored: readonly StoredRow[]): CuratedRow[] {
  const latest = new Map<string, number>();
  for (const { row } of stored) {
    const object = objectOf(row.source);
    latest.set(object, Math.max(latest.get(object) ?? 0, row.generation));
  }
  const live = new Map<string, CuratedRow>();
  for (const { row } of stored) {
    if (row.status !== "curated" || row.generation !== latest.get(objectOf(row.source))) continue;
    if (row.sha256 !== null && row.phash !== null) live.set(row.id, row as CuratedRow);
  }
  return [...live.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** The object that a row's page lies in. */
function objectOf(source: string): string {
  return source.replace(/#page=\d+$/, "");
}

const groupsById = new WeakMap<readonly StoredRow[], Map<string, ImageRow>>();

/** A scan that is uploaded again keeps its group: its id is the same, its new row has none yet. */
function groupable(row: CuratedRow, stored: readonly StoredRow[]): Groupable {
  let known = groupsById.get(stored);
  if (!known) {
    known = new Map();
    for (const { row: any } of stored) {
      const earlier = known.get(any.id);
      if (any.group !== null && (!earlier || earlier.generation < any.generation)) known.set(any.id, any);
    }
    groupsById.set(stored, known);
  }
  const decided = row.group === null ? known.get(row.id) : row;
  return {
    id: row.id,
    sha256: row.sha256,
    phash: row.phash,
    patient: row.patient,
    givenSplit: asSplit(row.given_split),
    group: decided?.group ?? null,
    split: asSplit(decided?.split ?? null),
  };
}

function asSplit(value: string | null): Split | null {
  return SPLITS.find((split) => split === value) ?? null;
}

/** Writes group and split into the batches whose rows lack them or say something else. */
async function storeGroups(
  { workspace, signal, log }: PreprocessContext,
  stored: readonly StoredRow[],
  grouped: readonly (CuratedRow & { group: string; split: Split })[],
): Promise<void> {
  const wanted = new Map(grouped.map((row) => [`${row.id} ${row.generation}`, row]));
  const batches = new Map<string, { rows: ImageRow[]; changed: boolean; known: boolean }>();
  for (const { batch, row } of stored) {
    const now = wanted.get(`${row.id} ${row.generation}`);
    const entry = batches.get(batch) ?? { rows: [], changed: false, known: false };
    batches.set(batch, entry);
    entry.rows.push(now ? { ...row, group: now.group, split: now.split } : row);
    if (!now) continue;
    if (row.group !== null) entry.known = true;
    if (row.group !== now.group || row.split !== now.split) entry.changed = true;
  }
  // Images that had a group come first: as long as the others have none, they are compared with everything again.
  const changed = [...batches].filter(([, entry]) => entry.changed);
  for (const known of [true, false]) {
    const now = changed.filter(([, entry]) => entry.known === known);
    for (let start = 0; start < now.length; start += 16) {
      signal.throwIfAborted();
      await Promise.all(
        now.slice(start, start + 16).map(([name, { rows }]) => workspace.warehouse.append("images", name, rows)),
      );
    }
  }
  log.debug({ batches: changed.length }, "groups and splits stored");
}

/** One row a picture: equal pixels under several names give one row, without a label where the names contradict. */
function shardRows(grouped: readonly (CuratedRow & { group: string; split: Split })[]): {
  rows: ShardRow[];
  contradicting: number;
} {
  const pictures = new Map<string, (CuratedRow & { group: string; split: Split })[]>();
  for (const row of grouped) {
    const same = pictures.get(row.sha256);
    if (same) same.push(row);
    else pictures.set(row.sha256, [row]);
  }
  let contradicting = 0;
  const rows = [...pictures.values()].map((same) => {
    const first = same.find((row) => row.duplicate_of === null) ?? (same[0] as CuratedRow & (typeof same)[number]);
    const labels = LABELS.filter((label) => same.some((row) => row.label === label));
    if (labels.length > 1) contradicting++;
    const label: Label | null = labels.length === 1 ? (labels[0] as Label) : null;
    const { id, group, split, sha256, phash, source, generation } = first;
    return { id, label, group, split, sha256, phash, source, generation };
  });
  return { rows, contradicting };
}

async function writeShards(
  context: PreprocessContext,
  options: PreprocessOptions,
  rows: readonly ShardRow[],
  notes: string[],
): Promise<{ items: number; skipped: number; rejected: number }> {
  const { progress, signal, workspace, log } = context;
  const files = await ShardFiles.open(workspace.buckets.processed);
  const decoder = new Decoder(workspace.buckets.curated, options.threads ?? availableParallelism());
  const counts = { items: 0, skipped: 0, rejected: 0 };
  try {
    const before = await files.names();
    const contents = new Map<string, readonly ShardRow[]>();
    const stored = new Map<string, { readonly shard: string; readonly sha256: string }>();
    for (const name of before) {
      try {
        const found = await files.rows(name);
        contents.set(name, found);
        for (const { id, sha256 } of found) stored.set(id, { shard: name, sha256 });
      } catch (error) {
        log.warn({ shard: name, err: error }, "A shard cannot be read and is written again.");
      }
    }
    const isNew = (row: ShardRow) => stored.get(row.id)?.sha256 !== row.sha256;

    progress.start(rows.length);
    const written = new Set<string>();
    for (const shard of planShards(rows)) {
      signal.throwIfAborted();
      const fresh = shard.rows.filter(isNew);
      const { pixels, failures } = await decoder.decode(fresh, signal, () => progress.advance());
      for (const [row, why] of failures) notes.push(`${row.source} is left out: ${why} Upload the scan again.`);
      const failed = new Set([...failures.keys()].map(({ id }) => id));
      const readable = shard.rows.filter((row) => !failed.has(row.id));
      counts.items += pixels.size;
      counts.skipped += shard.rows.length - fresh.length;
      counts.rejected += failures.size;
      if (readable.length > 0) written.add(shard.name);
      if (readable.length > 0 && !isUpToDate(contents.get(shard.name) ?? [], readable)) {
        for (const [name, ids] of sourcesOf(readable, pixels, stored)) {
          for (const [id, grey] of await files.pixels(name, ids)) pixels.set(id, grey);
        }
        await files.write({ name: shard.name, rows: readable }, pixels);
      }
      progress.advance(shard.rows.length - fresh.length);
    }
    // Only now is nothing needed any more of what the new shards replace.
    for (const name of before) if (!written.has(name)) await workspace.buckets.processed.delete(name);
    return counts;
  } finally {
    progress.finish();
    await decoder.close();
    await files.close();
  }
}

/** Which images to take from which stored shard. */
function sourcesOf(
  rows: readonly ShardRow[],
  decoded: ReadonlyMap<string, Uint8Array>,
  stored: ReadonlyMap<string, { readonly shard: string }>,
): Map<string, Set<string>> {
  const sources = new Map<string, Set<string>>();
  for (const { id } of rows) {
    const from = stored.get(id)?.shard;
    if (decoded.has(id) || from === undefined) continue;
    const ids = sources.get(from);
    if (ids) ids.add(id);
    else sources.set(from, new Set([id]));
  }
  return sources;
}

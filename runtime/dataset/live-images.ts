import { asSplit, LABELS, type Label, type Split } from "../intake";
import type { Logger } from "../platform/logging";
import type { ImageRow } from "../platform/warehouse/tables";
import type { Warehouse } from "../platform/warehouse/warehouse";
import { curatedName } from "./curated-object";
import type { Groupable, Grouping } from "./groups";
import type { ShardRow } from "./shards";

export interface StoredRow {
  readonly batch: string;
  readonly row: ImageRow;
}

/** A row of `images` whose pixels are curated. */
export type CuratedRow = ImageRow & { readonly sha256: string; readonly phash: string };

export type GroupedRow = CuratedRow & { readonly group: string; readonly split: Split };

/** A row of a shard that is to be, with where its pixels come from. */
export interface PlannedRow extends ShardRow {
  /** Name in the curated bucket. */
  readonly object: string;
  /** Name of its lesion mask in the curated bucket. */
  readonly mask: string | null;
  /** Bytes of its decoded pixels, about: what it costs to make. */
  readonly cost: number;
}

/** A slice of 256 x 256: what an image is taken for whose size is not known. */
const USUAL_COST = 256 * 256;

/** Bytes of an image's decoded pixels, about. */
export function decodedBytes({
  width,
  height,
}: {
  width?: number | null | undefined;
  height?: number | null | undefined;
}): number {
  return width && height ? width * height : USUAL_COST;
}

/** Curated rows of the latest generation of each object, ascending by id. */
export function liveRows(stored: readonly StoredRow[]): CuratedRow[] {
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

/** What decides the groups of live rows. A scan that is uploaded again keeps its group: its id is the same, its new row has none yet. */
export function groupables(live: readonly CuratedRow[], stored: readonly StoredRow[]): Groupable[] {
  const known = new Map<string, ImageRow>();
  for (const { row } of stored) {
    const earlier = known.get(row.id);
    if (row.group !== null && (!earlier || earlier.generation < row.generation)) known.set(row.id, row);
  }
  return live.map((row) => {
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
  });
}

/** The rows with what the grouping says of them. */
export function withGroups<R extends { readonly id: string }>(rows: readonly R[], { assignments }: Grouping) {
  return rows.map((row) => {
    const { group, split } = assignments.get(row.id) as { group: string; split: Split };
    return { ...row, group, split };
  });
}

/** Writes group and split into the batches whose rows lack them or say something else. */
export async function storeGroups(
  { warehouse, signal, log }: { readonly warehouse: Warehouse; readonly signal: AbortSignal; readonly log: Logger },
  stored: readonly StoredRow[],
  grouped: readonly GroupedRow[],
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
      await Promise.all(now.slice(start, start + 16).map(([name, { rows }]) => warehouse.append("images", name, rows)));
    }
  }
  log.debug({ batches: changed.length }, "groups and splits stored");
}

/**
 * One row a picture: equal pixels under several names give one row, without a label where the names contradict.
 *
 * @param masks names of the lesion masks in the curated bucket by image id
 */
export function onePerPicture(
  grouped: readonly GroupedRow[],
  masks: ReadonlyMap<string, string>,
): { rows: PlannedRow[]; contradicting: number } {
  const pictures = new Map<string, GroupedRow[]>();
  for (const row of grouped) {
    const same = pictures.get(row.sha256);
    if (same) same.push(row);
    else pictures.set(row.sha256, [row]);
  }
  let contradicting = 0;
  const rows = [...pictures.values()].map((same) => {
    const first = same.find((row) => row.duplicate_of === null) ?? (same[0] as GroupedRow);
    const labels = LABELS.filter((label) => same.some((row) => row.label === label));
    if (labels.length > 1) contradicting++;
    const label: Label | null = labels.length === 1 ? (labels[0] as Label) : null;
    const { id, group, split, sha256, phash, source, generation } = first;
    const object = curatedName(sha256);
    const mask = [first, ...same].flatMap((row) => masks.get(row.id) ?? [])[0] ?? null;
    const cost = decodedBytes(first);
    return { id, label, group, split, sha256, phash, source, generation, masked: mask !== null, object, mask, cost };
  });
  return { rows, contradicting };
}

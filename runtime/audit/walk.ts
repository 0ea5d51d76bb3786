import { ChecksumMismatchError } from "../platform/stores";
import { type LeafData, leafBytes } from "./leaf";
import type { Log } from "./log";
import { HASH_BYTES, leafHash, rootOf } from "./merkle";
import { BadNote, type Checkpoint, type NoteKey, openCheckpoint } from "./note";
import { nodesOf, type Tile, tilesOfMore } from "./tiles";

/** What is wrong with a log, or with the rows that it is of. */
export type FindingKind =
  | "changed"
  | "deleted"
  | "inserted"
  | "reordered"
  | "unreadable"
  | "late"
  | "rolled-back"
  | "forked"
  | "damaged-log"
  | "bad-signature"
  | "not-sealed";

export interface Finding {
  readonly kind: FindingKind;
  /** Number of the leaf, from 0. */
  readonly leaf?: number;
  readonly table?: string;
  readonly batch?: string;
  /** In its batch, from 0. */
  readonly row?: number;
  readonly sentence: string;
}

/** A log, read from its first leaf to its last and computed anew. */
export interface Walked {
  /** Up to its last checkpoint. */
  readonly leaves: readonly LeafData[];
  /** Those whose signature and root are right, ascending. */
  readonly checkpoints: readonly Checkpoint[];
  readonly findings: readonly Finding[];
  /** What is no fault, a sentence each. */
  readonly notes: readonly string[];
}

/** Reads all of a log, and says where it is not what its own checkpoints signed. */
export async function walk(log: Log, key: NoteKey): Promise<Walked> {
  const findings: Finding[] = [];
  const notes: string[] = [];
  const checkpoints: Checkpoint[] = [];
  const place = log.store.uri;
  const damaged = (sentence: string, leaf?: number) =>
    findings.push({ kind: "damaged-log", ...(leaf === undefined ? {} : { leaf }), sentence });
  const [entries, signed] = [new Set(await log.entries()), new Set(await log.checkpoints())];
  /** Of each level of tiles the last one: all that goes on. */
  const edge = new Map<string, Tile>();
  const read = async (name: string) => [...edge.values()].find((tile) => tile.name === name)?.content;
  const leaves: LeafData[] = [];
  let whole = 0;
  while (entries.delete(leaves.length)) {
    const from = leaves.length;
    const some = await log.leaves(from).catch(unlessDamaged);
    const bad = some ? some.indexOf(undefined) : 0;
    if (!some || bad >= 0) {
      damaged(`Leaf ${from + bad} in ${place} is damaged: what comes after it cannot be checked.`, from + bad);
      break;
    }
    leaves.push(...(some as LeafData[]));
    const hashes = (some as LeafData[]).map((leaf) => leafHash(leafBytes(leaf)));
    for (const tile of await tilesOfMore(read, from, hashes)) {
      edge.set(tile.name.split("/")[1] as string, tile);
      const at = differenceIn(tile, await log.readTile(tile.name).catch(unlessDamaged));
      if (at !== undefined) damaged(`${tile.name} in ${place} does not hold the hashes of the leaves (hash ${at}).`);
    }
    const size = leaves.length;
    if (!signed.delete(size)) {
      if (entries.size === 0 && signed.size === 0)
        notes.push(`A seal of ${size - from} leaves was begun and not ended: the next one goes on.`);
      else damaged(`The checkpoint of ${size} leaves is missing in ${place}.`);
      continue;
    }
    const root = await rootOf(nodesOf(read, size), size);
    const opened = await open(log, size, key);
    if (typeof opened === "string") findings.push({ kind: "bad-signature", sentence: opened });
    else if (opened.size !== size || !opened.root.equals(root))
      damaged(
        `The checkpoint of ${size} leaves in ${place} has another root than the leaves: one of leaves ${from} to ${size - 1} was changed, or their order.`,
        from,
      );
    else {
      checkpoints.push(opened);
      whole = size;
    }
  }
  const beyond = [...signed].filter((size) => size > leaves.length);
  if (beyond.length > 0)
    damaged(
      `There are leaves up to ${leaves.length} in ${place}, and a checkpoint of ${Math.max(...beyond)}: leaves from ${leaves.length} on are missing.`,
      leaves.length,
    );
  else if (entries.size > 0) damaged(`Leaves from ${leaves.length} on are missing in ${place}.`, leaves.length);
  return { leaves: leaves.slice(0, whole), checkpoints, findings, notes };
}

async function open(log: Log, size: number, key: NoteKey): Promise<Checkpoint | string> {
  const named = `The checkpoint of ${size} leaves in ${log.store.uri}`;
  const note = await log.note(size).catch(unlessDamaged);
  if (note === undefined) return `${named} is damaged.`;
  try {
    return openCheckpoint(note, key);
  } catch (error) {
    if (error instanceof BadNote) return `${named} ${error.message}`;
    throw error;
  }
}

function unlessDamaged(error: unknown): undefined {
  if (!(error instanceof ChecksumMismatchError)) throw error;
  return undefined;
}

/** Where a tile differs first: a hash in it, from 0. */
function differenceIn({ content }: Tile, stored: Buffer | undefined): number | undefined {
  if (stored?.equals(content)) return undefined;
  for (let at = 0; at < content.length; at += HASH_BYTES)
    if (!stored?.subarray(at, at + HASH_BYTES).equals(content.subarray(at, at + HASH_BYTES))) return at / HASH_BYTES;
  return content.length / HASH_BYTES;
}

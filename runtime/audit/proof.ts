import type { Warehouse } from "../platform/warehouse";
import { digestOf, leafBytes, type SealedRow, type SealedTable, timeOf } from "./leaf";
import { Log, type LogStore } from "./log";
import { consistencyProof, inclusionProof, leafHash, rootOf, rootOfInclusion } from "./merkle";
import { type Checkpoint, encodeKey, openCheckpoint } from "./note";
import { Plans } from "./plan";

/** That a row is in the log: everything that an outsider needs to see it. Hashes are base64. */
export interface InclusionProof {
  readonly table: SealedTable;
  /** The row as it lies in its table, its salt included. */
  readonly row: SealedRow;
  readonly leaf: {
    readonly index: number;
    /** The leaf's bytes; its `digest` is HMAC-SHA256 of the row under its salt. */
    readonly data: string;
    /** 64 hex digits: what the receipt of an answer names. */
    readonly hash: string;
  };
  readonly proof: readonly string[];
  /** A signed note (c2sp.org/tlog-checkpoint). */
  readonly checkpoint: string;
  /** NAME+ID+KEY (c2sp.org/signed-note). */
  readonly key: string;
}

/** That the log of a later checkpoint begins with all of an earlier one. */
export interface ConsistencyProof {
  readonly from: string;
  readonly to: string;
  readonly sizes: readonly [number, number];
  readonly proof: readonly string[];
  readonly key: string;
}

/** There is nothing to prove. The message is a sentence. */
export class NothingToProve extends Error {
  constructor(
    message: string,
    /** Whether what was named is nothing, rather than not sealed yet. */
    readonly unknown = false,
  ) {
    super(message);
  }
}

/** @throws {NothingToProve} if there is no such row, it is not sealed yet, or the log is damaged */
export async function proveInclusion(
  warehouse: Pick<Warehouse, "batches" | "batch">,
  store: LogStore,
  id: string,
): Promise<InclusionProof> {
  const { table, row } = await rowOf(warehouse, id);
  const digest = digestOf(table, row);
  const data = leafBytes({ digest, table });
  const hash = leafHash(data);
  const log = new Log(store);
  const { key, note, checkpoint } = await newest(log);
  const index = await new Plans(store, key).find({ digest, table }, timeOf(table, row));
  if (index === undefined || index >= checkpoint.size)
    throw new NothingToProve(
      `${id} is written down and not sealed yet, or was changed since. Its leaf is ${hash.toString("hex")}; npm run audit -- seal gives it its place.`,
    );
  const proof = await inclusionProof(log.nodes(checkpoint.size), index, checkpoint.size);
  if (!rootOfInclusion(index, checkpoint.size, hash, proof)?.equals(checkpoint.root))
    throw new NothingToProve(`The log's hashes do not lead from leaf ${index} to its root: npm run audit -- verify.`);
  return {
    ...{ table, row, leaf: { index, data, hash: hash.toString("hex") } },
    ...{ proof: proof.map(base64), checkpoint: note, key: encodeKey(key) },
  };
}

/**
 * @param from a day (its last seal counts) or a time, ISO 8601; @param to likewise
 * @throws {NothingToProve} if there is no seal up to then, or the tree of the later does not begin with that of the earlier
 */
export async function proveConsistency(store: LogStore, from: string, to: string): Promise<ConsistencyProof> {
  const log = new Log(store);
  const { key } = await newest(log);
  const [first, second] = [await upTo(log, from), await upTo(log, to)];
  const [older, newer] = [openCheckpoint(first, key), openCheckpoint(second, key)];
  if (older.size > newer.size) throw new NothingToProve(`The seal of ${from} is not before that of ${to}.`, true);
  const nodes = log.nodes(newer.size);
  for (const { size, root } of [older, newer])
    if (!(await rootOf(nodes, size)).equals(root))
      throw new NothingToProve(
        `The checkpoint of ${size} leaves is not of this log: npm run audit -- verify says more.`,
      );
  const proof = await consistencyProof(nodes, older.size, newer.size);
  const sizes = [older.size, newer.size] as const;
  return { from: first, to: second, sizes, proof: proof.map(base64), key: encodeKey(key) };
}

const base64 = (hash: Buffer) => hash.toString("base64");

async function newest(log: Log) {
  const key = await log.key();
  const size = (await log.checkpoints()).at(-1);
  const note = size === undefined ? undefined : await log.note(size);
  if (!key || note === undefined)
    throw new NothingToProve(`Nothing is sealed in ${log.store.uri} yet: npm run audit -- seal.`);
  return { key, note, checkpoint: openCheckpoint(note, key) };
}

/** The last checkpoint up to the end of a day, or up to a time. */
async function upTo(log: Log, when: string): Promise<string> {
  const end = Date.parse(when.length === "2026-01-01".length ? `${when}T23:59:59.999Z` : when);
  const key = await log.key();
  let found: string | undefined;
  for (const size of await log.checkpoints()) {
    const note = await log.note(size);
    const said: Checkpoint | undefined = note !== undefined && key ? openCheckpoint(note, key) : undefined;
    if (said?.through !== undefined && Date.parse(said.through) <= end) found = note;
  }
  if (found === undefined) throw new NothingToProve(`Nothing was sealed up to ${when}.`, true);
  return found;
}

/** The row that a person names: an answer by its request, feedback by its id, or the first act under a request. */
async function rowOf(
  warehouse: Pick<Warehouse, "batches" | "batch">,
  id: string,
): Promise<{ readonly table: SealedTable; readonly row: SealedRow }> {
  const unknown = new NothingToProve(
    `"${id}" names no row: take the field request of an answer, or feedback of what somebody said of one.`,
    true,
  );
  if (!/^[\w-]+(?:\/[\w-]+)*$/.test(id)) throw unknown;
  // Of scans that were scored, many answers lie in one batch, and each is named by it.
  const [answer] = ((await warehouse.batch("predictions", id)) ?? []).filter(({ request }) => request === id);
  if (answer) return { table: "predictions", row: answer };
  const [said] = (await warehouse.batch("feedback", id)) ?? [];
  if (said) return { table: "feedback", row: said };
  const together = id.lastIndexOf("/");
  const scored = together < 0 ? [] : ((await warehouse.batch("predictions", id.slice(0, together))) ?? []);
  const one = scored.find(({ request }) => request === id);
  if (one) return { table: "predictions", row: one };
  for (const batch of await warehouse.batches("audit", id)) {
    const [act] = (await warehouse.batch("audit", batch)) ?? [];
    if (act?.request === id) return { table: "audit", row: act };
  }
  throw unknown;
}

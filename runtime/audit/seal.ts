import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { ConfigurationError } from "../platform/config";
import { Lease } from "../platform/lease";
import type { Progress } from "../platform/progress";
import type { ObjectStore } from "../platform/stores";
import { type AuditRow, DamagedRowsError, type Warehouse } from "../platform/warehouse";
import { writeAct } from "./act";
import { digestOf, rowsOfMany, SEALED_TABLE_NAMES, type SealedRow, type SealedTable, timeOf } from "./leaf";
import { type Chunk, ForkedLog, Log, type LogStore } from "./log";
import { type Checkpoint, checkpointText, type NoteKey, openCheckpoint, signedNote } from "./note";
import { type Plan, Plans } from "./plan";
import type { Signer } from "./signer";

export interface SealOptions {
  readonly warehouse: Pick<Warehouse, "batches" | "someBatches" | "append">;
  /** Where the log lies, beside the rows. */
  readonly log: ObjectStore;
  /** Where the rows' writers cannot reach. @default none */
  readonly archive?: LogStore | undefined;
  readonly signer: Signer;
  /** How long a row may take from the time that it says to its table, in milliseconds. */
  readonly waitMs: number;
  /** Take in rows that say a time before the last seal, and write down that it was done. @default false */
  readonly late?: boolean;
  readonly progress?: Progress;
  readonly signal?: AbortSignal;
  readonly now?: () => Date;
}

export interface LateBatch {
  readonly table: SealedTable;
  readonly batch: string;
  /** ISO 8601, as its newest row says. */
  readonly time: string;
}

export interface Sealed {
  /** Until when another process has the lease (ISO 8601); null if this one had it. */
  readonly busyUntil: string | null;
  /** Leaves that were added. */
  readonly added: number;
  /** Leaves in all. */
  readonly size: number;
  /** The root, base64; null of an empty log. */
  readonly root: string | null;
  /** Every row up to this time is sealed; ISO 8601. */
  readonly through: string | null;
  /** Batches that say a time before the last seal: left out, unless they were to be taken in. */
  readonly late: readonly LateBatch[];
  /** Sentences: batches that cannot be read were left out. */
  readonly unreadable: readonly string[];
  /** Whether there is an archive. */
  readonly archived: boolean;
}

/** The log here is not what the archive knows: nothing may be built on it. */
export class RolledBackLog extends Error {}

/** Leaves of a checkpoint, but for a batch that is larger. */
const CHUNK = 2048;
/** The lease was written just now. */
const CLOCK_MS = 300_000;
/** A seal of so many takes some hundred milliseconds. */
const LEASE_MS = 120_000;
const LATE_ACTION = "seal-late";

/** Whether a row of `audit` says that a late batch was taken in knowingly. */
export const acceptsLate = ({ action, subject }: Pick<AuditRow, "action" | "subject">): string | undefined =>
  action === LATE_ACTION && subject !== null ? subject : undefined;

export const lateSubject = ({ table, batch }: Pick<LateBatch, "table" | "batch">): string => `${table}/${batch}`;

interface Batch extends LateBatch {
  /** ISO 8601, as its oldest row says. */
  readonly oldest: string;
  readonly digests: readonly string[];
}

/**
 * Adds every row that is not sealed yet to the log, and signs what it is then. A seal of a moment waits until the rows of
 * that moment have reached their tables, and takes all that say a time up to it, by time, then table and name of the batch.
 * What says a time up to that and comes later was inserted, or is late: it is left out, and said.
 *
 * Killed at any point, the next one goes on: what is to be added is written down before it is.
 *
 * @throws {RolledBackLog} @throws {ForkedLog} @throws {ForgedPlan} for what another has planned
 * @throws {ConfigurationError} for another key, or a clock that is ahead
 */
export async function seal(options: SealOptions): Promise<Sealed> {
  const lease = await Lease.take(options.log, "lease.json", { lastsMs: LEASE_MS });
  if ("until" in lease) return { ...(await stateOf(options)), busyUntil: lease.until };
  try {
    return await new Sealer(options, lease).seal();
  } finally {
    await lease.giveBack();
  }
}

async function stateOf({ log, archive, signer }: SealOptions): Promise<Sealed> {
  return outcome(await new Log(log).newest(signer.key), archive !== undefined);
}

function outcome(checkpoint: Checkpoint | undefined, archived: boolean): Sealed {
  return {
    busyUntil: null,
    added: 0,
    size: checkpoint?.size ?? 0,
    root: checkpoint?.root.toString("base64") ?? null,
    through: checkpoint?.through ?? null,
    late: [],
    unreadable: [],
    archived,
  };
}

class Sealer {
  private readonly log: Log;
  private readonly plans: Plans;
  private readonly archive: Log | undefined;
  private readonly key: NoteKey;

  constructor(
    private readonly options: SealOptions,
    private readonly lease: Lease,
  ) {
    this.log = new Log(options.log);
    this.plans = new Plans(options.log, options.signer.key);
    this.archive = options.archive && new Log(options.archive);
    this.key = options.signer.key;
  }

  async seal(): Promise<Sealed> {
    const { waitMs, late: takeLate = false, now = () => new Date(), signal } = this.options;
    await requireClock(this.options.log);
    await requireKey(this.log, this.key);
    if (this.archive) await requireKey(this.archive, this.key);
    let checkpoint = await this.log.newest(this.key);
    const known = await this.known(checkpoint);
    checkpoint = await this.finish(checkpoint);
    if (this.archive) await this.catchUp(this.archive, known);
    const until = now();
    if (!takeLate) requireAfter(checkpoint?.through, until);
    await sleep(waitMs, undefined, signal ? { signal } : {});
    const { found, unreadable } = await this.unsealed(checkpoint?.size ?? 0);
    const horizon = checkpoint?.through;
    // By its oldest row: with one of now, none of an earlier time comes in.
    const isLate = ({ oldest }: Batch) => horizon !== undefined && Date.parse(oldest) <= Date.parse(horizon);
    const late = found.filter(isLate);
    const taken = found.filter((batch) => Date.parse(batch.time) <= until.getTime() && (takeLate || !isLate(batch)));
    if (takeLate) for (const batch of late) taken.push(await this.writeDown(batch, now()));
    taken.sort(inOrder);
    const before = checkpoint?.size ?? 0;
    for await (const plan of this.planned(taken, before, horizon, until)) {
      signal?.throwIfAborted();
      if (!(await this.plans.create(plan, this.options.signer)))
        throw new RolledBackLog("Another seal went on meanwhile. Start it again.");
      const done = await this.carryOut(plan);
      checkpoint = done.checkpoint;
      if (this.archive) await copy(this.archive, plan, done.note, checkpoint, this.key);
      await this.lease.renew();
    }
    const told = late.map(({ table, batch, time }) => ({ table, batch, time }));
    const added = (checkpoint?.size ?? 0) - before;
    return { ...outcome(checkpoint, this.archive !== undefined), added, late: told, unreadable };
  }

  /** How many leaves the archive knows: it must be of this log. */
  private async known(mine: Checkpoint | undefined): Promise<number> {
    const { archive } = this;
    const known = await archive?.newest(this.key);
    if (!archive || !known) return 0;
    const size = mine?.size ?? 0;
    if (known.size > size)
      throw new RolledBackLog(
        `${archive.store.uri} knows ${known.size} leaves, and the log here has ${size}: it was cut, or put back to an earlier state. ` +
          "Nothing was sealed; npm run audit -- verify says what is missing.",
      );
    if (!(await this.log.beginsWith(known, size)))
      throw new ForkedLog(
        `The log here is another one than that of which ${archive.store.uri} knows ${known.size} leaves. ` +
          "Nothing was sealed; npm run audit -- verify says where they part.",
      );
    return known.size;
  }

  /** What a killed seal had planned. */
  private async finish(checkpoint: Checkpoint | undefined): Promise<Checkpoint | undefined> {
    const plan = await this.plans.read(checkpoint?.size ?? 0);
    return plan ? (await this.carryOut(plan)).checkpoint : checkpoint;
  }

  private async carryOut(plan: Plan): Promise<{ readonly note: string; readonly checkpoint: Checkpoint }> {
    const { from, through, leaves } = plan;
    const size = from + leaves.length;
    const root = await this.log.add(plan);
    const text = checkpointText({ origin: this.key.name, size, root, through });
    const note = signedNote(text, this.key, await this.options.signer.sign(Buffer.from(text)));
    const checkpoint = openCheckpoint(note, this.key);
    await this.log.sign(size, note, this.key);
    return { note, checkpoint };
  }

  /** Brings the archive to where the log here is. */
  private async catchUp(archive: Log, known: number): Promise<void> {
    for (const from of await this.log.entries()) {
      if (from < known) continue;
      const leaves = (await this.log.leaves(from)) ?? [];
      const whole = leaves.filter((leaf) => leaf !== undefined);
      const note = await this.log.note(from + leaves.length);
      if (whole.length < leaves.length || note === undefined)
        throw new RolledBackLog(
          `What was sealed from leaf ${from} on is damaged. Nothing was sealed; npm run audit -- verify says more.`,
        );
      await copy(archive, { from, leaves: whole }, note, openCheckpoint(note, this.key), this.key);
      await this.lease.renew();
    }
  }

  /** @param size leaves of the log */
  private async unsealed(
    size: number,
  ): Promise<{ readonly found: readonly Batch[]; readonly unreadable: readonly string[] }> {
    const { warehouse, progress, signal } = this.options;
    const sealed = await this.sealed(size);
    const found: Batch[] = [];
    const unreadable: string[] = [];
    for (const table of SEALED_TABLE_NAMES) {
      const names = (await warehouse.batches(table)).filter((batch) => !sealed.has(lateSubject({ table, batch })));
      progress?.start(names.length);
      for await (const { batch, rows } of rowsOfMany(warehouse, table, names)) {
        signal?.throwIfAborted();
        progress?.advance(1, table);
        if (rows instanceof DamagedRowsError) unreadable.push(rows.message);
        else if (rows.length > 0) found.push(asBatch(table, batch, rows));
      }
      progress?.finish();
    }
    return { found, unreadable };
  }

  /** @throws {RolledBackLog} if it is not known of every leaf which row it is of: rows would be sealed a second time, for good */
  private async sealed(size: number): Promise<ReadonlySet<string>> {
    const sealed = new Set<string>();
    let known = 0;
    for (const from of await this.plans.all())
      for (const leaf of (await this.plans.read(from))?.leaves ?? []) {
        sealed.add(lateSubject(leaf));
        known++;
      }
    if (known < size)
      throw new RolledBackLog(
        `What says which row a leaf is of is missing for ${size - known} of ${size} leaves: files below audit/seals/ are gone. Nothing was sealed. ` +
          'Put them back; or begin another log: docs/audit.md, "Beginning anew".',
      );
    return sealed;
  }

  /** That somebody took in rows which say a time before the last seal: a row too. */
  private async writeDown(late: Batch, at: Date): Promise<Batch> {
    const act = {
      ...{ request: randomUUID(), action: LATE_ACTION, who: "local", role: "admin", subject: lateSubject(late) },
      ...{ sha256: null, model: null, recipe: null, result: late.time },
    };
    const { batch, row } = await writeAct(this.options.warehouse, act, at);
    return asBatch("audit", batch, [row]);
  }

  private async *planned(
    batches: readonly Batch[],
    from: number,
    horizon: string | undefined,
    until: Date,
  ): AsyncGenerator<Plan> {
    let at = from;
    let last = new Date(0).toISOString();
    let leaves: Plan["leaves"][number][] = [];
    for (const [index, { table, batch, digests, time }] of batches.entries()) {
      leaves.push(...digests.map((digest, row) => ({ table, digest, batch, row })));
      if (Date.parse(time) > Date.parse(last)) last = time;
      const end = index === batches.length - 1;
      if (!end && leaves.length < CHUNK) continue;
      // Rows up to the moment of the seal are still to come, until the last of them is planned.
      yield { from: at, through: end ? until.toISOString() : horizon, last, leaves };
      at += leaves.length;
      leaves = [];
    }
  }
}

async function copy(archive: Log, chunk: Chunk, note: string, { size, root }: Checkpoint, key: NoteKey): Promise<void> {
  if (!(await archive.add(chunk)).equals(root))
    throw new ForkedLog(`${archive.store.uri} does not come to the root of the log here at leaf ${size}.`);
  await archive.sign(size, note, key);
}

/**
 * A seal under a clock that is ahead would make every row until then a late one. On a laptop one clock tells of all; the
 * store of a bucket has its own.
 */
async function requireClock(log: ObjectStore): Promise<void> {
  const written = (await log.stat("lease.json"))?.updated;
  const ahead = written === undefined ? 0 : Date.now() - Date.parse(written);
  if (ahead > CLOCK_MS)
    throw new ConfigurationError("The clock", [
      `it is ${Math.round(ahead / 1000)} seconds ahead of that of ${log.uri}: a seal would make every row until then a late one. Set it.`,
    ]);
}

/** Of a clock that was ahead, or is behind, all new rows would be told of as late, and not why. */
function requireAfter(through: string | undefined, now: Date): void {
  if (through === undefined || now.getTime() >= Date.parse(through) - CLOCK_MS) return;
  throw new ConfigurationError("The clock", [
    `it says ${now.toISOString()}, and the last seal was through ${through}: it is behind now, or was ahead then. Set it. ` +
      "If it was ahead then, npm run audit -- seal --late takes in what came since and writes down that it did; seals go on from the right time then.",
  ]);
}

async function requireKey(log: Log, { name }: NoteKey): Promise<void> {
  const key = await log.key();
  if (key && key.name !== name)
    throw new ConfigurationError("The audit key", [
      `it is that of ${name}, and the log in ${log.store.uri} is signed by ${key.name}. Give the key of that log, or another archive.`,
    ]);
}

function asBatch(table: SealedTable, batch: string, rows: readonly SealedRow[]): Batch {
  const times = rows.map((row) => timeOf(table, row));
  const time = times.reduce((newest, one) => (Date.parse(one) > Date.parse(newest) ? one : newest));
  const oldest = times.reduce((first, one) => (Date.parse(one) < Date.parse(first) ? one : first));
  return { table, batch, time, oldest, digests: rows.map((row) => digestOf(table, row)) };
}

const inOrder = (a: Batch, b: Batch): number =>
  Date.parse(a.time) - Date.parse(b.time) ||
  Number(a.table > b.table) - Number(a.table < b.table) ||
  Number(a.batch > b.batch) - Number(a.batch < b.batch);

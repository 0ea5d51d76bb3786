import { ChecksumMismatchError, type ReadableStore } from "../platform/stores";
import { type AuditRow, DamagedRowsError, type Warehouse } from "../platform/warehouse";
import { type Erasure, erasureOf, writtenErasures } from "./erasure";
import { digestOf, type LeafData, leafBytes, rowsOfMany, SEALED_TABLE_NAMES, type SealedTable, timeOf } from "./leaf";
import { Log, type LogStore } from "./log";
import { leafHash } from "./merkle";
import { BadNote, type Checkpoint, encodeKey, type NoteKey } from "./note";
import { ForgedPlan, type Place, type Plan, Plans } from "./plan";
import { acceptsLate, lateSubject } from "./seal";
import { type Finding, type Walked, walk } from "./walk";

export interface VerifyOptions {
  readonly warehouse: Pick<Warehouse, "batches" | "someBatches">;
  readonly log: LogStore;
  /** @default none */
  readonly archive?: LogStore | undefined;
  /** Bucket of reports, where erasures are written down. @default of none is known */
  readonly reports?: ReadableStore | undefined;
}

export interface Verified {
  /** Whether nothing was found. */
  readonly ok: boolean;
  readonly findings: readonly Finding[];
  /** What is no fault, a sentence each. */
  readonly notes: readonly string[];
  /** Leaves that are signed: here, and in the archive (null without one). */
  readonly leaves: number;
  readonly archived: number | null;
  /** Rows that were looked at, and those that the next seal takes. */
  readonly rows: number;
  readonly pending: number;
  /** Every row up to this time is sealed; ISO 8601. */
  readonly through: string | null;
  /** As verifiers of notes take it; null where nothing was sealed yet. */
  readonly key: string | null;
}

const NO_ARCHIVE =
  "Without an archive it cannot be seen whether all of it, rows and log, was put back to an earlier state: --archive DIR or AUDIT_ARCHIVE names one.";

/**
 * Computes every leaf anew from the rows, the tree from the leaves, here and in the archive, and compares all of it. Of the
 * two logs the longer one counts, and the archive's where both are as long.
 */
export async function verifyLog({ warehouse, log, archive, reports }: VerifyOptions): Promise<Verified> {
  const findings: Finding[] = [];
  const notes: string[] = archive ? [] : [NO_ARCHIVE];
  const [here, there] = [new Log(log), archive && new Log(archive)];
  const [mine, its] = [await keyOf(here, findings), there && (await keyOf(there, findings))];
  // A key that lies beside the log is changed with it.
  const key = its ?? mine;
  if (mine && its && encodeKey(mine) !== encodeKey(its))
    findings.push({
      kind: "forked",
      sentence: `The log in ${log.uri} is signed by another key (${mine.name}) than that in ${archive?.uri} (${its.name}).`,
    });
  if (!key) {
    findings.push({ kind: "not-sealed", sentence: "Nothing is sealed here: npm run audit -- seal." });
    return { ...NOTHING, findings, notes, archived: archive ? 0 : null };
  }
  const local = await walk(here, key);
  const remote = there && (await walk(there, key));
  for (const walked of [local, ...(remote ? [remote] : [])]) {
    findings.push(...walked.findings);
    notes.push(...walked.notes);
  }
  if (remote) compare(local, remote, findings, notes);
  const trusted = remote && remote.leaves.length >= local.leaves.length ? remote : local;
  const plans = await plannedPlaces(new Plans(log, key), trusted.leaves, local.leaves.length);
  findings.push(...plans.findings);
  const check = new RowCheck(trusted, plans.places);
  const erasures = new Erasures(reports ? await writtenErasures(reports) : new Map());
  /** Rows of acts wait until all of them are known: they tell what was erased. */
  const acts: FoundRow[][] = [];
  // Acts come first.
  for (const table of SEALED_TABLE_NAMES) {
    for await (const { batch, rows } of rowsOfMany(warehouse, table, await warehouse.batches(table))) {
      if (rows instanceof DamagedRowsError) {
        check.unreadable(table, batch, rows.message);
        continue;
      }
      const found = rows.map((values, row): FoundRow => {
        const digest = digestOf(table, values);
        return { table, batch, row, planned: row, digest, time: Date.parse(timeOf(table, values)) };
      });
      if (table !== "audit") {
        check.add(found);
        continue;
      }
      acts.push(found);
      for (const [row, values] of (rows as readonly AuditRow[]).entries()) {
        const late = acceptsLate(values);
        check.accept(late);
        // After a clock that was ahead, the act says a time before that seal as well.
        if (late !== undefined) check.accept(lateSubject({ table, batch }));
        erasures.told(erasureOf(values), check.isLeaf(found[row] as FoundRow));
      }
    }
    if (table !== "audit") continue;
    check.erase(erasures.sealed);
    for (const found of acts) check.add(found);
  }
  findings.push(...check.findings());
  if (check.erased > 0)
    notes.push(
      `${check.erased} leaves have lost their rows, or what linked these, by ${erasures.sealed.length} erasures that are leaves themselves (npm run forget).`,
    );
  if (erasures.waiting > 0)
    notes.push(
      `${erasures.waiting} erasures are written down and not sealed yet: until they are, what they took away is told of as changed or deleted.`,
    );
  if (check.acceptedLate > 0)
    notes.push(
      `${check.acceptedLate} leaves say a time before an earlier seal, and were taken in by npm run audit -- seal --late.`,
    );
  return {
    ok: findings.length === 0,
    findings,
    notes,
    leaves: local.leaves.length,
    archived: remote ? remote.leaves.length : null,
    rows: check.rows,
    pending: check.pending,
    through: trusted.checkpoints.at(-1)?.through ?? null,
    key: encodeKey(key),
  };
}

const NOTHING: Omit<Verified, "findings" | "notes" | "archived"> = {
  ok: false,
  ...{ leaves: 0, rows: 0, pending: 0, through: null, key: null },
};

async function keyOf(log: Log, findings: Finding[]): Promise<NoteKey | undefined> {
  try {
    return await log.key();
  } catch (error) {
    if (!(error instanceof BadNote)) throw error;
    findings.push({ kind: "bad-signature", sentence: `The log in ${log.store.uri} ${error.message}` });
    return undefined;
  }
}

/** Which checkpoint is the first that has a leaf. */
function firstBeyond({ checkpoints }: Walked, leaf: number): number {
  let [low, high] = [0, checkpoints.length];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if ((checkpoints[middle] as Checkpoint).size <= leaf) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Up to when the rows are that were sealed with a leaf. */
const sealedAt = (log: Walked, leaf: number): string =>
  log.checkpoints.slice(firstBeyond(log, leaf)).find(({ through }) => through !== undefined)?.through ??
  "an unknown time";

function compare(here: Walked, archive: Walked, findings: Finding[], notes: string[]): void {
  const [mine, its] = [here.leaves.length, archive.leaves.length];
  const common = Math.min(mine, its);
  for (let leaf = 0; leaf < common; leaf++) {
    const [a, b] = [here.leaves[leaf], archive.leaves[leaf]];
    if (a?.digest === b?.digest && a?.table === b?.table) continue;
    findings.push({
      kind: "forked",
      leaf,
      sentence: `The log here and the archive's part at leaf ${leaf}: two logs went on from there (sealed ${sealedAt(here, leaf)} here, ${sealedAt(archive, leaf)} in the archive).`,
    });
    return;
  }
  if (mine < its)
    findings.push({
      kind: "rolled-back",
      leaf: mine,
      sentence: `The log here ends with ${mine} leaves, and the archive knows ${its}: its tail was cut, or all of it was put back to the state of ${here.checkpoints.at(-1)?.through ?? "before the first seal"}. Leaves ${mine} to ${its - 1}, sealed up to ${archive.checkpoints.at(-1)?.through}, are missing here.`,
    });
  if (mine > its)
    notes.push(`${mine - its} leaves are not in the archive yet: npm run audit -- seal brings them there.`);
}

/** Erasures whose acts are known: what they name is believed once an act that has their hash is a leaf. */
class Erasures {
  readonly sealed: Erasure[] = [];
  waiting = 0;

  constructor(private readonly written: ReadonlyMap<string, Erasure>) {}

  /** @param hash that an act has, if it tells of an erasure */
  told(hash: string | undefined, isLeaf: boolean): void {
    const erasure = hash === undefined ? undefined : this.written.get(hash);
    if (!erasure) return;
    if (isLeaf) this.sealed.push(erasure);
    else this.waiting++;
  }
}

/**
 * Which rows the leaves were of, as far as the plans that lie here are those of the leaves.
 * @param size leaves that the log here has: what says nothing of one of these leaves its order unknown
 */
async function plannedPlaces(plans: Plans, leaves: readonly LeafData[], size: number) {
  const places: (Place | undefined)[] = [];
  const findings: Finding[] = [];
  const unknown = (from: number, why: string) =>
    findings.push({
      ...{ kind: "damaged-log", leaf: from },
      sentence: `${why} Of leaves from ${from} on it is not known which rows they were of: another order of these is not seen.`,
    });
  let next = 0;
  for (const from of await plans.all()) {
    let planned: Plan["leaves"] = [];
    try {
      planned = (await plans.read(from))?.leaves ?? [];
    } catch (error) {
      if (!(error instanceof ForgedPlan || error instanceof SyntaxError || error instanceof ChecksumMismatchError))
        throw error;
      unknown(from, error.message);
      // What it would have said of the following ones is said once.
      next = Number.NaN;
    }
    if (next < from && next < size) unknown(next, "What was written down of them in audit/seals is missing.");
    next = from + planned.length;
    for (const [index, { table, digest, batch, row }] of planned.entries()) {
      const leaf = leaves[from + index];
      if (leaf?.digest === digest && leaf.table === table) places[from + index] = { batch, row };
    }
    if (planned.length === 0) next = Number.NaN;
  }
  if (next < size) unknown(next, "What was written down of them in audit/seals is missing.");
  return { places, findings };
}

interface FoundRow extends LeafData, Place {
  readonly table: SealedTable;
  /** Its place in the batch before rows of it were erased. */
  planned: number;
  /** Milliseconds. */
  readonly time: number;
}

/** What becomes of each leaf, and of each row. */
class RowCheck {
  rows = 0;
  pending = 0;
  acceptedLate = 0;
  private readonly byDigest = new Map<string, number>();
  /** Leaves of equal digests beside the first: rows of earlier versions, which have no salt. */
  private readonly twins = new Map<string, number[]>();
  private readonly seen: boolean[] = [];
  private readonly elsewhere: FoundRow[] = [];
  private readonly unknown = new Set<FoundRow>();
  private readonly broken = new Map<string, string>();
  private readonly accepted = new Set<string>();
  /** Leaves that lost their rows knowingly, and by batch where those were. */
  private readonly erasedLeaves = new Set<number>();
  private readonly erasedRows = new Map<string, number[]>();
  /** Leaves of what stays of an erased row. */
  private readonly kept = new Set<string>();
  erased = 0;
  /** By batch: its oldest row that is a leaf, so that none of an earlier time comes in with one of now. */
  private readonly times = new Map<string, number>();
  private readonly leavesOf = new Map<string, number[]>();
  private sealedBatches: ReadonlySet<string> = new Set();

  constructor(
    private readonly log: Walked,
    private readonly places: readonly (Place | undefined)[],
  ) {
    for (const [leaf, { table, digest }] of log.leaves.entries()) {
      const known = `${table}/${digest}`;
      if (this.byDigest.has(known)) this.twins.set(known, [...(this.twins.get(known) ?? []), leaf]);
      else this.byDigest.set(known, leaf);
    }
  }

  accept(late: string | undefined): void {
    if (late !== undefined) this.accepted.add(late);
  }

  isLeaf(row: LeafData): boolean {
    return this.byDigest.has(`${row.table}/${row.digest}`);
  }

  /** Before the first row. */
  erase(erasures: readonly Erasure[]): void {
    if (erasures.length === 0) return;
    const gone = new Set(erasures.flatMap(({ leaves }) => leaves));
    for (const leaf of erasures.flatMap(({ kept }) => kept)) this.kept.add(leaf);
    for (const [leaf, data] of this.log.leaves.entries()) {
      if (!gone.has(hashOf(data))) continue;
      this.erasedLeaves.add(leaf);
      const place = this.places[leaf];
      // Of acts a part stays in its place.
      if (!place || data.table === "audit") continue;
      const name = lateSubject({ table: data.table, batch: place.batch });
      this.erasedRows.set(name, [...(this.erasedRows.get(name) ?? []), leaf]);
    }
  }

  /** The rows of a batch. */
  add(rows: readonly FoundRow[]): void {
    const [first] = rows;
    const erased = first && this.erasedRows.get(lateSubject(first));
    if (erased) {
      const there = new Set(rows.map(({ digest }) => digest));
      const gone = erased
        .filter((leaf) => !there.has(this.log.leaves[leaf]?.digest ?? ""))
        .map((leaf) => this.places[leaf]?.row ?? 0)
        .sort((a, b) => a - b);
      for (const row of rows) for (const before of gone) if (before <= row.planned) row.planned++;
    }
    for (const row of rows) this.addRow(row);
  }

  private addRow(row: FoundRow): void {
    this.rows++;
    const name = lateSubject(row);
    const leaves = this.leaves(row);
    if (leaves.length === 0) this.unknown.add(row);
    else {
      this.times.set(name, Math.min(row.time, this.times.get(name) ?? Number.POSITIVE_INFINITY));
      const own = leaves.find((leaf) => this.isAt(leaf, row));
      if (own === undefined) this.elsewhere.push(row);
      else this.see(own, name);
    }
  }

  unreadable(table: SealedTable, batch: string, why: string): void {
    this.broken.set(lateSubject({ table, batch }), why);
  }

  private leaves({ table, digest }: LeafData): readonly number[] {
    const first = this.byDigest.get(`${table}/${digest}`);
    return first === undefined ? [] : [first, ...(this.twins.get(`${table}/${digest}`) ?? [])];
  }

  private isAt(leaf: number, { table, batch, planned }: FoundRow): boolean {
    const place = this.places[leaf];
    return place?.batch === batch && place.row === planned && this.log.leaves[leaf]?.table === table;
  }

  private see(leaf: number, name: string): void {
    this.seen[leaf] = true;
    const leaves = this.leavesOf.get(name);
    if (leaves) leaves.push(leaf);
    else this.leavesOf.set(name, [leaf]);
  }

  *findings(): Generator<Finding> {
    yield* this.misplaced();
    yield* this.missing();
    yield* this.strangers();
    yield* this.late();
  }

  /** Rows of leaves that lie where those did not. */
  private *misplaced(): Generator<Finding> {
    for (const found of this.elsewhere) {
      const { table, batch, row } = found;
      const where = `row ${row + 1} of ${table}/${batch}`;
      const free = this.leaves(found).find((leaf) => !this.seen[leaf]);
      const [leaf] = this.leaves(found);
      if (free === undefined) {
        yield { kind: "inserted", ...at(leaf, found), sentence: `A copy of leaf ${leaf} was inserted: ${where}.` };
        continue;
      }
      const place = this.places[free];
      this.see(free, lateSubject(found));
      if (!place) continue;
      yield {
        kind: "reordered",
        ...at(free, found),
        sentence: `Leaf ${free}: row ${place.row + 1} of ${table}/${place.batch} lies elsewhere now, as ${where}: rows were put in another order.`,
      };
    }
  }

  /** Leaves without their rows. */
  private *missing(): Generator<Finding> {
    const strangers = new Map([...this.unknown].map((row) => [`${lateSubject(row)} ${row.planned}`, row]));
    for (const [leaf, { table }] of this.log.leaves.entries()) {
      if (this.seen[leaf]) continue;
      const place = this.places[leaf];
      if (this.erasedLeaves.has(leaf)) {
        const left = place && strangers.get(`${lateSubject({ table, batch: place.batch })} ${place.row}`);
        const known = left !== undefined && this.kept.has(hashOf(left));
        if (known) this.unknown.delete(left);
        if (known || table !== "audit") {
          this.erased++;
          continue;
        }
      }
      const time = sealedAt(this.log, leaf);
      if (!place) {
        yield {
          ...{ kind: "deleted", leaf, table },
          sentence: `Leaf ${leaf}, a row of ${table} that was sealed up to ${time}, is not there any more.`,
        };
        continue;
      }
      const name = lateSubject({ table, batch: place.batch });
      const where = `row ${place.row + 1} of ${name}`;
      const located = { leaf, table, ...place };
      const why = this.broken.get(name);
      const changed = strangers.get(`${name} ${place.row}`);
      if (why !== undefined) yield { kind: "unreadable", ...located, sentence: `Leaf ${leaf}, ${where}: ${why}` };
      else if (changed) {
        this.unknown.delete(changed);
        yield {
          ...{ kind: "changed", ...located },
          sentence: `Leaf ${leaf}, ${where}, was changed after it was sealed (up to ${time}).`,
        };
      } else
        yield {
          ...{ kind: "deleted", ...located },
          sentence: `Leaf ${leaf}, ${where}, which was sealed up to ${time}, is not there any more.`,
        };
    }
    const known = new Set(
      this.places.flatMap((place, leaf) =>
        place ? [lateSubject({ table: this.log.leaves[leaf]?.table as SealedTable, batch: place.batch })] : [],
      ),
    );
    for (const [name, why] of this.broken) if (!known.has(name)) yield { kind: "unreadable", sentence: why };
    this.sealedBatches = known;
  }

  /** Rows without a leaf. */
  private *strangers(): Generator<Finding> {
    const through = this.log.checkpoints.at(-1)?.through;
    for (const found of this.unknown) {
      const name = lateSubject(found);
      const where = `Row ${found.row + 1} of ${name}`;
      if (this.sealedBatches.has(name))
        yield {
          ...{ kind: "inserted", ...at(undefined, found) },
          sentence: `${where} was inserted into rows that were sealed without it.`,
        };
      else if (through !== undefined && found.time <= Date.parse(through))
        yield {
          ...{ kind: "inserted", ...at(undefined, found) },
          sentence: `${where} says ${iso(found.time)}, and the seal of ${through} did not find it: it was inserted later, or came late. npm run audit -- seal --late takes it in, and writes down that it was.`,
        };
      else this.pending++;
    }
  }

  /** Leaves that say a time before a seal that did not have them. */
  private *late(): Generator<Finding> {
    for (const [name, leaves] of this.leavesOf)
      for (const leaf of leaves) {
        const before = this.log.checkpoints[firstBeyond(this.log, leaf) - 1]?.through;
        const time = this.times.get(name) ?? 0;
        if (before === undefined || time > Date.parse(before)) continue;
        if (this.accepted.has(name)) this.acceptedLate++;
        else
          yield {
            ...{ kind: "late", leaf },
            sentence: `Leaf ${leaf}, of ${name}, says ${iso(time)}, and the seal of ${before} did not have it: it was inserted later.`,
          };
      }
  }
}

const hashOf = (leaf: LeafData): string => leafHash(leafBytes(leaf)).toString("hex");

const iso = (time: number) => new Date(time).toISOString();

const at = (leaf: number | undefined, { table, batch, row }: FoundRow) => ({
  ...(leaf === undefined ? {} : { leaf }),
  ...{ table, batch, row },
});

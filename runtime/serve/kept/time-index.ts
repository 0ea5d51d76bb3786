import { CURSOR, entryName, monthOf, newestFirst, timeOfName } from "../../platform/newest-first";
import { type CreatableStore, type ReadableStore, tryToCreate } from "../../platform/stores";

/** The bucket of reports, as far as serve has rights on it. */
export type KeptStore = ReadableStore & CreatableStore;

/** An entry: what is said of one thing at one time. */
export interface Entry {
  /** Names it in the index; a cursor is one. */
  readonly name: string;
  readonly at: Date;
  readonly facts: Readonly<Record<string, string>>;
}

export interface EntryQuery {
  readonly limit: number;
  /** Where to go on: of an earlier answer. */
  readonly cursor?: string | undefined;
  /** Not before, and before. */
  readonly from?: Date | undefined;
  readonly to?: Date | undefined;
  readonly wanted: (entry: Entry) => boolean;
}

/** No entry is older: the first release of the API. */
const FIRST_MONTH = Date.UTC(2026, 0);
/** Clocks of instances differ. Milliseconds. */
const MINUTE = 60_000;
/** Entries that are looked at for one answer, and at a time. The answer then has a cursor to go on from. */
const MOST_LOOKED_AT = 5000;
const PAGE = 500;
/**
 * Things by their time, the newest first, as empty objects whose metadata say what there is to say: a page of it is one
 * request to the bucket, however many entries there are, and nothing is ever changed. `<folder>/<year-month>/<time>-<id>`.
 */
export class TimeIndex {
  constructor(
    private readonly store: KeptStore,
    private readonly folder: string,
  ) {}

  /** What is there already is left as it is. */
  async add(at: Date, id: string, facts: Readonly<Record<string, string>>): Promise<void> {
    await tryToCreate(this.store, entryName(this.folder, at, id), "", {
      metadata: facts,
      contentType: "application/octet-stream",
    });
  }

  /** What is said of something; undefined where it is not there. */
  async find(at: Date, id: string): Promise<Readonly<Record<string, string>> | undefined> {
    return (await this.store.stat(entryName(this.folder, at, id)))?.metadata;
  }

  /** Entries that are wanted, the newest first. `next` is where to go on; null at the end. */
  async page(query: EntryQuery): Promise<{ readonly entries: readonly Entry[]; readonly next: string | null }> {
    const { limit, wanted } = query;
    const entries: Entry[] = [];
    let looked = 0;
    const { at, name: start } = startingPoint(query);
    let from = start;
    const oldest = query.from?.getTime() ?? 0;
    for (let month = monthOf(at); ; month = monthBefore(month)) {
      if (startOf(month) < FIRST_MONTH || endOf(month) <= oldest) return { entries, next: null };
      for (;;) {
        const prefix = `${this.folder}/${month}/`;
        const { objects } = await this.store.list({ prefix, pageSize: PAGE + 1, from: prefix + from });
        for (const { name, metadata } of objects.slice(0, PAGE)) {
          const entry = entryOf(name.slice(prefix.length), metadata);
          if (!entry) continue;
          if (entry.at.getTime() < oldest) return { entries, next: null };
          if (looked === MOST_LOOKED_AT || (entries.length === limit && wanted(entry)))
            return { entries, next: entry.name };
          looked++;
          if (wanted(entry)) entries.push(entry);
        }
        const next = objects[PAGE];
        if (!next) break;
        from = next.name.slice(prefix.length);
      }
      from = "";
    }
  }
}

/** The newest time that is asked for, which is never in the future, and the first name to look at in its month. */
function startingPoint({ cursor, to }: EntryQuery): { readonly at: Date; readonly name: string } {
  const now = Date.now() + MINUTE;
  const given = cursor === undefined ? to && to.getTime() - 1 : timeOfName(cursor)?.getTime();
  if (given === undefined || given >= now) return { at: new Date(now), name: "" };
  const at = new Date(given);
  return { at, name: cursor ?? newestFirst(at, "") };
}

function entryOf(name: string, facts: Readonly<Record<string, string>>): Entry | undefined {
  const at = CURSOR.test(name) ? timeOfName(name) : undefined;
  return at && { name, at, facts };
}

const startOf = (month: string) => Date.parse(`${month}-01T00:00:00Z`);
const monthBefore = (month: string) => monthOf(new Date(startOf(month) - 1));
function endOf(month: string): number {
  const start = new Date(startOf(month));
  return Date.UTC(start.getUTCFullYear(), start.getUTCMonth() + 1);
}

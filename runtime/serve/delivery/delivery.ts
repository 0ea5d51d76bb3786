import { setTimeout } from "node:timers/promises";
import { HISTORY } from "../../dataset";
import type { Logger } from "../../platform/logging";
import { CURSOR, timeOfName } from "../../platform/newest-first";
import { type Progress, silentProgress } from "../../platform/progress";
import { tryToCreate } from "../../platform/stores";
import type { Warehouse } from "../../platform/warehouse";
import { documentOf, NoStudy } from "../documents";
import { Audit } from "../identity";
import { Answers, DamagedAnswer, type KeptAnswer } from "../kept/answers";
import { type Entry, type KeptStore, TimeIndex } from "../kept/time-index";
import { Pictures } from "../pictures";
import type { Endpoint, Outcome } from "./endpoint";

export interface DeliveryOptions {
  readonly reports: KeptStore;
  readonly warehouse: Pick<Warehouse, "append">;
  readonly endpoint: Endpoint;
  readonly log: Logger;
  /** Also answers of models that are not fit for use. @default they stay */
  readonly unfit?: boolean;
  /** Who delivers, where it is written down. @default the command */
  readonly who?: string;
  /** Also what was given up. @default it stays given up */
  readonly again?: boolean;
  readonly progress?: Progress;
  readonly signal?: AbortSignal | undefined;
  /** Waits so many milliseconds. */
  readonly wait?: (milliseconds: number, signal: AbortSignal | undefined) => Promise<unknown>;
}

/** What became of answers, in numbers. */
export interface DeliverySummary {
  delivered: number;
  /** Failed in a way that may pass: the next run tries them again. */
  waiting: number;
  /** Given up, by this run or one before. */
  dead: number;
  /** Not sent: the model is not fit for use, or there is no study and the format needs one. */
  unfit: number;
  noStudy: number;
  /** What failed, a sentence each, with the answer. */
  readonly problems: string[];
}

/** Attempts of one run for an answer, and runs, until it is given up. */
export const ATTEMPTS = 5;
export const RUNS = 5;
/** Before the second attempt, milliseconds; doubled for each further one. A random half of it is left out. */
const FIRST_WAIT = 1000;
const LONGEST_WAIT = 60_000;
/** Answers in a row that fail: then the endpoint is not there, and the run ends. */
const FAILURES = 3;

/**
 * Delivers every kept answer that was not delivered to an endpoint yet, the oldest first. What was sent, failed and was
 * given up is written down in the bucket of reports, below `delivery/<endpoint>/`, as objects that are only created. A run
 * that is killed between sending and writing down sends again: receivers know an answer by its identifiers.
 */
export async function deliverAnswers(options: DeliveryOptions): Promise<DeliverySummary> {
  const { reports, endpoint, progress = silentProgress, signal } = options;
  const books = new Books(reports, endpoint.id);
  const summary: DeliverySummary = { delivered: 0, waiting: 0, dead: 0, unfit: 0, noStudy: 0, problems: [] };
  const pending = await pendingOf(options, books, summary);
  const pictures = new Pictures(1);
  const delivery = new Delivery(options, books, pictures);
  progress.start(pending.length);
  try {
    let failures = 0;
    for (const [i, entry] of pending.entries()) {
      signal?.throwIfAborted();
      const result = await delivery.deliver(entry);
      if ("counts" in result) summary[result.counts]++;
      else summary.problems.push(result.problem);
      if ("problem" in result) summary[result.dead ? "dead" : "waiting"]++;
      failures = "problem" in result && !result.dead ? failures + 1 : 0;
      progress.advance();
      if (failures < FAILURES) continue;
      summary.waiting += pending.length - i - 1;
      break;
    }
    return summary;
  } finally {
    progress.finish();
    await pictures.close();
  }
}

/** Entries that are looked at in one request to the bucket. */
const PAGE = 500;

/** Answers whose days are not over and that are to be sent, the oldest first. */
async function pendingOf(
  { reports, again = false }: DeliveryOptions,
  books: Books,
  summary: DeliverySummary,
): Promise<readonly Entry[]> {
  const kept: Entry[] = [];
  for await (const entries of pagesOf(new TimeIndex(reports, HISTORY))) {
    const before = kept.length;
    kept.push(...entries.filter(({ facts }) => Date.parse(facts.kept ?? "") > Date.now()));
    // All are kept about as long, and the history goes back for years.
    if (kept.length === before) break;
  }
  const oldest = kept.at(-1)?.at;
  const [sent, dead] = [await namesOf(books.sent, oldest), await namesOf(books.dead, oldest)];
  const unsent = kept.filter(({ name }) => !sent.has(name));
  const pending = again ? unsent : unsent.filter(({ name }) => !dead.has(name));
  summary.dead += unsent.length - pending.length;
  return pending.reverse();
}

/** @param from not before */
async function* pagesOf(index: TimeIndex, from?: Date): AsyncGenerator<readonly Entry[]> {
  for (let cursor: string | undefined; ; ) {
    const { entries, next } = await index.page({ limit: PAGE, cursor, from, wanted: () => true });
    yield entries;
    if (next === null) return;
    cursor = next;
  }
}

/** What an endpoint's book has of answers from a time on: an entry's name is that of the answer in the history. */
async function namesOf(book: TimeIndex, from: Date | undefined): Promise<ReadonlySet<string>> {
  const names = new Set<string>();
  if (from) for await (const entries of pagesOf(book, from)) for (const { name } of entries) names.add(name);
  return names;
}

const requestOf = ({ name }: Entry) => name.slice(name.indexOf("-") + 1);

/** What became of one answer. */
export type OneOutcome = "delivered" | "there already" | "unfit" | "noStudy" | "gone";

/** Somebody else is delivering it, or has died over it. */
export class BeingDelivered extends Error {}

/**
 * Delivers one kept answer, unless it was delivered, by one attempt: who calls this calls again.
 *
 * @param name of its object in the history: `history/<year-month>/<time>-<request>`
 * @returns undefined where that is no name of an answer
 * @throws {BeingDelivered}; {@link Refused} where the receiver does not take it; an error where it may later
 */
export async function deliverOne(options: DeliveryOptions, name: string): Promise<OneOutcome | undefined> {
  const { reports, endpoint } = options;
  const object = name.slice(name.lastIndexOf("/") + 1);
  const at = timeOfName(name);
  if (at === undefined || !CURSOR.test(object) || name !== `${historyOf(at)}${object}`) return undefined;
  const entry: Entry | undefined = await entryAt(reports, name, at);
  if (!entry) return "gone";
  const books = new Books(reports, endpoint.id);
  const request = requestOf(entry);
  if (await books.sent.find(at, request)) return "there already";
  const pictures = new Pictures(1);
  try {
    const delivery = new Delivery(options, books, pictures);
    const made = await delivery.make(entry);
    if ("counts" in made) return made.counts;
    if ("gone" in made) return "gone";
    const release = await books.claim(entry);
    if (!release) throw new BeingDelivered("Another process is delivering this answer.");
    // Of the two between which the other one has delivered it.
    if (await books.sent.find(at, request)) return "there already";
    const outcome = await delivery.attempts(made.document, entry, 1);
    if (outcome.kind === "delivered") return "delivered";
    await release();
    throw outcome.kind === "refused" ? new Refused(outcome.sentence) : new Error(outcome.sentence);
  } finally {
    await pictures.close();
  }
}

/** The receiver does not take it, now or later. The message is a sentence. */
export class Refused extends Error {}

const historyOf = (at: Date) => `history/${at.toISOString().slice(0, 7)}/`;

async function entryAt(reports: KeptStore, name: string, at: Date): Promise<Entry | undefined> {
  const object = await reports.stat(name);
  return object && { name: name.slice(name.lastIndexOf("/") + 1), at, facts: object.metadata };
}

/** Longer than a process may work on one answer. */
const CLAIM_MS = 600_000;

/** What is written down of an endpoint. */
class Books {
  readonly sent: TimeIndex;
  readonly dead: TimeIndex;

  constructor(
    private readonly store: KeptStore,
    private readonly id: string,
  ) {
    this.sent = new TimeIndex(store, `delivery/${id}/sent`);
    this.dead = new TimeIndex(store, `delivery/${id}/dead`);
  }

  /**
   * The right to send an answer, which one process has at a time: until it gives it back, or for ten minutes where it died.
   * Objects are only created, so each turn is one, and so is its end.
   *
   * @returns what gives it back; undefined where another process has it
   */
  async claim({ name }: Entry): Promise<(() => Promise<void>) | undefined> {
    for (let turn = 1; ; turn++) {
      const mine = `delivery/${this.id}/turns/${name}/${turn}`;
      const over = `${mine}-over`;
      if (await tryToCreate(this.store, mine, "")) return async () => void (await tryToCreate(this.store, over, ""));
      const taken = await this.store.stat(mine);
      const isHeld = taken !== undefined && Date.now() - Date.parse(taken.updated) < CLAIM_MS;
      if (isHeld && !(await this.store.stat(over))) return undefined;
    }
  }

  /** Writes down that a run failed. @returns how many have */
  async failed({ at }: Entry, request: string, sentence: string): Promise<number> {
    for (let run = 1; ; run++) {
      const tries = new TimeIndex(this.store, `delivery/${this.id}/failed-${run}`);
      if (await tries.find(at, request)) continue;
      await tries.add(at, request, { sentence });
      return run;
    }
  }
}

type Result =
  | { readonly counts: "delivered" | "unfit" | "noStudy" }
  | { readonly problem: string; readonly dead: boolean };

class Delivery {
  private readonly answers: Answers;
  private readonly audit: Audit;

  constructor(
    private readonly options: DeliveryOptions,
    private readonly books: Books,
    private readonly pictures: Pictures,
  ) {
    const { reports, warehouse, log } = options;
    // How long answers are kept stands in each of them.
    this.answers = new Answers(reports, 0);
    this.audit = new Audit(warehouse, log);
  }

  async deliver(entry: Entry): Promise<Result> {
    const request = requestOf(entry);
    const made = await this.make(entry);
    if ("counts" in made) return made;
    if ("gone" in made) return this.giveUp(entry, made.gone);
    const outcome = await this.attempts(made.document, entry);
    if (outcome.kind === "delivered") return { counts: "delivered" };
    this.options.signal?.throwIfAborted();
    if (outcome.kind === "refused") return this.giveUp(entry, outcome.sentence);
    const runs = await this.books.failed(entry, request, outcome.sentence);
    if (runs >= RUNS) return this.giveUp(entry, `${outcome.sentence} It was tried in ${runs} runs.`);
    return { problem: `${request}: ${outcome.sentence}`, dead: false };
  }

  /** What is to be sent of an answer, or why nothing is. */
  async make(
    entry: Entry,
  ): Promise<{ readonly document: Buffer } | { readonly counts: "unfit" | "noStudy" } | { readonly gone: string }> {
    const { unfit = false } = this.options;
    const { id = "" } = entry.facts;
    try {
      const kept = await this.answers.find(id, requestOf(entry), entry.at);
      if (!kept) return { gone: "Its days are over." };
      if (!kept.prediction.verdict.fit && !unfit) return { counts: "unfit" };
      return { document: await this.documentOf(kept) };
    } catch (error) {
      if (error instanceof NoStudy) return { counts: "noStudy" };
      if (error instanceof DamagedAnswer) return { gone: error.message };
      throw error;
    }
  }

  private documentOf(kept: KeptAnswer): Promise<Buffer> {
    const { map, geometry } = kept;
    return documentOf(kept, this.options.endpoint.format, (slice) =>
      this.answers.withPage(kept, slice, (page) => this.pictures.painted({ page, map, geometry })),
    );
  }

  /** Sends it, as often as one run does, and writes both down: that it leaves, and that it was taken. */
  async attempts(document: Buffer, entry: Entry, most = ATTEMPTS): Promise<Outcome> {
    const { endpoint, signal, wait = (time, stop) => setTimeout(time, undefined, { signal: stop }) } = this.options;
    const { format: result } = endpoint;
    const { id = "" } = entry.facts;
    const request = requestOf(entry);
    // Before it leaves.
    const { who = "npm run deliver" } = this.options;
    await this.audit.record({ action: "deliver", who, role: "admin", request, subject: id, result });
    for (let attempt = 1; ; attempt++) {
      const outcome = await endpoint.send(document, request, signal);
      if (outcome.kind === "delivered") await this.books.sent.add(entry.at, request, { id, format: result });
      if (outcome.kind !== "failed" || attempt >= most) return outcome;
      const usual = FIRST_WAIT * 2 ** (attempt - 1) * (0.5 + Math.random() / 2);
      await wait(Math.min(LONGEST_WAIT, Math.max(usual, 1000 * (outcome.retryAfter ?? 0))), signal);
    }
  }

  private async giveUp(entry: Entry, sentence: string): Promise<Result> {
    await this.books.dead.add(entry.at, requestOf(entry), { id: entry.facts.id ?? "", sentence });
    return { problem: `${requestOf(entry)}: given up. ${sentence}`, dead: true };
  }
}

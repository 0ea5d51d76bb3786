import { setTimeout } from "node:timers/promises";
import type { Logger } from "../../platform/logging";
import { type Progress, silentProgress } from "../../platform/progress";
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
  for await (const entries of pagesOf(new TimeIndex(reports, "history"))) {
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
    const { endpoint, unfit = false, signal } = this.options;
    const request = requestOf(entry);
    const { id = "" } = entry.facts;
    let document: Buffer;
    try {
      const kept = await this.answers.find(id, request, entry.at);
      if (!kept) return this.giveUp(entry, "Its days are over.");
      if (!kept.prediction.verdict.fit && !unfit) return { counts: "unfit" };
      document = await this.documentOf(kept);
    } catch (error) {
      if (error instanceof NoStudy) return { counts: "noStudy" };
      if (error instanceof DamagedAnswer) return this.giveUp(entry, error.message);
      throw error;
    }
    // Before it leaves.
    const result = endpoint.format;
    await this.audit.record({ action: "deliver", who: "npm run deliver", role: "admin", request, subject: id, result });
    const outcome = await this.attempts(document, request);
    if (outcome.kind === "delivered") {
      await this.books.sent.add(entry.at, request, { id, format: endpoint.format });
      return { counts: "delivered" };
    }
    signal?.throwIfAborted();
    if (outcome.kind === "refused") return this.giveUp(entry, outcome.sentence);
    const runs = await this.books.failed(entry, request, outcome.sentence);
    if (runs >= RUNS) return this.giveUp(entry, `${outcome.sentence} It was tried in ${runs} runs.`);
    return { problem: `${request}: ${outcome.sentence}`, dead: false };
  }

  private documentOf(kept: KeptAnswer): Promise<Buffer> {
    const { map, geometry } = kept;
    return documentOf(kept, this.options.endpoint.format, (slice) =>
      this.answers.withPage(kept, slice, (page) => this.pictures.painted({ page, map, geometry })),
    );
  }

  private async attempts(document: Buffer, request: string): Promise<Outcome> {
    const { endpoint, signal, wait = (time, stop) => setTimeout(time, undefined, { signal: stop }) } = this.options;
    for (let attempt = 1; ; attempt++) {
      const outcome = await endpoint.send(document, request, signal);
      if (outcome.kind !== "failed" || attempt === ATTEMPTS) return outcome;
      const usual = FIRST_WAIT * 2 ** (attempt - 1) * (0.5 + Math.random() / 2);
      await wait(Math.min(LONGEST_WAIT, Math.max(usual, 1000 * (outcome.retryAfter ?? 0))), signal);
    }
  }

  private async giveUp(entry: Entry, sentence: string): Promise<Result> {
    await this.books.dead.add(entry.at, requestOf(entry), { id: entry.facts.id ?? "", sentence });
    return { problem: `${requestOf(entry)}: given up. ${sentence}`, dead: true };
  }
}

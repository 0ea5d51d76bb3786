import type { FastifyBaseLogger } from "fastify";
import { agreedLabels } from "../../dataset";
import { DAY_MS } from "../../platform/day";
import type { Logger } from "../../platform/logging";
import { MONITORED_DAYS, type Warehouse } from "../../platform/warehouse";
import type { Agreement } from "../../similar";
import { historyItem } from "../answering";
import type { HistoryItem } from "../schemas";
import type { Candidate } from "../worklist";
import type { FeedbackBook } from "./feedback";
import type { Entry, TimeIndex } from "./time-index";

/** Newest answers that are looked at for one list. */
const LOOKED_AT = 1000;
/** Days that an alarm of monitoring counts. */
const ALARM_DAYS = 30;
/** Answers that are compared with known scans for one list; what was compared not long ago is known. */
const COMPARED = 24;
/** Milliseconds after which an answer is compared again: labels and known scans come and change. */
const FRESH = 60 * 60_000;
/** The same where it could not be compared. */
const FRESH_FAILURE = 60_000;
/** Comparisons that are remembered. */
const REMEMBERED = 5000;
/** Answers whose feedback is read at a time. */
const SIDE_BY_SIDE = 16;

export interface WorkDependencies {
  readonly history: TimeIndex;
  readonly feedback: FeedbackBook;
  readonly warehouse: Pick<Warehouse, "ask">;
  /**
   * What people hold the scans for that are most like an answer's; undefined where there is nothing to compare it by.
   * @throws where it cannot be compared just now
   */
  readonly neighboursOf: (id: string) => Promise<Agreement | undefined>;
  readonly log: Logger | FastifyBaseLogger;
}

interface Compared {
  readonly neighbours: Agreement | undefined;
  /** From when on it is compared again, milliseconds. */
  readonly until: number;
}

export type Work = Candidate & { readonly item: HistoryItem };

/** The newest answers that can still be opened, one a picture, with what speaks for looking at each. */
export class WorkFinder {
  /** By request, the one that was compared longest ago first. */
  private readonly compared = new Map<string, Compared>();

  constructor(private readonly dependencies: WorkDependencies) {}

  /** @returns `complete`: whether there are no older answers */
  async find(now = new Date()): Promise<{ readonly work: readonly Work[]; readonly complete: boolean }> {
    const { history } = this.dependencies;
    const { entries, next } = await history.page({ limit: LOOKED_AT, wanted: () => true });
    const newest = new Map<string, { readonly entry: Entry; readonly item: HistoryItem }>();
    for (const entry of entries) {
      const item = historyItem(entry.name.slice(14), entry.at, entry.facts);
      const picture = pictureOf(entry);
      if (item.kept && !newest.has(picture)) newest.set(picture, { entry, item });
    }
    const [said, alarms] = await Promise.all([this.said(entries), this.alarms([...newest.values()], now)]);
    const unsaid = [...newest].flatMap(([picture, { item }]) => (said.has(picture) ? [] : [item]));
    await this.compare(unsaid, now.getTime());
    const work = [...newest].map(([picture, { item }]): Work => {
      const { request, label, decision, probability, threshold, answered_at: answeredAt } = item;
      return {
        ...{ item, label, decision, probability, threshold, answeredAt, said: said.get(picture) ?? "nothing" },
        ...{ alarm: alarms.get(request), neighbours: this.compared.get(request)?.neighbours },
      };
    });
    return { work, complete: next === null };
  }

  /** Those that never were compared first, then those longest ago: none that fails again and again keeps another out. */
  private async compare(items: readonly HistoryItem[], now: number): Promise<void> {
    const rank = new Map([...this.compared.keys()].map((request, at) => [request, at]));
    const due = items
      .filter(({ request }) => (this.compared.get(request)?.until ?? 0) <= now)
      .sort((a, b) => (rank.get(a.request) ?? -1) - (rank.get(b.request) ?? -1))
      .slice(0, COMPARED);
    const failures: unknown[] = [];
    for (const { id, request } of due)
      try {
        this.remember(request, { neighbours: await this.dependencies.neighboursOf(id), until: now + FRESH });
      } catch (error) {
        failures.push(error);
        // What was known of it is better than nothing.
        const { neighbours } = this.compared.get(request) ?? {};
        this.remember(request, { neighbours, until: now + FRESH_FAILURE });
      }
    // Whoever opens such an answer hears why; the list is as good without.
    if (failures.length > 0)
      this.dependencies.log.warn(
        { err: failures[0], answers: failures.length },
        "Answers of the worklist could not be compared with known scans; they are tried again",
      );
  }

  private remember(request: string, compared: Compared): void {
    this.compared.delete(request);
    this.compared.set(request, compared);
    const [oldest] = this.compared.keys();
    if (this.compared.size > REMEMBERED && oldest !== undefined) this.compared.delete(oldest);
  }

  /** By picture, whatever model answered. */
  private async said(entries: readonly Entry[]): Promise<ReadonlyMap<string, Candidate["said"]>> {
    const { feedback } = this.dependencies;
    const oldest = entries.at(-1)?.at;
    if (!oldest) return new Map();
    const pictures = new Map(entries.map((entry) => [entry.facts.id ?? "", pictureOf(entry)]));
    const ids = [...(await feedback.answersSince(oldest))].filter((id) => pictures.has(id));
    const given: { sha256: string; of: Awaited<ReturnType<FeedbackBook["of"]>> }[] = [];
    const worker = async () => {
      for (let id = ids.shift(); id; id = ids.shift())
        given.push({ sha256: pictures.get(id) as string, of: await feedback.of(id) });
    };
    await Promise.all(Array.from({ length: SIDE_BY_SIDE }, worker));
    const found = new Map<string, Candidate["said"]>();
    for (const sha256 of new Set(given.map((one) => one.sha256))) {
      const all = given.filter((one) => one.sha256 === sha256).flatMap(({ of }) => of);
      const { agreed, waiting, contradicted } = agreedLabels(
        all.map(({ scope = null, confirmed = null, ...one }) => ({ ...one, scope, confirmed, sha256 })),
      );
      if (contradicted > 0) found.set(sha256, "contradicted");
      else if (agreed.length + waiting > 0) found.set(sha256, "labelled");
    }
    return found;
  }

  /** By request: the newest alarm. Without what monitoring says the rest of the list is as good. */
  private async alarms(
    answers: readonly { readonly item: HistoryItem }[],
    now: Date,
  ): Promise<ReadonlyMap<string, NonNullable<Candidate["alarm"]>>> {
    const { warehouse, log } = this.dependencies;
    const found = new Map<string, NonNullable<Candidate["alarm"]>>();
    const dayOf = (at: number) => new Date(at).toISOString().slice(0, 10);
    const [from, to] = [dayOf(now.getTime() - ALARM_DAYS * DAY_MS), dayOf(now.getTime() + DAY_MS)];
    try {
      for (const model of new Set(answers.map(({ item }) => item.model)))
        for (const { name, part, day, detail } of await warehouse.ask(MONITORED_DAYS, { model, from, to }))
          if (name === "alarm" && detail !== null)
            for (const scan of scansIn(detail)) found.set(scan, { watch: part ?? "drift", day });
    } catch (error) {
      log.warn({ err: error }, "What monitoring says cannot be read, so the worklist is made without");
    }
    return found;
  }
}

/** What an earlier version kept of an answer does not say its picture. */
const pictureOf = ({ facts }: Entry): string => facts.sha256 ?? facts.id ?? "";

/** Requests that the detail of an alarm names. */
function scansIn(detail: string): readonly string[] {
  const { scans } = JSON.parse(detail) as { readonly scans?: unknown };
  return Array.isArray(scans) ? scans.filter((scan) => typeof scan === "string") : [];
}

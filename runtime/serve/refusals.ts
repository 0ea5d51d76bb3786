import { randomUUID } from "node:crypto";
import type { FastifyBaseLogger } from "fastify";
import type { Logger } from "../platform/logging";
import type { Row, Warehouse } from "../platform/warehouse";
import type { Problem } from "./problem";

/** Milliseconds for which refusals are counted before they are added: a server that is overrun writes no row a request. */
const COUNTED = 60_000;

/**
 * Counts requests for a prediction that are refused, and adds the counts to the table `refusals`: what `/metrics` tells of
 * a process, monitoring tells of a day. A process that is killed takes with it what it has counted since the last time.
 */
export class Refusals {
  private readonly counts = new Map<string, Omit<Row<"refusals">, "counted_at">>();

  /** What could not be added yet, under the name that it keeps: one attempt counts, however many are made. */
  private pending: { readonly name: string; readonly rows: readonly Row<"refusals">[] } | undefined;

  private timer: NodeJS.Timeout | undefined;

  private writing: Promise<void> = Promise.resolve();

  private ending = false;

  constructor(
    private readonly warehouse: Pick<Warehouse, "append">,
    private readonly log: Logger | FastifyBaseLogger,
    private readonly now: () => Date = () => new Date(),
  ) {}

  /** Codes are the program's own, so there are few of them. */
  count({ code, status }: Pick<Problem, "code" | "status">): void {
    const day = this.now().toISOString().slice(0, 10);
    const key = JSON.stringify([day, code, status]);
    const requests = (this.counts.get(key)?.requests ?? 0) + 1;
    this.counts.set(key, { day, code, status, requests });
    if (this.ending) void this.flush();
    else this.later();
  }

  /** Adds what has been counted. What cannot be added is tried again later, and the log says so. */
  flush(): Promise<void> {
    this.writing = this.writing.then(() => this.write());
    return this.writing;
  }

  /** From now on nothing is put off. */
  end(): Promise<void> {
    this.ending = true;
    return this.flush();
  }

  private later(): void {
    this.timer ??= setTimeout(() => void this.flush(), COUNTED).unref();
  }

  private async write(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    for (this.pending ??= this.take(); this.pending; this.pending = this.take()) {
      const { name, rows } = this.pending;
      try {
        await this.warehouse.append("refusals", name, rows, { unique: true });
      } catch (error) {
        this.log.warn({ err: error }, "The counts of refused requests cannot be added yet");
        if (!this.ending) this.later();
        return;
      }
    }
  }

  private take(): typeof this.pending {
    if (this.counts.size === 0) return undefined;
    const counted_at = this.now().toISOString();
    const rows = [...this.counts.values()].map((row) => ({ ...row, counted_at }));
    this.counts.clear();
    return { name: `${counted_at.slice(0, 10)}/${randomUUID()}`, rows };
  }
}

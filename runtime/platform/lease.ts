import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { z } from "zod";
import { isRunning, startOfProcess } from "./running";
import {
  type ObjectInfo,
  ObjectNotFoundError,
  type ObjectStore,
  PreconditionFailedError,
  type ReadableStore,
  readJson,
} from "./stores";

const holderSchema = z.object({
  owner: z.string(),
  /** Of a process of a machine; null where an owner is no process. */
  host: z.string().nullable(),
  pid: z.number(),
  /** See {@link startOfProcess}. */
  start: z.string(),
  /** Without a renewal, by the store's clock. */
  lastsMs: z.number().positive(),
  /** Generation at which it was taken; absent in its first. */
  token: z.number().optional(),
});
type Holder = z.infer<typeof holderSchema>;

export interface LeaseOptions {
  /** Without a renewal. */
  readonly lastsMs: number;
  /** Who has it, where that is more than one process. @default this process */
  readonly owner?: string;
  /** Whether it is taken from whoever has it, who then notices that it is lost. @default false */
  readonly takeOver?: boolean;
}

/** Another has the lease now. What this one still writes does not count. */
export class LeaseLostError extends Error {
  constructor(readonly lease: string) {
    super(`Another process took over ${lease}: this one did not renew it in time, and stops.`);
    this.name = "LeaseLostError";
  }
}

/** Somebody has the lease. */
export interface LeaseTaken {
  /** ISO 8601, by the store's clock: it is over then unless it is renewed. */
  readonly until: string;
}

/**
 * The right to do what only one may do at a time: an object, moved by compare-and-swap, that runs out unless it is
 * renewed. Whether it has run out is told by when the store says that it was written: the clock of who holds it does not
 * matter. One whose process has died on this machine holds nobody up.
 *
 * A process that takes a lease over cannot stop the one that had it. So each take has a `token`, higher than those of all
 * before, by which what an earlier holder writes late can be told.
 */
export class Lease {
  private renewed = performance.now();
  /** Renewals follow each other: each is of the generation before. */
  private renewing: Promise<void> = Promise.resolve();

  private constructor(
    private readonly store: ObjectStore,
    private readonly name: string,
    private readonly holder: Holder,
    private generation: number,
    /** Grows with every take. */
    readonly token: number,
  ) {}

  get owner(): string {
    return this.holder.owner;
  }

  /** The lease, or until when another has it. */
  static async take(store: ObjectStore, name: string, options: LeaseOptions): Promise<Lease | LeaseTaken> {
    const seen = await store.stat(name);
    const held = seen && (await heldBy(store, seen));
    // An owner that asks again has given up what it asked for before.
    if (held && !options.takeOver && (options.owner === undefined || held.owner !== options.owner))
      return { until: held.until };
    const { lastsMs, owner } = options;
    const self = { host: hostname(), pid: process.pid, start: startOfProcess(process.pid) };
    const nobody = { host: null, pid: 0, start: "" };
    const holder = { owner: owner ?? randomUUID(), ...(owner === undefined ? self : nobody), lastsMs };
    try {
      const { generation } = await store.write(name, JSON.stringify(holder), {
        ifGenerationMatch: seen?.generation ?? 0,
        contentType: "application/json",
      });
      return new Lease(store, name, holder, generation, generation);
    } catch (error) {
      if (!(error instanceof PreconditionFailedError)) throw error;
      return { until: new Date(Date.now() + lastsMs).toISOString() };
    }
  }

  /** Until when somebody has it, ISO 8601; undefined where nobody has. */
  static async heldUntil(store: ReadableStore, name: string): Promise<string | undefined> {
    const seen = await store.stat(name);
    return seen && (await heldBy(store, seen))?.until;
  }

  /**
   * Goes on, in another process, with what an owner took.
   * @throws {LeaseLostError} if somebody else has taken it since
   */
  static async continued(store: ObjectStore, name: string, owner: string, token: number): Promise<Lease> {
    const seen = await store.stat(name);
    const holder = seen && (await readHolder(store, name));
    if (!seen || holder?.owner !== owner || (holder.token ?? seen.generation) !== token) throw new LeaseLostError(name);
    const lease = new Lease(store, name, holder, seen.generation, token);
    await lease.renew();
    return lease;
  }

  /** @throws {LeaseLostError} if another has taken it */
  renew(): Promise<void> {
    const renewed = this.renewing.then(() => this.renewOnce());
    this.renewing = renewed.catch(() => undefined);
    return renewed;
  }

  private async renewOnce(): Promise<void> {
    try {
      const { generation } = await this.store.write(this.name, JSON.stringify({ ...this.holder, token: this.token }), {
        ifGenerationMatch: this.generation,
        contentType: "application/json",
      });
      this.generation = generation;
      this.renewed = performance.now();
    } catch (error) {
      throw error instanceof PreconditionFailedError ? new LeaseLostError(this.name) : error;
    }
  }

  /**
   * Renews it while the work is done, and aborts the work once another has it.
   *
   * @throws {LeaseLostError} whatever the work threw, if the lease was lost meanwhile
   */
  async during<T>(work: (signal: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const stop = new AbortController();
    const renew = async () => {
      try {
        await this.renew();
      } catch (error) {
        // What fails for another reason is tried again, as long as nobody can have taken it.
        const over = performance.now() - this.renewed > this.holder.lastsMs;
        if (error instanceof LeaseLostError || over) stop.abort(new LeaseLostError(this.name));
      }
    };
    const timer = setInterval(() => void renew(), this.holder.lastsMs / 4);
    timer.unref();
    try {
      const done = await work(signal ? AbortSignal.any([signal, stop.signal]) : stop.signal);
      stop.signal.throwIfAborted();
      return done;
    } catch (error) {
      throw stop.signal.aborted ? stop.signal.reason : error;
    } finally {
      clearInterval(timer);
    }
  }

  async giveBack(): Promise<void> {
    await this.renewing;
    await this.store.delete(this.name, { ifGenerationMatch: this.generation }).catch((error: unknown) => {
      if (!(error instanceof PreconditionFailedError)) throw error;
    });
  }
}

/** Who has the lease, and until when, by the store's clock. */
/** However long its holder wrote down: nobody is kept out for good. */
const MOST_MS = 3_600_000;

async function heldBy(store: ReadableStore, { name, updated }: ObjectInfo) {
  const holder = await readHolder(store, name);
  if (!holder || isDead(holder)) return undefined;
  const until = new Date(Date.parse(updated) + Math.min(holder.lastsMs, MOST_MS));
  return until.getTime() > Date.now() ? { owner: holder.owner, until: until.toISOString() } : undefined;
}

/** Undefined where it was given back meanwhile, or is of an earlier version: the generation decides whether anybody has it now. */
async function readHolder(store: ReadableStore, name: string): Promise<Holder | undefined> {
  try {
    const { data } = holderSchema.safeParse(await readJson(store, name));
    return data;
  } catch (error) {
    if (error instanceof ObjectNotFoundError || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Of this machine's processes it can be told whether they live. */
function isDead({ host, pid, start }: Holder): boolean {
  return host === hostname() && !isRunning(pid, start);
}

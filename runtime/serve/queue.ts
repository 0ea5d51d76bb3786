import { busy } from "./problem";

export interface QueueLimits {
  /** Work inside, waiting or done, before further work is sent away. Large work may fill a quarter, and one at least. */
  readonly places: number;
  /** Work that is done at a time: one a worker. Large work leaves one of them to what is soon done. */
  readonly lanes: number;
  /** Seconds that work may have to wait; what would wait longer is sent away at once. */
  readonly patience: number;
}

/** What work costs. */
export interface Price {
  /** In plain scans: one page of usual size costs about 1. */
  readonly units: number;
  readonly large: boolean;
}

/** Pixels whose decoding costs about as much as the answer for a page. */
const PIXELS_A_UNIT = 1_000_000;
/** A page of more pixels is large: others are soon done beside it. So is every scan of several pages. */
const LARGE_PIXELS = 4_000_000;

/** What a file costs, by its headers. @param outline its pages, and the pixels of all of them together */
export function priceOf({ pages, pixels }: { readonly pages: number; readonly pixels: number }): Price {
  return { units: pages + pixels / PIXELS_A_UNIT, large: pages > 1 || pixels > LARGE_PIXELS };
}

/** Seconds that a unit takes, before any was measured. */
const FIRST_GUESS = 0.05;
/** How much the newest measurement counts. */
const NEWEST = 0.1;
/**
 * Times that a place is looked for before there is none: of those who have left meanwhile some are noticed only in the
 * turn of the event loop in which the newcomer is read, or in the next.
 */
const LOOKS = 3;

/** Does a part of the work when it is its turn, beside as many others as there are lanes. */
export type Lane = <T>(part: () => Promise<T>) => Promise<T>;

interface Waiting {
  readonly price: Price;
  begin(): void;
}

/**
 * Keeps a process that is busy from collapsing: it lets so much work in, and knows how long what is inside will take.
 * Small and large work take turns, so that what is soon done does not wait for all large work.
 */
export class Queue {
  private readonly rows: Readonly<Record<"small" | "large", Waiting[]>> = { small: [], large: [] };
  private readonly inside = new Set<Price>();
  private running = 0;
  private largeRunning = 0;
  private lastWasLarge = false;
  private secondsAUnit = FIRST_GUESS;

  constructor(private readonly limits: QueueLimits) {}

  get lanes(): number {
    return this.limits.lanes;
  }

  /** Work that was let in and is not done. */
  get size(): number {
    return this.inside.size;
  }

  /** Seconds until what is inside now is done, as far as earlier work tells. */
  get wait(): number {
    return this.secondsFor([...this.inside], this.limits.lanes);
  }

  /** The same for what is soon done, which large work leaves a lane to. */
  private get waitOfSmall(): number {
    const small = [...this.inside].filter(({ large }) => !large);
    return this.secondsFor(small, small.length < this.inside.size ? 1 : this.limits.lanes);
  }

  private secondsFor(work: readonly Price[], lanes: number): number {
    return (work.reduce((sum, { units }) => sum + units, 0) * this.secondsAUnit) / lanes;
  }

  /** @throws {Problem} `busy`, if not even small work would be let in now */
  check(): void {
    if (this.isFull(false)) throw this.refusal(false);
  }

  /**
   * Runs work in a place of its own. The place is free again when the work has ended, and at once when the signal is
   * aborted, whatever becomes of the work then.
   *
   * @param work gets a lane: what it does there waits for its turn
   * @throws {Problem} `busy`; the signal's reason, if it is aborted
   */
  async admit<T>(price: Price, signal: AbortSignal, work: (lane: Lane) => Promise<T>): Promise<T> {
    for (let look = 0; this.isFull(price.large) && look < LOOKS; look++) await new Promise(setImmediate);
    signal.throwIfAborted();
    if (this.isFull(price.large)) throw this.refusal(price.large);
    // Two of one price are two.
    const place = { ...price };
    this.inside.add(place);
    try {
      return await unlessAborted(
        signal,
        work((part) => this.lane(place, signal, part)),
      );
    } finally {
      this.inside.delete(place);
    }
  }

  private async lane<T>(price: Price, signal: AbortSignal, part: () => Promise<T>): Promise<T> {
    await this.turn(price, signal);
    const started = performance.now();
    try {
      const result = await unlessAborted(signal, part());
      const measured = (performance.now() - started) / 1000 / price.units;
      this.secondsAUnit += NEWEST * (measured - this.secondsAUnit);
      return result;
    } finally {
      this.running--;
      if (price.large) this.largeRunning--;
      this.next();
    }
  }

  private turn(price: Price, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const row = this.rows[price.large ? "large" : "small"];
      const leave = () => {
        row.splice(row.indexOf(waiting), 1);
        reject(signal.reason);
      };
      const waiting: Waiting = {
        price,
        begin: () => {
          signal.removeEventListener("abort", leave);
          resolve();
        },
      };
      signal.addEventListener("abort", leave, { once: true });
      row.push(waiting);
      this.next();
    });
  }

  private next(): void {
    while (this.running < this.limits.lanes) {
      const next = this.take();
      if (!next) return;
      this.running++;
      this.lastWasLarge = next.price.large;
      if (next.price.large) this.largeRunning++;
      next.begin();
    }
  }

  private take(): Waiting | undefined {
    const { small, large } = this.rows;
    const mayBeLarge = this.largeRunning < Math.max(1, this.limits.lanes - 1);
    if (!mayBeLarge) return small.shift();
    return this.lastWasLarge ? (small.shift() ?? large.shift()) : (large.shift() ?? small.shift());
  }

  private isFull(large: boolean): boolean {
    const { places, patience } = this.limits;
    const wait = large ? this.wait : this.waitOfSmall;
    if (this.inside.size >= places || (this.inside.size > 0 && wait > patience)) return true;
    return large && [...this.inside].filter((price) => price.large).length >= Math.max(1, Math.floor(places / 4));
  }

  private refusal(large: boolean) {
    const onlyLarge = large && !this.isFull(false);
    return busy(`as many ${onlyLarge ? "large " : ""}scans as it can take`, this.wait);
  }
}

/** What work gives, or the signal's reason as soon as it is aborted. */
export function unlessAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const leave = () => reject(signal.reason);
    if (signal.aborted) leave();
    else signal.addEventListener("abort", leave, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", leave));
  });
}

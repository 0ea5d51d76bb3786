/** Every place is taken. */
export class NoPlaceError extends Error {
  constructor(readonly large: boolean) {
    super(large ? "Every place for large work is taken." : "Every place is taken.");
    this.name = "NoPlaceError";
  }
}

/**
 * Times that a place is looked for before there is none: inference blocks the event loop, and those who have left
 * meanwhile are noticed only in the turn in which the newcomer is read, or in the next.
 */
const LOOKS = 3;

/** Resolves in the next turn of the event loop. */
const eventLoop = () => new Promise<void>((resolve) => setImmediate(resolve));

/**
 * Keeps a process that is busy from collapsing: it lets so much work in, and what is inside takes turns, because
 * inference uses the whole core anyway.
 */
export class Admission {
  private readonly turns = new Turns();
  private readonly largePlaces: number;
  private inside = 0;
  private largeInside = 0;

  /** @param places large work may fill a quarter of them, and one at least: the others are kept for what is soon done. */
  constructor(private readonly places: number) {
    this.largePlaces = Math.max(1, Math.floor(places / 4));
  }

  /** Work that was let in and is not done. */
  get size(): number {
    return this.inside;
  }

  /**
   * Runs work in a place that is the work's own, so that it is free again when the work has ended, however it ends.
   *
   * @param gone ends the wait for a turn once nobody waits for the result any more
   * @throws {NoPlaceError} if there is none
   */
  async admit<T>(large: boolean, gone: AbortSignal, work: (turn: Turn) => Promise<T>): Promise<T> {
    for (let look = 0; this.isFull(large) && look < LOOKS; look++) await eventLoop();
    if (this.isFull(large)) throw new NoPlaceError(this.inside < this.places);
    this.inside++;
    if (large) this.largeInside++;
    try {
      return await work(new Turn(this.turns, large, gone));
    } finally {
      this.inside--;
      if (large) this.largeInside--;
    }
  }

  private isFull(large: boolean): boolean {
    return this.inside >= this.places || (large && this.largeInside >= this.largePlaces);
  }
}

/** One work's share of the processor. */
export class Turn {
  private held = false;

  constructor(
    private readonly turns: Turns,
    private readonly large: boolean,
    private readonly gone: AbortSignal,
  ) {}

  /** Runs a part of the work once it is its turn. @throws the signal's reason, if it is aborted before. */
  async during<T>(part: () => Promise<T>): Promise<T> {
    await this.take();
    try {
      return await part();
    } finally {
      if (this.held) this.give();
    }
  }

  /** Lets everything that waits have a turn before this one goes on. @throws the signal's reason, if it is aborted. */
  async pass(): Promise<void> {
    this.give();
    // Requests that have come meanwhile are read first.
    await eventLoop();
    await this.take();
  }

  private async take(): Promise<void> {
    await this.turns.take(this.large, this.gone);
    this.held = true;
    // Who has left while others worked is noticed before the work begins.
    await eventLoop();
    if (!this.gone.aborted) return;
    this.give();
    throw this.gone.reason;
  }

  private give(): void {
    this.held = false;
    this.turns.give();
  }
}

/**
 * One has the turn; the others stand in two rows, which take turns too: what is soon done waits for one part of large
 * work at most, however much of it there is.
 */
class Turns {
  private taken = false;
  private lastWasLarge = false;
  private readonly rows: Readonly<Record<"small" | "large", (() => void)[]>> = { small: [], large: [] };

  async take(large: boolean, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.taken) await this.stand(this.rows[large ? "large" : "small"], signal);
    this.taken = true;
    this.lastWasLarge = large;
  }

  give(): void {
    const { small, large } = this.rows;
    const next = this.lastWasLarge ? (small.shift() ?? large.shift()) : (large.shift() ?? small.shift());
    if (next) next();
    else this.taken = false;
  }

  private stand(row: (() => void)[], signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const begin = () => {
        signal.removeEventListener("abort", leave);
        resolve();
      };
      const leave = () => {
        row.splice(row.indexOf(begin), 1);
        reject(signal.reason);
      };
      signal.addEventListener("abort", leave, { once: true });
      row.push(begin);
    });
  }
}

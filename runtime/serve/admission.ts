/**
 * Keeps a process that is busy from collapsing: at most `limit` requests are let in, and their work is done one after
 * the other, because inference uses the whole core anyway.
 */
export class Admission {
  private inside = 0;
  private tail: Promise<unknown> = Promise.resolve();

  constructor(private readonly limit: number) {}

  /** Requests that were let in and are not done. */
  get size(): number {
    return this.inside;
  }

  /** True, and one place less, if there is one. */
  enter(): boolean {
    if (this.inside >= this.limit) return false;
    this.inside++;
    return true;
  }

  leave(): void {
    this.inside--;
  }

  /** Runs `work` after everything that was given before. */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.tail.then(work);
    this.tail = result.catch(() => undefined);
    return result;
  }
}

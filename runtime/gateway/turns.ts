/** Work on the same thing, one after the other; on others beside it. */
export class Turns {
  private readonly last = new Map<string, Promise<unknown>>();

  async take<T>(thing: string, work: () => Promise<T>): Promise<T> {
    const before = this.last.get(thing);
    const own = (before ?? Promise.resolve()).catch(() => undefined).then(work);
    this.last.set(thing, own);
    try {
      return await own;
    } finally {
      if (this.last.get(thing) === own) this.last.delete(thing);
    }
  }
}

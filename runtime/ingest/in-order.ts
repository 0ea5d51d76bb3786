/**
 * Runs `work` over items side by side and yields the results in the items' order. At most `concurrency` items and
 * `capacity` of weight are begun and not yet taken. Stops beginning new ones when the signal is aborted.
 */
export async function* inOrder<T, R>(
  items: readonly T[],
  work: (item: T) => Promise<R>,
  options: {
    readonly concurrency: number;
    readonly weight: (item: T) => number;
    readonly capacity: number;
    readonly signal: AbortSignal;
  },
): AsyncGenerator<R> {
  const begun: { result: Promise<R>; weight: number }[] = [];
  let load = 0;
  let next = 0;
  try {
    for (;;) {
      while (next < items.length && begun.length < options.concurrency && !options.signal.aborted) {
        const item = items[next] as T;
        const weight = options.weight(item);
        if (begun.length > 0 && load + weight > options.capacity) break;
        const result = work(item);
        // It is awaited in its turn; until then a failure is not one that nobody handles.
        result.catch(() => {});
        begun.push({ result, weight });
        load += weight;
        next++;
      }
      const first = begun[0];
      if (!first || options.signal.aborted) return;
      const result = await first.result;
      yield result;
      begun.shift();
      load -= first.weight;
    }
  } finally {
    await Promise.allSettled(begun.map(({ result }) => result));
  }
}

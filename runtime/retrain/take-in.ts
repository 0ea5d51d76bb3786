import { setTimeout as rest } from "node:timers/promises";
import { LANDED_FEEDBACK, type Warehouse } from "../platform/warehouse";

/** Between two looks, and in all: the function that ingests is woken within seconds. */
const [LOOK_MS, MOST_MS] = [5_000, 300_000];

/**
 * Waits until whoever ingests has taken in what landed, curated or refused. What takes too long is learnt from the next time.
 *
 * @param objects names below landing
 * @returns those that nobody has taken in
 */
export async function awaitIngested(
  warehouse: Pick<Warehouse, "ask">,
  objects: readonly string[],
  signal: AbortSignal,
  { lookMs = LOOK_MS, mostMs = MOST_MS } = {},
): Promise<readonly string[]> {
  const started = performance.now();
  for (;;) {
    const known = new Set((await warehouse.ask(LANDED_FEEDBACK, {})).map(({ source }) => source));
    const missing = objects.filter((name) => !known.has(name));
    if (missing.length === 0 || performance.now() - started >= mostMs) return missing;
    await rest(lookMs, undefined, { signal });
  }
}

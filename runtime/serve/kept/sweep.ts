import { ANSWERS } from "../../dataset";
import { DAY_MS } from "../../platform/day";
import type { Logger } from "../../platform/logging";
import type { DirectoryStore } from "../../platform/stores";
import { KEY_DAYS, KEYS } from "./idempotency";

/** Where an earlier version kept pictures of scans, for ever. */
const EARLIER = "overlays/";
const HOUR = 3_600_000;
/** Objects that one round erases: the rest is the next one's. */
const MOST_A_ROUND = 1000;

/**
 * Erases what was kept for its days, as a bucket's lifecycle rules do it in the cloud: by the age of each object, in every
 * generation.
 *
 * @returns how many objects were erased
 */
export async function sweepOnce(reports: DirectoryStore, days: number, now = Date.now()): Promise<number> {
  let erased = 0;
  for (const [prefix, kept] of [
    [ANSWERS, days],
    [EARLIER, days],
    [KEYS, KEY_DAYS],
  ] as const) {
    for await (const { name, updated } of reports.listAll(prefix)) {
      // Requests are answered between two objects.
      await new Promise(setImmediate);
      if (now - Date.parse(updated) < kept * DAY_MS) continue;
      if (erased === MOST_A_ROUND) return erased;
      if (await reports.erase(name)) erased++;
    }
  }
  return erased;
}

/** Sweeps now and every hour. @returns what ends it */
export function keepSweeping(reports: DirectoryStore, days: number, log: Logger): () => void {
  const sweep = () =>
    sweepOnce(reports, days).then(
      (erased) => {
        if (erased > 0) log.info({ erased, days }, "Kept answers whose days are over were erased");
      },
      (error: unknown) => log.error({ err: error }, "Kept answers could not be erased"),
    );
  void sweep();
  const timer = setInterval(sweep, HOUR);
  timer.unref();
  return () => clearInterval(timer);
}

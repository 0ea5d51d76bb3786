import { createHash } from "node:crypto";
import { z } from "zod";
import type { Progress } from "../platform/progress";
import { type CreatableStore, type ObjectStore, type ReadableStore, readJson, tryToCreate } from "../platform/stores";

/*
 * Where a retraining and the machine that trains for it meet: in the bucket of reports, below the run. The machine is told
 * an order, RUN/DIGEST: the run, and the hash that names the scans which it may learn from.
 */

/** Below it lies all that is known of retraining. */
export const RETRAINING = "retraining/";

/** A run's name: when it began, and six hex digits. It is part of a machine's name. */
export const RUN_NAME = /^[0-9]{8}-[0-9]{6}-[0-9a-f]{6}$/;

const scansSchema = z.object({ ids: z.array(z.string()) });
const trainedSchema = z.object({ model: z.string() });

const scansOf = (order: string) => `${RETRAINING}${order}-scans.json`;
const trainedOf = (order: string) => `${RETRAINING}${order}-trained.json`;

/** Writes down which scans a run may train on. @returns the order */
export async function orderTraining(store: CreatableStore, run: string, ids: readonly string[]): Promise<string> {
  const content = JSON.stringify({ ids: [...ids].sort() });
  const order = `${run}/${createHash("sha256").update(content).digest("hex").slice(0, 32)}`;
  await tryToCreate(store, scansOf(order), content, { contentType: "application/json" });
  return order;
}

/** ids of the scans that may be trained on. @throws {ObjectNotFoundError} if there is no such order */
export async function orderedScans(store: ReadableStore, order: string): Promise<ReadonlySet<string>> {
  return new Set(scansSchema.parse(await readJson(store, scansOf(order))).ids);
}

/** Writes down which model was trained by an order. What is there already stays. */
export async function tellTrained(store: CreatableStore, order: string, model: string): Promise<void> {
  await tryToCreate(store, trainedOf(order), JSON.stringify({ model }), { contentType: "application/json" });
}

/** The id of the model that was trained by an order; undefined where it is not done. */
export async function trainedBy(store: ReadableStore, order: string): Promise<string | undefined> {
  if (!(await store.stat(trainedOf(order)))) return undefined;
  return trainedSchema.parse(await readJson(store, trainedOf(order))).model;
}

const progressSchema = z.object({
  step: z.string(),
  done: z.number(),
  total: z.number(),
  /** A short remark, such as the loss of an epoch. */
  note: z.string().optional(),
  /** ISO 8601. */
  at: z.string(),
});
/** How far a step is. */
export type StepProgress = z.infer<typeof progressSchema>;

const progressOf = (run: string) => `${RETRAINING}${run}/progress.json`;
/** Between two times that it is written down. */
const TOLD_EVERY_MS = 10_000;

/**
 * Progress that is also written down for whoever asks how far a run is. Where it cannot be written down, nothing happens.
 *
 * @param store where the object may be replaced: what works in the cloud may not, and does not tell
 */
export function progressWrittenDown(
  progress: Progress,
  store: Pick<ObjectStore, "write">,
  run: string,
  step: string,
): Progress {
  let [done, total, told] = [0, 0, 0];
  let note: string | undefined;
  let writing: Promise<unknown> | undefined;
  const tell = () => {
    const now = Date.now();
    if (writing || now - told < TOLD_EVERY_MS) return;
    told = now;
    const content: StepProgress = { step, done, total, ...(note ? { note } : {}), at: new Date(now).toISOString() };
    writing = store
      .write(progressOf(run), JSON.stringify(content), { contentType: "application/json" })
      .catch(() => undefined)
      .finally(() => {
        writing = undefined;
      });
  };
  return {
    start(expected, before = 0) {
      [total, done, note] = [expected, before, undefined];
      progress.start(expected, before);
      tell();
    },
    advance(count = 1, remark) {
      done += count;
      note = remark ?? note;
      progress.advance(count, remark);
      tell();
    },
    finish: () => progress.finish(),
    say: (sentence) => progress.say(sentence),
  };
}

/** How far a run was when that was last written down; undefined where it was not, or cannot be read. */
export async function readProgress(store: ReadableStore, run: string): Promise<StepProgress | undefined> {
  if (!(await store.stat(progressOf(run)))) return undefined;
  return progressSchema.safeParse(await readJson(store, progressOf(run)).catch(() => undefined)).data;
}

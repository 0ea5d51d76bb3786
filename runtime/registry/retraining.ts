import { createHash } from "node:crypto";
import { z } from "zod";
import { type CreatableStore, type ReadableStore, tryToCreate } from "../platform/stores";

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
const read = async (store: ReadableStore, name: string): Promise<unknown> =>
  JSON.parse((await store.read(name)).toString("utf8"));

/** Writes down which scans a run may train on. @returns the order */
export async function orderTraining(store: CreatableStore, run: string, ids: readonly string[]): Promise<string> {
  const content = JSON.stringify({ ids: [...ids].sort() });
  const order = `${run}/${createHash("sha256").update(content).digest("hex").slice(0, 32)}`;
  await tryToCreate(store, scansOf(order), content, { contentType: "application/json" });
  return order;
}

/** ids of the scans that may be trained on. @throws {ObjectNotFoundError} if there is no such order */
export async function orderedScans(store: ReadableStore, order: string): Promise<ReadonlySet<string>> {
  return new Set(scansSchema.parse(await read(store, scansOf(order))).ids);
}

/** Writes down which model was trained by an order. What is there already stays. */
export async function tellTrained(store: CreatableStore, order: string, model: string): Promise<void> {
  await tryToCreate(store, trainedOf(order), JSON.stringify({ model }), { contentType: "application/json" });
}

/** The id of the model that was trained by an order; undefined where it is not done. */
export async function trainedBy(store: ReadableStore, order: string): Promise<string | undefined> {
  if (!(await store.stat(trainedOf(order)))) return undefined;
  return trainedSchema.parse(await read(store, trainedOf(order))).model;
}

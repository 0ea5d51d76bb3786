import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { currentImages, readShardRows } from "../../../runtime/dataset";
import { diskError } from "../../../runtime/platform/disk";
import { LeaseLostError } from "../../../runtime/platform/lease";
import type { StepContext } from "../../../runtime/platform/step";
import { openWorkspace } from "../../../runtime/platform/workspace";
import { currentModel, orderedScans, RETRAINING } from "../../../runtime/registry";
import {
  type Begin,
  checkTriggers,
  NothingToRetrainError,
  OWN_WORK,
  OwnedRun,
  orderOf,
  outcomeOf,
  RetrainingBusyError,
  type RetrainOptions,
  readRun,
  retrain,
  runNames,
  SnapshotGoneError,
} from "../../../runtime/retrain";
import { registerReference } from "../../../runtime/retrain/reference";
import { useBackend } from "../../../runtime/tensorflow";
import { BRIGHT_SPOT } from "../../support/bright-spot";
import { promote, storeModel } from "../../support/served-model";
import { prepareSlices } from "../train/slices";

let root: string;
let scans: StepContext;
let context: StepContext;
let copies = 0;

beforeAll(async () => {
  process.env.LOG_LEVEL = "fatal";
  await useBackend("wasm");
  root = mkdtempSync(join(tmpdir(), "retrain-work-"));
  scans = await prepareSlices(root, "scans", [
    ...(["train", "validation", "test"] as const).flatMap((split, i) => [
      { name: `Cancer/c${i}.png`, patient: 2 * i, split },
      { name: `Non-Cancer/n${i}.png`, patient: 2 * i + 1, split },
    ]),
  ]);
  await storeModel(scans.workspace);
  await storeModel(scans.workspace, "model-two");
  await scans.workspace.close();
});
afterAll(() => rmSync(root, { recursive: true }));
beforeEach(async () => {
  const out = join(root, `copy${copies++}`);
  cpSync(join(root, "scans"), out, { recursive: true });
  context = { ...scans, workspace: await openWorkspace(out) };
});
afterEach(() => context.workspace.close());

const begin = (at = new Date()): Begin => ({ trigger: "person", reason: "A test.", seed: 0, at: at.toISOString() });
/** A retraining whose model is there already: none is trained. */
const options = (work: Partial<RetrainOptions["work"]> = {}): RetrainOptions => ({
  begin: begin(),
  work: { ...OWN_WORK, train: async () => ({ model: BRIGHT_SPOT.id, parameters: 1 }), ...work },
});
const reports = () => context.workspace.buckets.reports;
const newest = async () => readRun(reports(), (await runNames(reports()))[0] as string);

test("without labelled scans says what is missing, and the same command goes on once there are some", async () => {
  const empty = await openWorkspace(join(root, "empty"));
  const bare = { ...context, workspace: empty };
  await expect(retrain(bare, options())).rejects.toThrow(NothingToRetrainError);
  await expect(retrain(bare, options())).rejects.toThrow(/of 0 labelled scans none is Cancer, and none Non-Cancer/);
  expect(await runNames(empty.buckets.reports)).toHaveLength(1);
  await empty.close();
});

test("gives a run up, before anything is trained, whose scans were taken away meanwhile, and begins another", async () => {
  await promote(context.workspace, "model-two");
  const train = jest.fn(OWN_WORK.train);
  const preprocess: typeof OWN_WORK.preprocess = async (...given) => {
    const [gone] = await currentImages(context.workspace.warehouse);
    if (gone) {
      const { group: _, split: __, ...row } = gone;
      const taken = { ...row, generation: row.generation + 1, status: "quarantined", reason: "no-picture" };
      await context.workspace.warehouse.append("images", "taken", [taken as never]);
    }
    return OWN_WORK.preprocess(...given);
  };
  await expect(retrain(context, options({ preprocess, train }))).rejects.toThrow(SnapshotGoneError);
  expect(train).not.toHaveBeenCalled();
  const first = await newest();
  expect([outcomeOf(first), first.steps.has("train")]).toEqual(["given-up", false]);
  expect((await currentModel(context.workspace.buckets.models))?.model).toBe("model-two");
  const { run, recorded } = await retrain(context, options());
  expect([run === first.run, recorded.outcome]).toEqual([false, "kept"]);
});

test("compares with whichever model is current when it promotes, and leaves what others trained alone", async () => {
  const compare: typeof OWN_WORK.compare = async (...given) => {
    const compared = await OWN_WORK.compare(...given);
    await promote(context.workspace, "model-two");
    return compared;
  };
  const { recorded } = await retrain(context, options({ compare }));
  expect(recorded.reason).toMatch(/the champion model-two/);
});

test("stops who has lost the lease, and nothing of what it does then counts", async () => {
  const train = async () => {
    await reports().delete(`${RETRAINING}lease.json`);
    const lease = await OwnedRun.lease(reports());
    if ("until" in lease) throw new Error("It is held.");
    await OwnedRun.open(reports(), lease, begin(), await OwnedRun.unfinished(reports()));
    return { model: "model-of-the-old-one", parameters: 1 };
  };
  await expect(retrain(context, options({ train }))).rejects.toThrow(LeaseLostError);
  expect((await newest()).steps.has("train")).toBe(false);
  await expect(retrain(context, options())).rejects.toThrow(RetrainingBusyError);
});

test("never trains on the reference set, nor on what is of its groups, and measures on what is left of it", async () => {
  const rows = await readShardRows(context.workspace);
  const of = (split: string) => rows.filter((row) => row.split === split && row.label !== null);
  const [learnt] = of("train");
  const held = [...of("test"), { ...(learnt as (typeof rows)[number]), id: "another-of-its-group" }];
  await registerReference(reports(), held as never, new Date());
  const { reference } = await retrain(context, options());
  expect(reference.challenger?.n).toBe(2);
  const known = await newest();
  const result = known.steps.get("preprocess")?.result as { reserved: number; order: string };
  expect(result.reserved).toBe(1);
  expect((await orderedScans(reports(), result.order)).has(learnt?.id as string)).toBe(false);
  expect(known.steps.get("evaluate")?.result).toMatchObject({ gone: 1 });
});

test("goes on after a disk that was full at any of its writes, to the same end", async () => {
  const store = reports();
  const full = Object.assign(new Error("ENOSPC: no space left on device, write"), {
    code: "ENOSPC",
    syscall: "write",
    path: store.uri,
  });
  const real = store.create.bind(store);
  const create = jest.spyOn(store, "create");
  let left = 0;
  create.mockImplementation((...given) => (left-- > 0 ? real(...given) : Promise.reject(full)));
  const runs = new Set<string>();
  let failures = 0;
  for (let writes = 0; ; writes++) {
    left = writes;
    const failure = await retrain(context, options()).then(
      () => undefined,
      (error: Error) => error,
    );
    for (const name of await runNames(store)) runs.add(name);
    if (failure === undefined) break;
    failures++;
    expect(diskError(failure)?.message).toMatch(/disk is full/);
  }
  expect([failures > 3, runs.size]).toEqual([true, 1]);
  expect(outcomeOf(await newest())).toBe("promoted");
});

test("says which trigger would fire, counted from the last run that came to an end", async () => {
  const { warehouse, buckets } = context.workspace;
  const ask = async (days: number, rules = { everyDays: 30, newScans: 2, onAlarm: true }) =>
    Object.fromEntries(
      (await checkTriggers({ ...buckets, warehouse }, rules, new Date(Date.now() + days * 86_400_000))).map((one) => [
        one.trigger,
        one.fires,
      ]),
    );
  const nothing = { schedule: false, labels: false, alarm: false };
  // There is no model yet: training is somebody's decision.
  expect(await ask(400)).toEqual(nothing);
  // Promoted at the beginning of time: all scans are new.
  await promote(context.workspace, "model-two");
  expect(await ask(0)).toEqual({ schedule: true, labels: true, alarm: false });
  expect(await ask(0, { everyDays: 0, newScans: 0, onAlarm: false })).toEqual(nothing);
  await retrain(context, options());
  expect(await ask(29)).toEqual(nothing);
  expect(await ask(30)).toEqual({ ...nothing, schedule: true });
  const rows = await currentImages(warehouse);
  const later = new Date(Date.now() + 60_000).toISOString();
  for (const row of rows.slice(0, 2)) {
    const { group: _, split: __, ...image } = row;
    const added = { ...image, id: `new-${row.id}`, source: `new/${row.source}`, ingested_at: later };
    await warehouse.append("images", added.id, [added as never]);
  }
  expect(await ask(1)).toEqual({ ...nothing, labels: true });
  const model = (await currentModel(buckets.models))?.model as string;
  const day = new Date(Date.now() + 86_400_000).toISOString().slice(0, 10);
  const alarm = { model, day, name: "alarm", part: "input", value: 1, low: null, high: null, scans: 40, detail: "{}" };
  await warehouse.append("monitoring", "alarm", [{ ...alarm, revision: 1, computed_at: later }]);
  expect(await ask(2)).toEqual({ ...nothing, labels: true, alarm: true });
  // Told again without it: it was taken back.
  const quiet = { ...alarm, name: "answers", part: null, revision: 2, computed_at: later };
  await warehouse.append("monitoring", "told-again", [quiet]);
  expect((await ask(2)).alarm).toBe(false);
});

test("tells a training machine what it is to learn from by a name that its content decides", async () => {
  let order = "";
  const train: typeof OWN_WORK.train = async (_, run) => {
    order = orderOf(run);
    return { model: BRIGHT_SPOT.id, parameters: 1 };
  };
  await retrain(context, options({ train }));
  expect(order).toMatch(/^\d{8}-\d{6}-[0-9a-f]{6}\/[0-9a-f]{32}$/);
  expect((await orderedScans(reports(), order)).size).toBe(6);
});

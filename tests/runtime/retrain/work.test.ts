import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runForget } from "../../../runtime/cli/forget";
import { giveUpWorkspace, retrainStatus, retrainWorkspace } from "../../../runtime/cli/retrain";
import { currentImages, readShardRows } from "../../../runtime/dataset";
import { ingestStep } from "../../../runtime/ingest";
import { LEARNT_FOLDERS } from "../../../runtime/intake";
import { diskError } from "../../../runtime/platform/disk";
import { LeaseLostError } from "../../../runtime/platform/lease";
import { silentProgress } from "../../../runtime/platform/progress";
import type { StepContext } from "../../../runtime/platform/step";
import { CURRENT_ASSIGNMENTS } from "../../../runtime/platform/warehouse";
import { openWorkspace } from "../../../runtime/platform/workspace";
import { preprocessStep } from "../../../runtime/preprocess";
import { registerReference } from "../../../runtime/promotion";
import { currentModel, orderedScans, progressWrittenDown, RETRAINING, readProgress } from "../../../runtime/registry";
import {
  type Begin,
  checkTriggers,
  NothingToRetrainError,
  OWN_WORK,
  OwnedRun,
  orderOf,
  outcomeOf,
  type RetrainContext,
  RetrainingBusyError,
  type RetrainOptions,
  readRun,
  retrain,
  runNames,
  SnapshotGoneError,
  type TriggerRules,
} from "../../../runtime/retrain";
import { retrainContract } from "../../../runtime/retrain/contract";
import { awaitIngested } from "../../../runtime/retrain/take-in";
import { useBackend } from "../../../runtime/tensorflow";
import { BRIGHT_SPOT } from "../../support/bright-spot";
import { headPng } from "../../support/head";
import { promote, storeModel, until } from "../../support/served-model";
import { writeResidual } from "../../support/tiny-teacher";
import { prepareSlices } from "../train/slices";

let root: string;
let scans: StepContext;
let context: StepContext & { feedback: RetrainContext["feedback"] };
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
  const workspace = await openWorkspace(out);
  const takeIn = async () => void (await ingestStep({ ...scans, workspace }));
  context = { ...scans, workspace, feedback: { consent: false, takeIn } };
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

const RULES: TriggerRules = { everyDays: 30, newScans: 2, onAlarm: true, feedback: { consent: false } };

test("says which trigger would fire, counted from the last run that came to an end", async () => {
  const { warehouse, buckets } = context.workspace;
  const ask = async (days: number, rules: Partial<TriggerRules> = {}) =>
    Object.fromEntries(
      (
        await checkTriggers({ ...buckets, warehouse }, { ...RULES, ...rules }, new Date(Date.now() + days * 86_400_000))
      ).map((one) => [one.trigger, one.fires]),
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
  // A watch that had rung before the run began, and rings on, tells of the change that was retrained for; another watch does not.
  const earlier = { ...alarm, day: new Date(Date.now() - 3 * 86_400_000).toISOString().slice(0, 10) };
  await warehouse.append("monitoring", "late", [{ ...earlier, revision: 1, computed_at: later }]);
  // Told of only after the run began, it is no change that was retrained for.
  expect((await ask(2)).alarm).toBe(true);
  const inTime = `${earlier.day}T12:00:00.000Z`;
  await warehouse.append("monitoring", "earlier", [{ ...earlier, revision: 2, computed_at: inTime }]);
  expect((await ask(2)).alarm).toBe(false);
  const another = { ...alarm, part: "feedback" };
  await warehouse.append("monitoring", "another", [
    ...[alarm, another].map((one) => ({ ...one, revision: 2, computed_at: later })),
  ]);
  expect((await ask(2)).alarm).toBe(true);
  // Told again without it: it was taken back.
  const quiet = { ...alarm, name: "answers", part: null, revision: 3, computed_at: later };
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

test("a teacher that cannot be used is refused before a run begins with it", async () => {
  const { directory } = context.workspace;
  const ask = (backbone: string, more: { readonly serves?: "teacher" } = {}) => {
    const teacher = { backbone, ...more };
    return retrainWorkspace({ out: directory, trigger: "person", rules: RULES, backend: "wasm", teacher });
  };
  await expect(ask(join(root, "nowhere"))).rejects.toThrow(/backbone file:\/\/.*nowhere.*there is no backbone\.json/s);
  await expect(ask(writeResidual(join(root, "unknown"), { operator: "Sigmoid" }))).rejects.toThrow(/cannot teach/);
  await expect(ask(writeResidual(join(root, "residual")))).rejects.toThrow(
    /takes native TensorFlow.*or train without --teacher\./s,
  );
  const dense = writeResidual(join(root, "dense"), { dense: true });
  await expect(ask(dense)).rejects.toThrow(/takes native TensorFlow/);
  await expect(ask(dense, { serves: "teacher" })).rejects.toThrow(/can teach and cannot be served itself/);
  expect(await runNames(reports())).toEqual([]);
});

test("whoever goes on with a run serves the teacher that it began with", async () => {
  const teacher = { backbone: "gs://models/backbone", epochs: 2, serves: "teacher" as const };
  const train = jest.fn(async () => Promise.reject(new Error("The machine went away.")));
  const { begin: begun, work } = options({ train });
  await expect(retrain(context, { begin: { ...begun, teacher }, work })).rejects.toThrow("The machine went away.");
  expect((await newest()).begin.teacher).toEqual(teacher);
});

test("an unfinished run is told of with how far its step is, and named to who forgets a scan of it", async () => {
  const { directory } = context.workspace;
  const train: typeof OWN_WORK.train = async (_, { run }) => {
    const progress = progressWrittenDown(silentProgress, reports(), run, "train");
    progress.start(10, 3);
    await until(() => readProgress(reports(), run), Boolean);
    throw new Error("killed");
  };
  await expect(retrain(context, options({ train }))).rejects.toThrow("killed");
  const { run } = await newest();
  expect(await retrainStatus(directory)).toMatchObject({ run, next: "train", within: { done: 3, total: 10 } });
  const checkpoints = join(directory, ".checkpoints", "model-one");
  mkdirSync(checkpoints, { recursive: true });
  writeFileSync(join(checkpoints, "model-one.checkpoint"), "");
  const forgetting = () => runForget(directory, { source: "Cancer/c0.png" }, { yes: false, json: false });
  const said = await forgetting();
  expect(said).toContain(`The retraining ${run} is unfinished, and has it among the scans that it learns from.`);
  expect(said).toContain(`npm run retrain -- --out ${directory} --give-up.`);
  expect(said).toMatch(/What it has learnt so far lies in .*model-one\.checkpoint: delete that too\./);
  expect(await giveUpWorkspace(directory)).toBe(run);
  expect(await forgetting()).not.toContain("The retraining");
});

describe("feedback", () => {
  const { folders } = retrainContract.createsBelow.landing;
  /** What a run is told to train on, and what its snapshot says of feedback. */
  async function learnt(consent: boolean) {
    let order = "";
    const { workspace } = context;
    const preprocess: typeof OWN_WORK.preprocess = async (retraining, run) => {
      await preprocessStep({ ...context, signal: retraining.signal }, { threads: 1 });
      return OWN_WORK.preprocess(retraining, run);
    };
    const train: typeof OWN_WORK.train = async (_, run) => {
      order = orderOf(run);
      return { model: BRIGHT_SPOT.id, parameters: 1 };
    };
    const rules = { ...context.feedback, consent };
    const { feedback } = await retrain({ ...context, feedback: rules }, options({ preprocess, train }));
    const [ids, rows] = [await orderedScans(reports(), order), await readShardRows(workspace)];
    return { feedback, trained: rows.filter(({ id }) => ids.has(id)) };
  }

  /** A scan without a label, answered, and what people say of it. */
  async function saidOf(who: readonly string[]): Promise<string> {
    const { warehouse, buckets } = context.workspace;
    await buckets.landing.create("Unlabelled/new.png", await headPng(96, 80, { x: 30, y: 30, radius: 9 }));
    await ingestStep(context);
    const { sha256 } = (await currentImages(warehouse)).find(({ source }) => source === "Unlabelled/new.png") as {
      readonly sha256: string;
    };
    const [request, id] = ["00000000-0000-0000-0000-000000000001", "a".repeat(64)];
    const answer = { request, id, model: "m", recipe: "r", probability: 0.9, label: "Cancer", decision: "Cancer" };
    const predicted_at = new Date(Date.now() - 60_000).toISOString();
    await warehouse.append("predictions", request, [
      { ...answer, threshold: 0.5, sha256, predicted_at, who: null, milliseconds: null },
    ]);
    for (const [i, one] of who.entries()) {
      const said = { feedback: `said-${i}`, request, id, label: "Cancer", comment: null, who: one };
      const given_at = new Date(Date.now() - 30_000 + i).toISOString();
      await warehouse.append("feedback", `said-${i}`, [
        { ...said, given_at, supersedes: null, scope: null, confirmed: null },
      ]);
    }
    return sha256;
  }
  const splits = async () =>
    (await context.workspace.warehouse.ask(CURRENT_ASSIGNMENTS, {})).map(({ id, group, split }) => [id, group, split]);

  test("of two people is trained on in the next run, and no split changes; without consent it is taken out again", async () => {
    const sha256 = await saidOf(["ann@hospital.org", "bea@hospital.org"]);
    const { warehouse, buckets } = context.workspace;
    const fresh = async (consent: boolean) => {
      const rules = { ...RULES, newScans: 1, feedback: { consent } };
      const states = await checkTriggers({ ...buckets, warehouse }, rules, new Date());
      return states.find(({ trigger }) => trigger === "labels")?.reason;
    };
    await promote(context.workspace, "model-two");
    const scansThere = (await currentImages(warehouse)).filter(({ label }) => label !== null).length;
    expect(await fresh(false)).toMatch(`${scansThere} of 1 `);
    expect(await fresh(true)).toMatch(`${scansThere + 1} of 1 `);
    const before = await splits();
    const first = await learnt(true);
    expect(first.feedback).toMatchObject({ agreed: 1, counting: 1, landed: 1, left: {} });
    expect(first.trained.filter((row) => row.sha256 === sha256)).toMatchObject([{ label: "Cancer", split: "train" }]);
    expect(first.trained).toHaveLength(7);
    expect(await splits()).toEqual(expect.arrayContaining(before));
    // What was learnt from is no reason to begin again.
    expect(await fresh(true)).toMatch("0 of 1 ");
    expect((await learnt(true)).feedback).toMatchObject({ counting: 1, landed: 0 });
    const last = await learnt(false);
    expect(last.feedback).toMatchObject({ agreed: 0, counting: 0, withdrawn: 1 });
    expect(last.trained.map((row) => row.sha256)).not.toContain(sha256);
    expect(last.trained).toHaveLength(6);
  });

  test("of one person by two addresses is that of one", async () => {
    await saidOf(["ann@hospital.org", "a.smith@clinic.org"]);
    context.feedback = { ...context.feedback, samePerson: [["ann@hospital.org", "a.smith@clinic.org"]] };
    expect((await learnt(true)).feedback).toMatchObject({ agreed: 0, waiting: 1, landed: 0 });
  });

  test("that landed before a kill is taken in by who goes on", async () => {
    await saidOf(["ann@hospital.org", "bea@hospital.org"]);
    const { takeIn } = context.feedback;
    const killed = async () => Promise.reject(new Error("killed"));
    const rules = { ...context.feedback, consent: true };
    await expect(retrain({ ...context, feedback: { ...rules, takeIn: killed } }, options())).rejects.toThrow("killed");
    context.feedback = { ...context.feedback, takeIn };
    const { feedback, trained } = await learnt(true);
    expect([feedback?.landed, feedback?.counting, trained.length]).toEqual([0, 1, 7]);
  });

  test("is waited for until it is ingested, and no longer than is said", async () => {
    const { warehouse } = context.workspace;
    const { signal } = context;
    const sha256 = await saidOf(["ann@hospital.org", "bea@hospital.org"]);
    const [object, never] = [`Cancer/feedback/${sha256}.png`, `Cancer/feedback/${"0".repeat(64)}.png`];
    await context.workspace.buckets.landing.create(object, await headPng(96, 80, { x: 30, y: 30, radius: 9 }));
    const waiting = awaitIngested(warehouse, [object], signal, { lookMs: 5 });
    await ingestStep(context);
    expect(await waiting).toEqual([]);
    expect(await awaitIngested(warehouse, [object, never], signal, { lookMs: 5, mostMs: 20 })).toEqual([never]);
  });

  test("lands where the contract lets it", () => {
    expect(folders).toEqual(LEARNT_FOLDERS);
  });
});

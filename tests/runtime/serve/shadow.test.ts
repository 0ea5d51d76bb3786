import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { openWorkspace, type Workspace } from "../../../runtime/platform/workspace";
import { buildServer, type Prediction } from "../../../runtime/serve";
import { Shadow, type ShadowDependencies } from "../../../runtime/serve/shadow";
import { headPng } from "../../support/bright-spot";
import { promote, storeModel, until } from "../../support/served-model";

const log = pino({ level: "silent" });
const [ONE, TWO] = ["model-one", "model-two"];

let folder: string;
let workspace: Workspace;
let scan: Buffer;
const servers: Awaited<ReturnType<typeof buildServer>>[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "shadow-"));
  workspace = await openWorkspace(join(folder, "workspace"));
  for (const id of [ONE, TWO]) await storeModel(workspace, id);
  await promote(workspace, ONE);
  scan = await headPng(160, 160, { x: 80, y: 70, radius: 16 });
});

afterEach(async () => {
  for (const app of servers.splice(0)) await app.close();
});

afterAll(async () => {
  await workspace.close();
  await rm(folder, { recursive: true, force: true });
});

async function server(overrides: Partial<Parameters<typeof buildServer>[0]> = {}) {
  const { models, reports } = workspace.buckets;
  const app = await buildServer({
    ...{ models, pointer: models, reports, warehouse: workspace.warehouse, log, refreshSeconds: 0.05 },
    ...overrides,
  });
  servers.push(app);
  return app;
}

type App = Awaited<ReturnType<typeof server>>;
const ask = async (app: App, payload = scan) => {
  const response = await app.inject({ method: "POST", url: "/v1/predictions", payload });
  expect(response.statusCode).toBe(200);
  return response.json<Prediction>();
};
const rolledBack = async (app: App) => {
  const response = await app.inject({ method: "POST", url: "/v1/models/rollback" });
  return {
    request: String(response.headers["x-request-id"]),
    status: response.statusCode,
    current: response.json().current,
  };
};
const tellsOf = async (app: App) => (await app.inject("/v1/model")).json();
const compared = async (request: string) => (await workspace.warehouse.batch("shadows", request))?.[0];

describe("a pinned model", () => {
  test("answers whichever is current, and says so everywhere", async () => {
    const app = await server({ pinned: TWO });
    const answer = await ask(app);
    expect(answer).toMatchObject({ model: TWO, pinned: true });
    expect(await workspace.warehouse.batch("predictions", answer.request)).toMatchObject([{ served_as: "pinned" }]);
    const audited = await workspace.warehouse.rows("audit");
    expect(audited.find(({ row }) => row.request === answer.request)?.row).toMatchObject({
      ...{ action: "predict", model: TWO, served_as: "pinned" },
    });
    const { items } = (await app.inject("/v1/predictions")).json();
    expect(items[0]).toMatchObject({ request: answer.request, pinned: true });
    expect((await app.inject(`/v1/predictions/${answer.id}`)).json()).toMatchObject({ pinned: true });

    await promote(workspace, TWO);
    await promote(workspace, ONE);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(await tellsOf(app)).toMatchObject({ id: TWO, pinned: true });
    expect((await app.inject("/readyz")).json()).toMatchObject({ model: TWO });
  });

  test("is none of what a rollback takes back: that is written down of the model that was current", async () => {
    await promote(workspace, TWO);
    const app = await server({ pinned: ONE });
    const { request, ...moved } = await rolledBack(app);
    expect(moved).toMatchObject({ status: 200, current: ONE });
    const acts = (await workspace.warehouse.rows("audit")).map(({ row }) => row);
    const its = acts.filter((row) => row.request === request && row.action === "rollback");
    expect(its.map(({ subject, result }) => `${subject}: ${result}`).sort()).toEqual([
      `${TWO}: asked`,
      `${TWO}: ${ONE}`,
    ]);
  });

  test("an answer of the current model says nothing of it", async () => {
    const app = await server();
    const answer = await ask(app);
    expect(answer).toMatchObject({ model: ONE });
    expect(answer).not.toHaveProperty("pinned");
    expect((await workspace.warehouse.batch("predictions", answer.request))?.[0]).not.toHaveProperty("served_as");
    expect(await tellsOf(app)).toMatchObject({ id: ONE, pinned: false, shadow: null });
  });

  test("that is not there takes no request, and says what is missing", async () => {
    const app = await server({ pinned: "no-such-model" });
    const ready = await app.inject("/readyz");
    expect(ready.statusCode).toBe(503);
    expect(ready.json().detail).toContain("no-such-model");
  });

  test("that was damaged is verified like any", async () => {
    await storeModel(workspace, "model-broken");
    const name = "model-broken/model.onnx";
    const { generation } = (await workspace.buckets.models.stat(name)) ?? {};
    await workspace.buckets.models.write(name, Buffer.from("no network"), { ifGenerationMatch: generation ?? 0 });
    const app = await server({ pinned: "model-broken" });
    expect((await app.inject("/readyz")).statusCode).toBe(503);
  });
});

describe("a model beside the one that answers", () => {
  test("is asked after the answer, and leaves a row of its own kind with its audit", async () => {
    const app = await server({ shadow: TWO });
    const answer = await ask(app);
    expect(answer.model).toBe(ONE);
    const row = await until(
      () => compared(answer.request),
      (found) => found !== undefined,
    );
    expect(row).toMatchObject({
      ...{ request: answer.request, model: ONE, shadow: TWO, sha256: answer.slices[0]?.sha256 },
      ...{ decision: answer.decision, shadow_decision: answer.decision, probability: answer.probability },
    });
    expect(row?.shadow_probability).toBeCloseTo(answer.probability, 6);
    expect(row?.milliseconds).toBeGreaterThanOrEqual(0);
    expect(row?.shadow_milliseconds).toBeGreaterThanOrEqual(0);
    const audited = (await workspace.warehouse.rows("audit")).map(({ row }) => row);
    const mine = audited.filter(({ request }) => request === answer.request);
    expect(mine.sort((a, b) => a.action.localeCompare(b.action))).toMatchObject([
      expect.objectContaining({ action: "predict", model: ONE }),
      expect.objectContaining({ action: "shadow", model: TWO, result: answer.decision, served_as: "shadow" }),
    ]);
    // Nobody is answered with it.
    const predicted = await workspace.warehouse.rows("predictions");
    expect(predicted.filter(({ row: { request } }) => request === answer.request)).toHaveLength(1);
    await until(
      () => tellsOf(app),
      ({ shadow }) => shadow.compared === 1,
    );
    expect((await app.inject("/metrics")).body).toContain('serve_shadow_scans{outcome="compared"} 1');
  });

  test("that has been promoted has nothing to be compared with, and after a rollback it has again", async () => {
    const app = await server({ shadow: TWO });
    await promote(workspace, TWO);
    await until(
      () => tellsOf(app),
      ({ id }) => id === TWO,
    );
    await ask(app);
    await promote(workspace, ONE);
    await until(
      () => tellsOf(app),
      ({ id }) => id === ONE,
    );
    const { request } = await ask(app);
    await until(
      () => compared(request),
      (found) => found !== undefined,
    );
    expect((await tellsOf(app)).shadow).toMatchObject({ model: TWO, dropped: 0, failed: 0, problem: null });
  });

  test("that cannot be loaded stops no answer, and says why", async () => {
    const app = await server({ shadow: "no-such-model" });
    expect(await ask(app)).toMatchObject({ model: ONE });
    expect((await tellsOf(app)).shadow).toMatchObject({
      ...{ model: null, dropped: 1, compared: 0 },
      problem: expect.stringContaining("no-such-model"),
    });
  });

  test("whose rows cannot be written fails no answer, and is counted", async () => {
    const { warehouse } = workspace;
    const append: typeof warehouse.append = async (table, ...rest) => {
      if (table === "shadows") throw new Error("The disk is full.");
      return warehouse.append(table, ...rest);
    };
    const failing = Object.assign(Object.create(warehouse), { append });
    const app = await server({ shadow: TWO, warehouse: failing });
    await ask(app);
    const { shadow } = await until(
      () => tellsOf(app),
      ({ shadow: { failed } }) => failed === 1,
    );
    expect(shadow).toMatchObject({ compared: 0, failed: 1 });
  });
});

describe("answers go first", () => {
  const answered = (request: string, more = {}) => ({
    ...{ request, who: "local", role: "admin" as const, bytes: Buffer.alloc(100), large: false, model: ONE },
    ...{ scored: undefined, milliseconds: undefined, ...more },
  });

  function shadowWith(
    queue: { size: number; lanes: number },
    score: (bytes: Buffer) => Promise<never> = () => new Promise(() => {}),
  ) {
    const scorer = { metadata: { id: TWO, recipe: "r1" }, score };
    const rows: unknown[] = [];
    const dependencies = {
      slot: { current: scorer, problem: undefined, use: (work: (scorer: unknown) => unknown) => work(scorer) },
      warehouse: { append: async (_: string, __: string, [row]: unknown[]) => void rows.push(row) },
      audit: { record: async () => undefined },
      limits: { bytes: 1000 },
      deadlineSeconds: 0.1,
      ...{ queue, log },
    } as unknown as ShadowDependencies;
    return { shadow: new Shadow(dependencies), rows };
  }

  test("what comes while too many wait, is too large, or has too many bytes, is dropped and counted", async () => {
    const { shadow } = shadowWith({ size: 2, lanes: 2 });
    for (let i = 0; i < 12; i++) shadow.offer(answered(`r${i}`));
    // One is in the worker's hands, eight wait.
    expect(shadow.counts.dropped).toBe(3);
    shadow.offer(answered("large", { large: true }));
    shadow.offer(answered("bytes", { bytes: Buffer.alloc(1001) }));
    expect(shadow.counts.dropped).toBe(5);
    await shadow.end();
  });

  test("what waits is a copy, and keeps no request's whole body", async () => {
    const body = Buffer.alloc(1_000_000, 7);
    let asked: Buffer | undefined;
    const { shadow } = shadowWith({ size: 0, lanes: 2 }, async (bytes) => {
      asked = bytes;
      throw new Error("It was asked.");
    });
    shadow.offer(answered("of a body", { bytes: body.subarray(500, 600) }));
    await until(
      async () => shadow.counts.failed,
      (failed) => failed === 1,
    );
    expect(asked).toEqual(Buffer.alloc(100, 7));
    expect(asked?.buffer).not.toBe(body.buffer);
  });

  test("while no thread is free nothing begins, and what has waited for an answer's time is dropped", async () => {
    const queue = { size: 2, lanes: 2 };
    const { shadow, rows } = shadowWith(queue, () => Promise.reject(new Error("It was asked.")));
    shadow.offer(answered("waits"));
    await until(
      async () => shadow.counts.dropped,
      (dropped) => dropped === 1,
    );
    expect(rows).toEqual([]);
    queue.size = 1;
    shadow.offer(answered("asked"));
    await until(
      async () => shadow.counts.failed,
      (failed) => failed === 1,
    );
    expect(rows).toMatchObject([{ request: "asked", shadow_decision: "Failed", decision: "Rejected" }]);
  });

  test("what is stopped did not fail", async () => {
    const { shadow, rows } = shadowWith({ size: 0, lanes: 2 }, () => Promise.reject(new Error("stopped")));
    shadow.offer(answered("stopped"));
    await shadow.end();
    expect(shadow.counts.failed).toBe(0);
    expect(rows).toEqual([]);
  });
});

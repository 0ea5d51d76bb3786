import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FastifyInstance } from "fastify";
import pino from "pino";
import { dayOf, laterDay } from "../../../runtime/monitor";
import { BigQueryWarehouse, TABLE_NAMES, type Warehouse } from "../../../runtime/platform/warehouse";
import { openWorkspace, type Workspace } from "../../../runtime/platform/workspace";
import { setCurrent } from "../../../runtime/registry";
import { buildServer, localCallers } from "../../../runtime/serve";
import { monitoringOf } from "../../../runtime/serve/monitoring";
import { type Monitoring, monitoringSchema } from "../../../runtime/serve/monitoring-schemas";
import { Refusals } from "../../../runtime/serve/refusals";
import type { ProblemDocument } from "../../../runtime/serve/schemas";
import { BigQueryServer } from "../../support/bigquery-server";
import { Issuer, newKey, seconds, token } from "../../support/issuer";
import { NAMED, storeMonitored, toldRow } from "../../support/monitored";

const MODEL = "a-model-0001";
const AUDIENCE = "https://serve.example.org";
const key = newKey();
const silent = pino({ level: "silent" });
const today = dayOf(new Date());

let folder: string;
let workspace: Workspace;
let issuer: Issuer;
const servers: FastifyInstance[] = [];

/** A server over tables; that its model's files are missing is no matter here. */
async function listening(warehouse: Warehouse = workspace.warehouse): Promise<string> {
  const { models, reports } = workspace.buckets;
  const app = await buildServer({
    ...{ models, reports, warehouse, log: silent, maxBodyBytes: 1024 },
    ...localCallers("127.0.0.1", {
      ...{ AUTH: "oidc", AUTH_AUDIENCE: AUDIENCE, AUTH_JWKS: issuer.url },
      AUTH_ROLES: JSON.stringify({ viewer: ["*@hospital.org"], clinician: ["dr@hospital.org"] }),
    }),
  });
  servers.push(app);
  return app.listen({ port: 0, host: "127.0.0.1" });
}

function asking(url: string, path: string, who = "nurse@hospital.org", init: RequestInit = {}): Promise<Response> {
  const claims = { iss: "https://accounts.google.com", aud: AUDIENCE, email: who, email_verified: true };
  const authorization = `Bearer ${token(key, { ...claims, exp: seconds() + 600 })}`;
  return fetch(`${url}${path}`, { ...init, headers: { authorization } });
}

const problemOf = async (response: Response) => (await response.json()) as ProblemDocument;

async function told(url: string, query = ""): Promise<Monitoring> {
  const response = await asking(url, `/v1/monitoring${query}`);
  expect([query, response.status]).toEqual([query, 200]);
  return (await response.json()) as Monitoring;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "monitoring-"));
  workspace = await openWorkspace(join(folder, "workspace"));
  issuer = await Issuer.start(key);
});
afterAll(async () => {
  await Promise.all(servers.map((app) => app.close()));
  await issuer.stop();
  await workspace.close();
  await rm(folder, { recursive: true, force: true });
});

test("without a model it says so; with one of which nothing is told, what to run", async () => {
  const url = await listening();
  const response = await asking(url, "/v1/monitoring");
  expect([response.status, (await problemOf(response)).code]).toEqual([503, "no-model"]);
  expect((await asking(url, "/v1/monitoring?model=never-there-0001")).status).toBe(404);
  await setCurrent(workspace.buckets.models, { model: MODEL, reason: "The test says so." }, undefined, new Date());
  expect(await told(url)).toMatchObject({
    ...{ model: MODEL, current: true, from: laterDay(today, -29), to: today, state: "untold", days: [], alarms: [] },
    ...{ accuracy: null, todo: [expect.stringContaining("npm run monitor -- --out WORKSPACE")] },
  });
});

test("says what rings and what to do, day by day, to whoever may look, and writes down who did", async () => {
  await storeMonitored(workspace.warehouse, MODEL, { last: today });
  const url = await listening();
  const answer = await told(url);
  expect(monitoringSchema.parse(answer)).toEqual(answer);
  const rang = laterDay(today, -5);
  expect(answer).toMatchObject({
    state: "alarm",
    sentence: expect.stringContaining(`On ${rang} the watch over the input`),
  });
  expect(answer.todo).toEqual([expect.stringContaining("Look at the scans it names")]);
  expect(answer.alarms).toEqual([
    {
      ...{ day: rang, watch: "input", since: laterDay(rang, -1), standing: true, scans: NAMED },
      sentence: expect.stringContaining("noise higher, sharpness lower"),
      advice: answer.todo[0],
      drivers: [
        { statistic: "noise", direction: "higher", share: 0.8 },
        { statistic: "sharpness", direction: "lower", share: 0.2 },
      ],
    },
  ]);
  expect(answer.accuracy).toEqual({
    day: today,
    estimated: { value: null, reason: expect.stringContaining("the input has drifted"), scans: 90 },
    feedback: { value: 0.9, low: 0.7, high: 0.97, scans: 20 },
    parts: [
      {
        ...{ by: "view", value: "axial", feedback: { value: 0.95, low: 0.75, high: 0.99, scans: 18 } },
        estimated: { value: null, reason: expect.stringContaining("drifted"), scans: 60 },
      },
      {
        ...{ by: "view", value: "coronal", feedback: null },
        estimated: { value: null, reason: expect.stringContaining("too few"), scans: 12 },
      },
    ],
  });
  expect(answer.days).toHaveLength(8);
  expect(answer.days.at(-1)).toMatchObject({
    ...{ day: today, answers: 37, uncertain: 0.1, quarantined: [{ reason: "truncated", pages: 2 }], revision: 1 },
    ...{ refused: [{ code: "not-a-brain-scan", requests: 3 }], failed: [{ code: "busy", requests: 1 }] },
    latency: { median: 180, p95: 640, answers: 12 },
    evidence: { input: 0.01, prediction: 0.02, feedback: 0.005 },
  });
  // Of a shorter span too, an alarm before it that still stands.
  const short = await told(url, `?from=${laterDay(today, -2)}&to=${today}&model=${MODEL}`);
  expect([short.days.length, short.state, short.alarms.length]).toEqual([3, "alarm", 1]);

  expect((await asking(url, "/v1/monitoring", "a@evil.org")).status).toBe(403);
  expect((await fetch(`${url}/v1/monitoring`)).status).toBe(401);
  const acts = (await workspace.warehouse.rows("audit")).map(({ row }) => row);
  expect(acts.length).toBeGreaterThan(1);
  expect(new Set(acts.map(({ action, who, role, subject }) => [action, who, role, subject].join(" ")))).toEqual(
    new Set([`view-monitoring nurse@hospital.org viewer ${MODEL}`]),
  );
});

test("what is no day is refused with a sentence; of too many the last are told, and of none that there is none", async () => {
  const url = await listening();
  for (const [query, detail] of [
    ["?from=2026-02-30", /"from"/],
    ["?to=yesterday", /"to"/],
    ["?model=../../etc", /"model"/],
    ["?from=2026-01-01&from=2026-01-02", /"from"/],
  ] as const) {
    const response = await asking(url, `/v1/monitoring${query}`);
    const { code, detail: said } = await problemOf(response);
    expect([query, response.status, code]).toEqual([query, 400, "bad-query"]);
    expect(said).toMatch(detail);
  }
  const whole = await told(url, `?from=0001-01-01&to=${today}`);
  expect([whole.from, whole.to, whole.days.length]).toEqual([laterDay(today, -365), today, 8]);
  expect(await told(url, "?to=0001-01-01")).toMatchObject({ to: "1970-01-01", state: "untold" });
  expect(await told(url, "?from=9999-12-31")).toMatchObject({
    ...{ state: "untold", days: [], alarms: [], sentence: expect.stringContaining("lies after the last") },
  });
  expect((await told(url, "?to=9999-12-31")).days).toEqual([]);
});

test("what lies days back is late for the current model, and a part of the past for another", () => {
  const rows = [toldRow(MODEL, "2026-05-01", "answers", { value: 1 })];
  const span = { model: MODEL, current: true, from: "2026-04-20", to: "2026-05-09", today: "2026-05-03" };
  const late = monitoringOf(rows, span);
  expect([late.state, late.sentence]).toEqual([
    "late",
    "Nothing is told after 2026-05-01, so a later alarm would not be heard. No alarm rang in the 30 days to 2026-05-01.",
  ]);
  expect(late.todo).toEqual([expect.stringMatching(/^Run npm run monitor/)]);
  // The day before is told of at night.
  expect(monitoringOf(rows, { ...span, today: "2026-05-02" }).state).toBe("quiet");
  expect(monitoringOf(rows, { ...span, current: false })).toMatchObject({
    ...{ state: "quiet", todo: ["There is nothing to do."] },
  });
  // An alarm that rang 30 days before stands no more, and is told where its day is.
  const old = [toldRow(MODEL, "2026-04-01", "alarm", { part: "feedback", detail: "{}" }), ...rows];
  expect(monitoringOf(old, { ...span, today: "2026-05-02" })).toMatchObject({ state: "quiet", alarms: [] });
  const long = monitoringOf(old, { ...span, from: "2026-03-01", today: "2026-05-02" });
  expect([long.state, long.alarms.map(({ standing }) => standing)]).toEqual(["quiet", [false]]);
  // What an earlier version stored names no answers.
  const earlier = JSON.stringify({ since: "2026-04-30", drivers: [], scans: ["r"] });
  const [alarm] = monitoringOf(
    [toldRow(MODEL, "2026-05-01", "alarm", { part: "input", detail: earlier })],
    span,
  ).alarms;
  expect(alarm?.scans).toEqual([{ request: "r", id: null, sha256: null }]);
});

test("BigQuery tells the same, and is told what was refused; what cannot be asked is a sentence", async () => {
  const server = await BigQueryServer.start(join(folder, "server"));
  await server.createDataset("watched");
  const cloud = new BigQueryWarehouse(server.uri("watched"), { endpoints: server.endpoints });
  try {
    await cloud.migrate(TABLE_NAMES);
    await storeMonitored(cloud, MODEL, { last: today });
    const [there, here] = [await listening(cloud), await listening()];
    expect(await told(there)).toEqual(await told(here));
    // No model is loaded: that is the service's fault, twice. The third is too large: that is the caller's.
    for (let i = 0; i < 2; i++)
      expect((await asking(there, "/v1/predictions", "dr@hospital.org", { method: "POST", body: "x" })).status).toBe(
        503,
      );
    const large = { method: "POST", body: new Uint8Array(2048) };
    expect((await asking(there, "/v1/predictions", "dr@hospital.org", large)).status).toBe(413);
    // Stopped, it adds what it has counted.
    await servers[servers.length - 2]?.close();
    const counts = (await cloud.rows("refusals")).map(({ row: { day, code, status, requests } }) => [
      day,
      code,
      status,
      requests,
    ]);
    expect(counts.sort()).toEqual([
      [today, "file-too-large", 413, 1],
      [today, "no-model", 503, 2],
    ]);
  } finally {
    await cloud.close();
    await server.stop();
  }
  const broken = await listening({
    ...workspace.warehouse,
    ask: () => Promise.reject(new Error("It is away.")),
  } as Warehouse);
  const response = await asking(broken, "/v1/monitoring");
  const problem = await problemOf(response);
  expect([response.status, problem.code, response.headers.get("retry-after")]).toEqual([
    503,
    "monitoring-unavailable",
    "10",
  ]);
  expect(problem.detail).not.toContain("away");
});

test("counts that cannot be added are kept, added once, and never in the way of an answer", async () => {
  const added: { name: string; rows: readonly object[] }[] = [];
  let failing = true;
  const append = async (_: string, name: string, rows: readonly object[]) => {
    // The answer of the first attempt is lost: whether its rows are there nobody knows.
    added.push({ name, rows });
    if (failing) throw new Error("No answer came.");
  };
  const refusals = new Refusals({ append } as unknown as Warehouse, silent, () => new Date("2026-05-01T23:59:00Z"));
  refusals.count({ code: "busy", status: 503 });
  refusals.count({ code: "busy", status: 503 });
  await refusals.flush();
  refusals.count({ code: "too-small", status: 422 });
  failing = false;
  await refusals.end();
  const row = (code: string, status: number, requests: number) => ({
    ...{ day: "2026-05-01", code, status, requests, counted_at: "2026-05-01T23:59:00.000Z" },
  });
  expect(added.map(({ rows }) => rows)).toEqual([
    [row("busy", 503, 2)],
    [row("busy", 503, 2)],
    [row("too-small", 422, 1)],
  ]);
  // Under one name, of which readers take one.
  expect([added[1]?.name === added[0]?.name, added[2]?.name === added[0]?.name]).toEqual([true, false]);
  // Once it ends, what comes is not put off.
  refusals.count({ code: "stopping", status: 503 });
  await refusals.flush();
  expect(added[3]?.rows).toEqual([row("stopping", 503, 1)]);
});

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLogger } from "../../../runtime/platform/logging";
import type { Row, TableName, Warehouse } from "../../../runtime/platform/warehouse";
import { openWorkspace, type Workspace } from "../../../runtime/platform/workspace";
import { buildServer, localCallers, type Prediction } from "../../../runtime/serve";
import { BRIGHT_SPOT, headPng } from "../../support/bright-spot";
import { Issuer, newKey, seconds, token } from "../../support/issuer";
import { promote, storeModel } from "../../support/served-model";

const key = newKey();
const AUDIENCE = "https://serve.example.org";

let folder: string;
let workspace: Workspace;
let issuer: Issuer;
let scan: Buffer;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "audit-"));
  workspace = await openWorkspace(join(folder, "workspace"));
  await storeModel(workspace);
  await promote(workspace);
  issuer = await Issuer.start(key);
  scan = await headPng(240, 200, { x: 120, y: 110, radius: 16 });
});

afterAll(async () => {
  await issuer.stop();
  await workspace.close();
  await rm(folder, { recursive: true, force: true });
});

const bearer = (email: string, exp = seconds() + 600) =>
  `Bearer ${token(key, { iss: "https://accounts.google.com", aud: AUDIENCE, email, email_verified: true, exp })}`;

/** A server whose log is kept, over a warehouse that may be changed. */
async function listening(change: (warehouse: Warehouse) => Warehouse = (warehouse) => warehouse) {
  const lines: string[] = [];
  const { LOG_LEVEL = "info" } = process.env;
  process.env.LOG_LEVEL = "trace";
  const log = createLogger("serve", { destination: { write: (line) => lines.push(line) } });
  process.env.LOG_LEVEL = LOG_LEVEL;
  const app = await buildServer({
    models: workspace.buckets.models,
    reports: workspace.buckets.reports,
    warehouse: change(workspace.warehouse),
    log,
    ...localCallers("127.0.0.1", {
      AUTH: "oidc",
      AUTH_AUDIENCE: AUDIENCE,
      AUTH_JWKS: issuer.url,
      AUTH_ROLES: JSON.stringify({ viewer: ["*@hospital.org"], clinician: ["dr@hospital.org"] }),
    }),
  });
  await app.listen({ port: 0, host: "127.0.0.1" });
  const address = app.server.address();
  const url = `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
  const ask = (path: string, authorization: string, init: RequestInit = {}) =>
    fetch(`${url}${path}`, { ...init, headers: { ...init.headers, authorization } });
  return { app, ask, log: () => lines.join("") };
}

const audited = async () => (await workspace.warehouse.rows("audit")).map(({ row }) => row);

test("every answer and every look at a picture is written down: who, as what, of what, and what came of it", async () => {
  const { app, ask } = await listening();
  const before = (await audited()).length;
  const response = await ask("/v1/predictions", bearer("Dr@hospital.org"), {
    method: "POST",
    body: new Uint8Array(scan),
  });
  const answer = (await response.json()) as Prediction;
  expect(response.status).toBe(200);
  const seen: string[] = [answer.request];
  for (const path of [answer.overlay, answer.original]) {
    const picture = await ask(path, bearer("nurse@hospital.org"));
    expect(picture.status).toBe(200);
    seen.push(String(picture.headers.get("x-request-id")));
  }
  // What nobody was shown is no row.
  expect((await ask(answer.overlay, bearer("a@evil.org"))).status).toBe(403);
  expect((await ask(`/v1/predictions/${"0".repeat(64)}/overlay`, bearer("nurse@hospital.org"))).status).toBe(404);
  expect(
    (await ask("/v1/predictions", bearer("nurse@hospital.org"), { method: "POST", body: new Uint8Array(scan) })).status,
  ).toBe(403);
  await app.close();

  const rows = await audited();
  expect(rows).toHaveLength(before + 3);
  const { sha256 } = (await workspace.warehouse.rows("predictions"))
    .map(({ row }) => row)
    .find(({ request }) => request === answer.request) as Row<"predictions">;
  const of = (request: string | undefined) => rows.find((row) => row.request === request);
  expect(of(seen[0])).toEqual({
    request: answer.request,
    action: "predict",
    who: "dr@hospital.org",
    role: "clinician",
    subject: answer.id,
    sha256,
    model: BRIGHT_SPOT.id,
    recipe: BRIGHT_SPOT.recipe,
    result: "Cancer",
    recorded_at: expect.stringMatching(/^\d{4}-.*Z$/),
    salt: expect.stringMatching(/^[0-9a-f]{32}$/),
  });
  for (const [index, action] of ["view-overlay", "view-original"].entries())
    expect(of(seen[index + 1])).toMatchObject({
      action,
      who: "nurse@hospital.org",
      role: "viewer",
      subject: answer.id,
    });
});

test("a prediction's own row says who asked, and rows of before say nobody", async () => {
  const rows = (await workspace.warehouse.rows("predictions")).map(({ row }) => row);
  expect(rows.map(({ who }) => who)).toContain("dr@hospital.org");
  // And how long it took.
  for (const { milliseconds } of rows) expect(milliseconds).toBeGreaterThanOrEqual(0);
  const [row] = rows as [Row<"predictions">];
  const { who: _who, ...earlier } = { ...row, request: "of-an-earlier-version" };
  await workspace.buckets.warehouse.create("predictions/of-an-earlier-version.jsonl", `${JSON.stringify(earlier)}\n`);
  const [read] = (await workspace.warehouse.batch("predictions", "of-an-earlier-version")) ?? [];
  expect(read).toEqual({ ...earlier, who: null });
});

test("where it cannot be written down, nothing is answered and nothing is shown", async () => {
  const { app, ask, log } = await listening((warehouse) => ({
    ...methodsOf(warehouse),
    append: async (table: TableName, ...rest: unknown[]) => {
      if (table === "audit") throw new Error("The disk of /secret/place is full.");
      await (warehouse.append as (...given: unknown[]) => Promise<void>)(table, ...rest);
    },
  }));
  const known = (await workspace.warehouse.rows("predictions"))[0]?.row.id;
  const before = await everything();
  for (const [path, init] of [
    ["/v1/predictions", { method: "POST", body: new Uint8Array(scan) }],
    [`/v1/predictions/${known}/overlay`, {}],
    [`/v1/predictions/${known}/original`, {}],
  ] as const) {
    const response = await ask(path, bearer("dr@hospital.org"), init);
    expect([path, response.status, response.headers.get("retry-after")]).toEqual([path, 503, "5"]);
    const text = await response.text();
    expect(JSON.parse(text)).toMatchObject({ code: "audit-unavailable" });
    expect(text).not.toMatch(/probability|secret/);
  }
  await app.close();
  expect(log()).toMatch(/"severity":"ERROR".*audit row cannot be written/);
  // What was not given is not there to be found either.
  expect(await everything()).toEqual(before);
});

/** What of answers can be found later. */
async function everything() {
  const { reports } = workspace.buckets;
  const names = async (prefix: string) => (await reports.list({ prefix })).objects.map(({ name }) => name);
  const answers = (await names("answers/")).filter((name) => name.endsWith(".json"));
  return { rows: (await workspace.warehouse.rows("predictions")).length, answers, history: await names("history/") };
}

test("an answer that is given again is written down too, and a batch that failed for want of that is no answer", async () => {
  let broken = false;
  const { app, ask } = await listening((warehouse) => ({
    ...methodsOf(warehouse),
    append: async (table: TableName, ...rest: unknown[]) => {
      if (broken && table === "audit") throw new Error("The disk is full.");
      await (warehouse.append as (...given: unknown[]) => Promise<void>)(table, ...rest);
    },
  }));
  const doctor = bearer("dr@hospital.org");
  const post = async (path: string, key: string) => {
    const form = new FormData();
    form.append("file", new Blob([new Uint8Array(scan)]), "a.png");
    const init = { method: "POST", body: form, headers: { "idempotency-key": key } };
    const response = await ask(path, doctor, init);
    const again = response.headers.get("idempotency-replayed");
    const body = (await response.json()) as { items?: { status: number }[] };
    return { status: response.status, again, items: body.items?.map(({ status }) => status) };
  };
  expect(await post("/v1/predictions", "one")).toMatchObject({ status: 200, again: null });
  expect(await post("/v1/predictions", "one")).toMatchObject({ status: 200, again: "true" });
  const added = (await audited()).filter(({ result }) => result === "given-again");
  expect(added).toHaveLength(1);
  expect(added[0]).toMatchObject({ action: "predict", who: "dr@hospital.org", role: "clinician" });

  broken = true;
  expect(await post("/v1/predictions", "one")).toMatchObject({ status: 503 });
  expect(await post("/v1/predictions/batch", "two")).toMatchObject({ status: 200, items: [503] });
  broken = false;
  expect(await post("/v1/predictions/batch", "two")).toMatchObject({ status: 200, again: null, items: [200] });
  expect(await post("/v1/predictions/batch", "two")).toMatchObject({ status: 200, again: "true", items: [200] });
  await app.close();
});

/** The methods of an object whose class has them. */
function methodsOf(warehouse: Warehouse): Warehouse {
  const names = Object.getOwnPropertyNames(Object.getPrototypeOf(warehouse)) as (keyof Warehouse)[];
  return Object.fromEntries(
    names.map((name) => [name, (...given: never[]) => (warehouse[name] as (...all: never[]) => unknown)(...given)]),
  ) as unknown as Warehouse;
}

test("no line of a whole run's log has a token, a name, a query or a scan", async () => {
  const { app, ask, log } = await listening((warehouse) => warehouse);
  const SECRETS = ["Mustermann", "Hans", "1950-01-02", "patient", "findme"];
  const form = new FormData();
  form.set("file", new Blob([new Uint8Array(scan)]), "Mustermann_Hans_1950-01-02.png");
  const broken = new FormData();
  broken.set("file", new Blob(["not a picture of Mustermann"]), "Mustermann_Hans.tif");
  const good = bearer("dr@hospital.org");
  const bad = bearer("dr@hospital.org", seconds() - 5);
  const forged = `Bearer ${token(newKey(), { email: "findme@hospital.org" })}`;
  const query = "?patient=Mustermann&name=Hans&born=1950-01-02";
  const statuses: number[] = [];
  for (const [path, authorization, init] of [
    [`/v1/predictions${query}`, good, { method: "POST", body: form }],
    [`/v1/predictions${query}`, good, { method: "POST", body: broken }],
    [`/v1/predictions${query}`, good, { method: "POST", body: "Mustermann" }],
    [`/v1/predictions${query}`, bad, { method: "POST", body: "Mustermann" }],
    [`/v1/predictions/Mustermann/overlay${query}`, good, {}],
    [`/Mustermann/Hans${query}`, good, {}],
    [`/Mustermann/Hans${query}`, forged, {}],
    [`/%E0%A4%A/Mustermann${query}`, good, {}],
    [`/v1/model${query}`, "Bearer findme", {}],
    [`/v1/model${query}`, good, { headers: { referer: "https://pacs/Mustermann", cookie: "findme=1" } }],
    ["/metrics", good, { method: "DELETE", headers: { "x-patient": "Hans" } }],
  ] as [string, string, RequestInit][])
    statuses.push((await ask(path, authorization, init)).status);
  await app.close();
  expect(statuses).toEqual([200, 415, 415, 401, 404, 404, 401, 400, 401, 200, 405]);
  const text = log();
  expect(text).toContain('"message":"Prediction"');
  for (const secret of [...SECRETS, "eyJ", "Bearer", scan.toString("base64").slice(0, 40)])
    expect([secret, text.includes(secret)]).toEqual([secret, false]);
});

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FastifyInstance } from "fastify";
import pino from "pino";
import { runFeedback } from "../../../runtime/cli/feedback";
import { labelsOfFeedback } from "../../../runtime/dataset";
import { LOCAL_PSEUDONYM_KEY, openIdentities } from "../../../runtime/intake";
import { ConfigurationError } from "../../../runtime/platform/config";
import { STANDING_FEEDBACK } from "../../../runtime/platform/warehouse";
import { openWorkspace, type Workspace } from "../../../runtime/platform/workspace";
import { buildServer, type FeedbackTaken } from "../../../runtime/serve";
import type { FeedbackList, Prediction, Worklist } from "../../../runtime/serve/schemas";
import { useBackend } from "../../../runtime/tensorflow";
import { captureOutput } from "../../support/captured-output";
import { headPng } from "../../support/head";
import { ACCESSION, head, headScan } from "../../support/head-scan";
import { promote, storeModel } from "../../support/served-model";

const [ANN, BEA] = ["ann@hospital.org", "bea@hospital.org"];

const printed = captureOutput();

let root: string;
let workspace: Workspace;
let app: FastifyInstance;
let scans: Prediction[];
let slices: Prediction[];

beforeAll(async () => {
  process.env.LOG_LEVEL = "fatal";
  await useBackend("wasm");
  root = mkdtempSync(join(tmpdir(), "feedback-"));
  workspace = await openWorkspace(join(root, "workspace"));
  await storeModel(workspace);
  await promote(workspace);
  const { models, reports } = workspace.buckets;
  app = await buildServer({ models, reports, warehouse: workspace.warehouse, log: pino({ level: "silent" }) });
  scans = [];
  for (let variant = 0; variant < 3; variant++) scans.push(await predict(await headPng(160, 160, undefined, variant)));
  slices = [];
  for (let variant = 0; variant < 3; variant++) slices.push(await predict(headScan({ frames: [head(variant, null)] })));
});
afterAll(async () => {
  await app.close();
  await workspace.close();
  rmSync(root, { recursive: true });
});

async function predict(payload: Buffer): Promise<Prediction> {
  const reply = await app.inject({ method: "POST", url: "/v1/predictions", payload });
  expect(reply.statusCode).toBe(200);
  return reply.json();
}

/** Takes a table in, as the command does. */
async function take(lines: readonly string[], more: { who?: string; confirm?: true; check?: true } = {}) {
  const file = join(root, "table.csv");
  writeFileSync(file, `${lines.join("\n")}\n`);
  const text = await runFeedback(workspace.directory, { file, who: ANN, json: true, ...more });
  return { ...(JSON.parse(text) as FeedbackTaken), said: printed() };
}

const given = async (id: string) =>
  (await app.inject({ url: `/v1/predictions/${id}/feedback` })).json<FeedbackList>().items;
const rowCount = async () => (await workspace.warehouse.rows("feedback")).length;

test("rows go in with their person and time, bad ones are said with their line, and the same file again adds nothing", async () => {
  const [one, two, three] = scans as [Prediction, Prediction, Prediction];
  const table = [
    "request,label,comment,ward",
    `${one.request},Cancer,"left, I think",7`,
    `${two.request},non-cancer,,7`,
    "not-a-request,Cancer,,7",
    `00000000-0000-0000-0000-000000000000,Cancer,,7`,
    `${three.request},Maybe,,7`,
    `${three.request},Cancer,,7`,
    `${three.request},Non-Cancer,,7`,
    `,Cancer,,7`,
  ];
  const dry = await take(table, { check: true });
  expect([dry.added, await rowCount()]).toEqual([2, 0]);
  const taken = await take(table);
  expect(taken).toMatchObject({ rows: 8, added: 2, unchanged: 0, ignored: ["ward"] });
  expect(taken.bad.map(({ line }) => line)).toEqual([4, 5, 6, 7, 8, 9]);
  expect(taken.said).toMatch(/line 6: its label is "Maybe": write Cancer or Non-Cancer/);
  expect(taken.said).toMatch(/line 7: lines 7 and 8 say different things/);
  expect(taken.said).toMatch(/columns that mean nothing here are ignored: ward\./);
  expect(await given(one.id)).toMatchObject([
    { label: "Cancer", comment: "left, I think", who: ANN, supersedes: null },
  ]);
  expect(await take(table)).toMatchObject({ added: 0, unchanged: 2 });
  expect(await rowCount()).toBe(2);
  const acts = (await workspace.warehouse.rows("audit")).filter(({ row }) => row.result === "by file");
  expect(acts.map(({ row }) => [row.action, row.who, row.subject])).toEqual(
    expect.arrayContaining([one, two].map(({ id }) => ["feedback", ANN, id])),
  );
});

test("a later word supersedes an earlier one at either door, and an old file does not bring the old word back", async () => {
  const [one] = scans as [Prediction];
  const before = (await given(one.id))[0];
  expect(await take(["request,label", `${one.request},Non-Cancer`])).toMatchObject({ added: 1 });
  const [newest] = await given(one.id);
  expect(newest).toMatchObject({ label: "Non-Cancer", supersedes: before?.feedback });
  const old = await take(["request,label,comment", `${one.request},Cancer,"left, I think"`]);
  expect(old).toMatchObject({ added: 0, unchanged: 0 });
  expect(old.bad).toEqual([{ line: 2, reason: expect.stringContaining("something else since") }]);
  // Taken back, and once more: there is nothing left to take back.
  const back = ["request,label", `${one.request},Withdrawn`];
  expect([(await take(back)).added, (await take(back)).unchanged]).toEqual([1, 1]);
  const standing = await workspace.warehouse.ask(STANDING_FEEDBACK, { before: "2999-01-01" });
  expect(standing.map(({ request }) => request)).toEqual([scans[1]?.request]);
});

test("two who read one file at once add each row once", async () => {
  const [, , three] = scans as [Prediction, Prediction, Prediction];
  const rows = await rowCount();
  const table = ["request,label", `${three.request},Cancer`];
  await Promise.all([take(table, { who: BEA }), take(table, { who: BEA })]);
  expect(await rowCount()).toBe(rows + 1);
});

test("a study without Cancer has none in each slice; one with Cancer makes no slice a Cancer", async () => {
  const monitored = () => workspace.warehouse.ask(STANDING_FEEDBACK, { before: "2999-01-01" });
  const before = await monitored();
  const ofStudy = (label: string) => ["accession,label", `${ACCESSION},${label}`];
  for (const who of [ANN, BEA]) expect(await take(ofStudy("Cancer"), { who })).toMatchObject({ added: 3, bad: [] });
  const agreed = async () =>
    (await labelsOfFeedback(workspace.warehouse, new Date())).agreed.map(({ label, sha256 }) => [label, sha256]);
  expect(await agreed()).toEqual([]);
  expect(await given(slices[0]?.id as string)).toMatchObject([
    { label: "Cancer", scope: "study" },
    { label: "Cancer", scope: "study" },
  ]);
  expect(await take(ofStudy("Cancer"))).toMatchObject({ added: 0, unchanged: 3 });
  for (const who of [ANN, BEA]) await take(ofStudy("Non-Cancer"), { who });
  const pictures = slices.map(({ slices: [page] }) => ["Non-Cancer", page?.sha256]);
  expect(await agreed()).toEqual(pictures.sort(([, a], [, b]) => ((a as string) < (b as string) ? -1 : 1)));
  // Whether the model was right on a slice, neither says.
  expect(await monitored()).toEqual(before);
  const unknown = await take(["accession,label", "ACC-4711,Cancer"]);
  expect(unknown.bad).toHaveLength(1);
  expect(unknown.said).not.toContain("ACC-4711");
});

test("an accession number stands in the clear nowhere, and its pseudonym is that of all doors", async () => {
  const all = readdirSync(root, { recursive: true, withFileTypes: true }).filter(
    (entry) => entry.isFile() && entry.name !== "table.csv",
  );
  for (const { parentPath, name } of all) {
    expect(join(parentPath, name)).not.toContain(ACCESSION);
    expect(readFileSync(join(parentPath, name)).includes(ACCESSION)).toBe(false);
  }
  const names = await (await openIdentities(LOCAL_PSEUDONYM_KEY)).of(undefined);
  const { objects } = await workspace.buckets.reports.list({ prefix: `accessions/${names.accession(ACCESSION)}/` });
  expect(objects).toHaveLength(3);
});

test.each([
  ["a misspelt column", "request,lable\n", /the column "lable" looks like label/],
  ["an accession number by another name", "Accession Number,label\n", /looks like accession/],
  ["no column that names a scan", "label,comment\n", /there is no column "request" or "accession"/],
  ["no label", "request,comment\n", /there is no column "label"/],
  ["nothing", "", /it is empty/],
])("%s is wrong usage", async (_, content, sentence) => {
  const file = join(root, "wrong.csv");
  writeFileSync(file, content);
  const wrong = runFeedback(workspace.directory, { file, who: ANN });
  await expect(wrong).rejects.toThrow(ConfigurationError);
  await expect(wrong).rejects.toThrow(sentence);
});

test("the worklist has what people contradict each other on and what drove an alarm, and nothing that has a label", async () => {
  const unread = await predict(await headPng(150, 150));
  const [, two, three] = scans as [Prediction, Prediction, Prediction];
  await take(["request,label", `${two.request},Cancer`], { who: BEA });
  const today = new Date().toISOString();
  const row = { model: unread.model, day: today.slice(0, 10), name: "alarm", part: "input", value: 1, low: null };
  const detail = JSON.stringify({ since: row.day, drivers: [], scans: [unread.request, three.request] });
  await workspace.warehouse.append("monitoring", "alarm", [
    { ...row, high: null, scans: null, detail, revision: 1, computed_at: today },
  ]);
  const { items, looked_at } = (await app.inject({ url: "/v1/worklist" })).json<Worklist>();
  expect(items.map(({ request, reasons }) => [request, reasons[0]?.code])).toEqual(
    expect.arrayContaining([
      [two.request, "contradicted"],
      [unread.request, "drift"],
    ]),
  );
  expect(items[0]?.request).toBe(two.request);
  const shown = items.map(({ request }) => request);
  for (const { request } of [three, ...slices]) expect(shown).not.toContain(request);
  expect(looked_at).toBe(7);
  const short = (await app.inject({ url: "/v1/worklist?limit=1" })).json<Worklist>();
  expect([short.items.length, short.more]).toEqual([1, items.length - 1]);
  expect((await app.inject({ url: "/v1/worklist?limit=0" })).statusCode).toBe(400);
});

test("an administrator confirms", async () => {
  const url = `/v1/predictions/${scans[2]?.id}/feedback`;
  const payload = { label: "Cancer", confirm: true };
  const reply = await app.inject({ method: "POST", url, payload });
  // Where nobody signs in, everybody is an administrator.
  expect(reply.json()).toMatchObject({ confirmed: true, who: "local" });
});

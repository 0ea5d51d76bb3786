import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { abortCanary, advanceCanary, type CanaryContext, type Shares, startCanary } from "../../runtime/canary";
import type { ObjectStore } from "../../runtime/platform/stores";
import { openWorkspace, type Workspace } from "../../runtime/platform/workspace";
import { currentModel, setCurrent } from "../../runtime/registry";
import { type Hospital, parseHospitals } from "../../stacks/config";
import { canary } from "../../tools/doctor/canary";
import { Declared } from "../../tools/doctor/declared";
import type { Runner } from "../../tools/gcloud";
import { TIER_HOSPITALS } from "../../tools/tiers";

/*
 * The record is the real one, written by the commands' own steps; Google's command line is played, and prints what it holds.
 */

const [STABLE, CANDIDATE] = ["model-stable", "model-candidate"];
const SERVICE = "prod-serve";
const [hospital] = parseHospitals(TIER_HOSPITALS) as [Hospital];
const config = { name: SERVICE, location: "europe-west4", project: hospital.project };
const declared = new Declared(
  [
    {
      name: "prod-app",
      folder: "",
      dependencies: [],
      json: { resource: { google_cloud_run_v2_service: { serve: config } } },
    },
  ],
  hospital,
);
const [HOUR, DAY] = [3_600_000, 86_400_000];

let folder: string;
let workspace: Workspace;
let models: ObjectStore;
/** What Cloud Run has. */
let traffic: { revisionName?: string; latestRevision?: boolean; percent?: number }[];
let revisions: Set<string>;
let env: { name: string }[];
let missing: boolean;
let now: Date;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "doctor-canary-"));
  workspace = await openWorkspace(join(folder, "workspace"));
  models = workspace.buckets.models;
  [traffic, revisions, env, missing] = [[{ latestRevision: true, percent: 100 }], new Set(), [], false];
  now = new Date();
  await setCurrent(models, { model: STABLE, reason: "It is the first." }, undefined, now);
});
afterEach(async () => {
  await workspace.close();
  rmSync(folder, { recursive: true });
});

const shares: Shares = {
  revisionName: (mark) => `${SERVICE}-c${mark}`,
  shareOf: async (revision) => traffic.find(({ revisionName }) => revisionName === revision)?.percent ?? 0,
  makeRevision: async (revision) => {
    revisions.add(revision);
  },
  give: async (revisionName, percent) => {
    traffic = [
      { latestRevision: true, percent: 100 - percent },
      { revisionName, percent },
    ];
  },
  reset: async () => {
    traffic = [{ latestRevision: true, percent: 100 }];
  },
  failures: async () => ({ its: 0, others: 0 }),
};

const context = (mode: "traffic" | "shadow" = "traffic"): CanaryContext => ({
  ...{ models, warehouse: workspace.warehouse, now: () => now },
  shares: mode === "traffic" ? shares : undefined,
  promoting: {
    tryOut: async () => undefined,
    preview: async () => ({ promotes: true, reason: "It is better." }),
    promote: async () => ({ promoted: false, reason: "Not in this test." }),
  },
});

interface Held {
  readonly generation: number;
  readonly content: string;
}

/** The bucket as it is now, and Cloud Run, as Google's command line prints them. */
async function google(): Promise<{ readonly run: Runner; readonly ran: string[] }> {
  const held = new Map<string, Held>();
  for await (const { name, generation } of models.listAll())
    held.set(name, { generation, content: (await models.read(name)).toString() });
  const ran: string[] = [];
  const run: Runner = (command) => {
    const line = command.join(" ");
    ran.push(line);
    const printed = answer(line, held);
    // As gcloud says it, which has other words for what Cloud Run does not have.
    const missing = command.includes("revisions") ? "Cannot find revision [it]" : "gs://it not found: 404.";
    if (printed === undefined) throw new Error(`"${line}" failed: ERROR: ${missing}`);
    return printed;
  };
  return { run, ran };
}

function answer(line: string, held: ReadonlyMap<string, Held>): string | undefined {
  const where = "--region=europe-west4 --project=example-prod --format=json";
  const [, described = ""] =
    /^gcloud storage objects describe gs:\/\/example-prod-prod-models\/(\S+) /.exec(line) ?? [];
  const object = held.get(described);
  if (object) return JSON.stringify({ name: described, generation: String(object.generation) });
  const [, cat = "", generation] =
    /^gcloud storage cat gs:\/\/example-prod-prod-models\/([^#]+)#(\d+)$/.exec(line) ?? [];
  if (held.get(cat)?.generation === Number(generation)) return held.get(cat)?.content;
  if (line === `gcloud run services describe ${SERVICE} ${where}` && !missing)
    return JSON.stringify({ spec: { template: { spec: { containers: [{ env }] } }, traffic } });
  const [, revision = ""] = /^gcloud run revisions describe (\S+) /.exec(line) ?? [];
  return revisions.has(revision) && line.endsWith(where) ? "{}" : undefined;
}

/** What the doctor says. */
async function said(dry = false): Promise<string> {
  const { run, ran } = await google();
  const findings = await canary({ hospital, declared, dry, run });
  for (const line of ran)
    expect(line).toMatch(/^gcloud (?:run|storage) (?:(?:services|revisions|objects) describe|cat) /);
  return findings.map(({ check, status, says, todo = "" }) => `${check} ${status}: ${says} -> ${todo}`).join("\n");
}

/** Lets time go by for the record: the doctor has the time of day. */
const ago = (milliseconds: number) => {
  now = new Date(Date.now() - milliseconds);
};

test("where none is tried out it says so, before a deploy and without a service nothing", async () => {
  expect(await said()).toBe("canary ok: No model is being tried out. -> ");
  expect(await said(true)).toBe("");
  missing = true;
  expect(await said()).toBe("");
});

test("one that was begun lately is no fault; one that nobody has advanced for a week is", async () => {
  ago(7 * DAY - HOUR);
  await startCanary(context(), CANDIDATE);
  expect(await said()).toMatch(
    /^canary ok: model-candidate is tried out beside model-stable, on 10 % of the requests, since/,
  );
  await abortCanary(context(), "Again.");
  expect(await said()).toMatch(/^canary ok: No model/);
  ago(9 * DAY + HOUR);
  await startCanary(context(), CANDIDATE);
  expect(await said()).toMatch(
    /^canary failed: model-candidate has 10 % of the requests since .*, and for 9 days nobody has advanced it.* canary status .* canary advance .* canary abort/,
  );
});

test("a share that stands for long is no fault while somebody looks", async () => {
  ago(30 * DAY);
  await startCanary(context(), CANDIDATE);
  ago(HOUR);
  expect((await advanceCanary(context())).changed).toBe(false);
  expect(await said()).toMatch(/^canary ok: model-candidate is tried out/);
});

test("a shadow that nobody looks at is found too", async () => {
  ago(8 * DAY);
  await startCanary(context("shadow"), CANDIDATE);
  expect(await said()).toMatch(
    /^canary failed: model-candidate is asked beside model-stable as a shadow since .* for 8 days/,
  );
});

test("a record without its revision, and one whose share is another in truth", async () => {
  const { canary: record } = await startCanary(context(), CANDIDATE);
  await shares.reset();
  expect(await said()).toMatch(
    /^canary failed: .* has 10 % .* by what is written down, and 0 % in truth. -> .* canary advance/,
  );
  revisions.clear();
  expect(await said()).toMatch(
    new RegExp(`^canary failed: .* there is no ${record.revision}. -> npm run models -- canary abort$`),
  );
});

test("a revision without a record, and one that is not the record's", async () => {
  await shares.give(`${SERVICE}-c0123abcd`, 25);
  expect(await said()).toMatch(
    /^canary failed: No model .* answers: prod-serve-c0123abcd \(25 % of the requests\). -> npm run models -- canary abort$/,
  );
  // What a deploy names is none.
  await shares.give(`${SERVICE}-00002-abc`, 25);
  expect(await said()).toMatch(/^canary ok/);
  const { canary: record } = await startCanary(context(), CANDIDATE);
  traffic.push({ revisionName: `${SERVICE}-c0123abcd`, percent: 0 });
  expect(await said()).toMatch(/^canary ok/);
  traffic = [
    { revisionName: `${SERVICE}-c0123abcd`, percent: 90 },
    { revisionName: `${record.revision}`, percent: 10 },
  ];
  expect(await said()).toMatch(
    /^canary failed: .*nothing is written down: prod-serve-c0123abcd \(90 %.* canary abort gives all requests back/,
  );
});

test("a start that was killed: while it may go on it is none, later and with its environment in the template it is", async () => {
  const killed = { ...shares, makeRevision: () => Promise.reject(new Error("SIGKILL")) };
  await expect(startCanary({ ...context(), shares: killed }, CANDIDATE)).rejects.toThrow("SIGKILL");
  env = [{ name: "PINNED_MODEL" }];
  expect(await said()).toMatch(/^canary ok: model-candidate is being started beside model-stable/);
  await abortCanary(context(), "Again.");
  expect(await said()).toMatch(
    /^canary failed: The template of the service has PINNED_MODEL.* -> npm run models -- canary abort$/,
  );
  env = [];
  ago(2 * HOUR);
  await expect(startCanary({ ...context(), shares: killed }, CANDIDATE)).rejects.toThrow("SIGKILL");
  expect(await said()).toMatch(/^canary failed: .* not started to the end. -> .* canary start model-candidate goes on/);
});

test("a current model that moved meanwhile, to another and to the one that is tried out", async () => {
  await startCanary(context(), CANDIDATE);
  await setCurrent(models, { model: "model-third", reason: "A person." }, await currentModel(models), now);
  expect(await said()).toMatch(
    /^canary failed: The current model is model-third now, .* -> .* canary abort, and start it again/,
  );
  await setCurrent(models, { model: CANDIDATE, reason: "A person." }, await currentModel(models), now);
  expect(await said()).toMatch(
    /^canary failed: model-candidate is the current model, .* -> npm run models -- canary advance$/,
  );
});

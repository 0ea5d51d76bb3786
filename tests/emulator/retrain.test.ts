import { execFile, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { WORKFLOW_VARIABLES, workflowProblems, workflowSource, workflowText } from "../../constructs/retrain";
import type { StepContext } from "../../runtime/platform/step";
import { preprocessStep } from "../../runtime/preprocess";
import { currentModel } from "../../runtime/registry";
import { outcomeOf, readRun, runNames, workedOnUntil } from "../../runtime/retrain";
import { RETRAIN_STEPS, type RetrainStepName } from "../../runtime/retrain/contract";
import { useBackend } from "../../runtime/tensorflow";
import { trainForRetraining } from "../../runtime/train";
import { prepareSlices } from "../runtime/train/slices";
import { until } from "../support/served-model";

/*
 * The generated workflow, run by an emulator that no one here wrote, with the real function behind it. What Google would be
 * asked for (a cluster's workflow, a machine) is answered by a server that does the same work in this process.
 */

const ROOT = resolve(__dirname, "../..");
const BIN = join(process.env.BRAIN_TUMOR_ROOT ?? ROOT, ".parts", "workflows", "bin");
const STEPS = RETRAIN_STEPS.map(({ name }) => name);

let folder: string;
let scans: StepContext;
let server: Server;
let variables: Readonly<Record<string, string>>;
const google = {
  /** Requests of Google's APIs, as METHOD and the end of the path. */
  asked: [] as string[],
  machines: new Map<string, string>(),
  /** Zones that have no machine left. */
  exhausted: new Set(["zone-a"]),
  /** Whether machines end before they have trained. */
  broken: false,
  /** Whether they train on and on. */
  endless: false,
  /** Why training did not end with a model. */
  failed: [] as string[],
};
/** Steps whose function fails. */
const failing = new Set<RetrainStepName>();
/** Work of the function, step by step. */
const worked: string[] = [];

beforeAll(async () => {
  process.env.LOG_LEVEL = "fatal";
  await useBackend("wasm");
  folder = mkdtempSync(join(tmpdir(), "workflow-"));
  scans = await prepareSlices(folder, "workspace", [
    ...(["train", "validation", "test"] as const).flatMap((split, i) => [
      { name: `Cancer/c${i}.png`, patient: 2 * i, split },
      { name: `Non-Cancer/n${i}.png`, patient: 2 * i + 1, split },
    ]),
  ]);
  for (const bucket of ["landing", "curated", "processed", "models", "reports"])
    process.env[`${bucket.toUpperCase()}_BUCKET`] = pathToFileURL(join(folder, "workspace", bucket)).href;
  process.env.WAREHOUSE = pathToFileURL(join(folder, "workspace", "warehouse")).href;
  // It reads its environment when it is loaded.
  const { retrain } = require("../../runtime/retrain/function") as {
    retrain(request: { readonly body: unknown }, response: unknown): Promise<void>;
  };

  server = createServer((request, response) => {
    const send = (code: number, body: unknown) =>
      response.writeHead(code, { "content-type": "application/json" }).end(JSON.stringify(body));
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const text = Buffer.concat(chunks).toString();
      const body = text === "" ? undefined : JSON.parse(text);
      const handled =
        request.url === "/steps" ? step(body, send) : ofGoogle(`${request.method} ${request.url}`, body, send);
      handled.catch((error: Error) => send(500, { code: "test", message: error.stack }));
    });
  });
  async function step(body: { step?: RetrainStepName; action: string }, send: (code: number, body: unknown) => void) {
    if (body.step && failing.has(body.step)) return void send(500, { code: "failed", message: `${body.step} failed` });
    if (body.action === "step") worked.push(String(body.step));
    const respond = { status: (code: number) => ({ ...respond, json: (answer: unknown) => send(code, answer) }) };
    await retrain({ body }, respond);
  }
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  variables = {
    ...{ STEPS_URL: `${url}/steps`, STEPS_AUDIENCE: url, COMPUTE_URL: `${url}/compute`, DATAPROC_URL: url },
    ...{ PREPROCESS_TEMPLATE: "projects/p/regions/r/workflowTemplates/t", TRAIN_TEMPLATE: "train-1" },
    // Training shares this process, and each question takes time from it.
    ...{ MACHINE_PREFIX: "st-anna-train-", ZONES: "zone-a,zone-b", POLL_SECONDS: "1" },
  };
  // The emulator has no identity: nobody is signed in to the servers of a test.
  const source = JSON.parse(workflowText(), (key, value) => (key === "auth" ? undefined : value));
  writeFileSync(join(folder, "workflow.json"), JSON.stringify(source));
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
  await scans.workspace.close();
  rmSync(folder, { recursive: true });
});

async function ofGoogle(
  asked: string,
  body: { metadata?: { items: { key: string; value: string }[] }; name?: string; requestId?: string },
  send: (code: number, body: unknown) => void,
): Promise<void> {
  google.asked.push(asked.replace(/^(\w+) .*\/(\w.*)$/, "$1 $2").replace(/\?.*/, ""));
  const zone = /zones\/([\w-]+)/.exec(asked)?.[1] ?? "";
  if (asked.includes(":instantiate")) {
    await preprocessStep(scans);
    return send(200, { name: "projects/p/regions/r/operations/cluster" });
  }
  if (asked.includes("operations/cluster")) return send(200, { name: "cluster", done: true });
  if (asked.includes("instanceTemplates/"))
    return send(200, { properties: { metadata: { items: [{ key: "startup-script", value: "run" }] } } });
  if (asked.startsWith("POST") && asked.includes("/instances")) {
    expect(body.metadata?.items.map(({ key }) => key)).toEqual(["startup-script", "job-retraining"]);
    if (google.exhausted.has(zone)) return send(200, { name: "exhausted" });
    google.machines.set(`${zone}/${body.name}`, "RUNNING");
    const order = body.metadata?.items[1]?.value as string;
    if (google.endless) return send(200, { name: "started" });
    const trained = google.broken
      ? Promise.resolve()
      : trainForRetraining(scans, order, { backend: "wasm", epochs: 1 });
    // A machine is off however its work ends: one that stayed would be waited for without end.
    void trained
      .catch((error: Error) => void google.failed.push(error.stack ?? error.message))
      .then(() => google.machines.set(`${zone}/${body.name}`, "TERMINATED"));
    return send(200, { name: "started" });
  }
  if (asked.endsWith("/exhausted"))
    return send(200, { status: "DONE", error: { errors: [{ code: "ZONE_RESOURCE_POOL_EXHAUSTED" }] } });
  if (asked.endsWith("/started")) return send(200, { status: "DONE" });
  const name = `${zone}/${asked.split("/").pop()}`;
  const status = google.machines.get(name);
  if (asked.startsWith("DELETE")) google.machines.delete(name);
  return status === undefined ? send(404, { error: { code: 404 } }) : send(200, { status });
}

/** An execution of the workflow. */
function execute(id: string, argument: unknown): Promise<{ readonly code: number; readonly said: string }> {
  return new Promise((done) => {
    const args = [
      "--source",
      join(folder, "workflow.json"),
      "--loglevel",
      "ERROR",
      "run",
      "--data",
      JSON.stringify(argument),
    ];
    const env = { PATH: process.env.PATH, ...variables, GOOGLE_CLOUD_WORKFLOW_EXECUTION_ID: id };
    execFile(join(BIN, "workflows-emulator"), args, { env, cwd: folder }, (error, stdout, stderr) =>
      done({ code: typeof error?.code === "number" ? error.code : 0, said: error ? stderr : stdout }),
    );
  });
}

test("the source is one that Workflows takes: by its documented syntax and limits, and by the schema of its authors", () => {
  expect(workflowProblems(workflowSource(), WORKFLOW_VARIABLES)).toEqual([]);
  writeFileSync(join(folder, "whole.json"), workflowText());
  const check = "import sys; from workflows_emulator.main import load_workflow; load_workflow(sys.argv[1])";
  const { status, stderr } = spawnSync(join(BIN, "python"), ["-c", check, join(folder, "whole.json")], {
    encoding: "utf8",
  });
  expect([status, stderr]).toEqual([0, ""]);
});

test("runs the steps in their order, goes on after a failure at each with the same run, and starts nothing that is not due", async () => {
  const early = await execute("early", { trigger: "auto" });
  expect(JSON.parse(early.said)).toMatchObject({ begun: false, reason: expect.stringContaining("no model yet") });

  google.broken = true;
  for (const step of STEPS) {
    failing.add(step);
    const failed = await execute(`fails-at-${step}`, { trigger: "person" });
    expect(google.failed).toEqual([]);
    expect([step, failed.code, failed.said]).toEqual([step, 1, expect.stringContaining("500")]);
    failing.delete(step);
    if (step === "train") {
      // A machine that ended without a model is no model: the next execution makes another.
      const untrained = await execute("untrained", { trigger: "person" });
      expect([untrained.code, untrained.said]).toEqual([1, expect.stringContaining("422")]);
      google.broken = false;
    }
  }
  const ended = await execute("ends", { trigger: "person" });
  const model = (await currentModel(scans.workspace.buckets.models))?.model;
  expect([ended.code, JSON.parse(ended.said)]).toEqual([0, { outcome: "promoted", model, reason: expect.any(String) }]);

  const reports = join(folder, "workspace", "reports", "retraining");
  const runs = readdirSync(reports).filter((name) => /^\d/.test(name));
  expect(runs).toHaveLength(1);
  const state = readdirSync(join(reports, runs[0] as string));
  expect(state.filter((name) => STEPS.some((step) => name.startsWith(`${step}.`)))).toEqual(
    STEPS.map((name) => `${name}.json`).sort(),
  );
  const record = JSON.parse(readFileSync(join(reports, runs[0] as string, "record.json"), "utf8"));
  expect(record.result.outcome).toBe("promoted");
  expect(readdirSync(reports)).not.toContain("lease.json");
  expect(google.machines.size).toBe(0);
  // Zone after zone, and the cluster as often as its step was not done.
  const count = (what: string) => google.asked.filter((one) => one.startsWith(what)).length;
  expect([count("POST t:instantiate"), count("POST instances"), count("DELETE")]).toEqual([2, 6, 3]);
});

test("gives up a run that another execution works on: that one leaves, its machine is deleted, and the lease is free", async () => {
  const reports = scans.workspace.buckets.reports;
  const before = await currentModel(scans.workspace.buckets.models);
  expect(JSON.parse((await execute("nothing", { trigger: "give-up" })).said)).toMatchObject({ ended: false });
  google.endless = true;
  const working = execute("works", { trigger: "person" });
  let left = false;
  void working.then(() => {
    left = true;
  });
  await until(async () => google.machines.size > 0 || left, Boolean);
  const given = await execute("gives-up", { trigger: "give-up" });
  const [run] = await runNames(reports);
  expect([given.code, JSON.parse(given.said)]).toEqual([0, { ended: true, run }]);
  const { code, said } = await working;
  expect([code, said]).toEqual([1, expect.stringContaining("409")]);
  expect(google.machines.size).toBe(0);
  expect(outcomeOf(await readRun(reports, run as string))).toBe("given-up");
  expect(await workedOnUntil(reports)).toBeUndefined();
  expect(await currentModel(scans.workspace.buckets.models)).toEqual(before);
});

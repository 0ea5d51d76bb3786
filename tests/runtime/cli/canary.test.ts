import { type ChildProcess, execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { openWorkspace, type Workspace } from "../../../runtime/platform/workspace";
import { currentCanary } from "../../../runtime/registry";
import { storeEvaluation } from "../../support/evaluation";
import { asked, RunServer, SERVICE } from "../../support/run-server";
import { promote, storeModel, until } from "../../support/served-model";
import { drawn } from "../promotion/drawn";

const ROOT = resolve(__dirname, "../../..");
const [STABLE, BETTER, EQUAL] = ["cnn-stable", "cnn-better", "cnn-equal"];
const FIT = { fit: true, sentence: "Fit for research.", reasons: [] };

let folder: string;
let workspace: Workspace;
const run = new RunServer();

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "canary-cli-"));
  workspace = await openWorkspace(join(folder, "workspace"));
  const [its = [], equal = [], better = []] = drawn([0.85, 0.85, 0.95], 1);
  for (const [id, scans] of [
    [STABLE, its],
    [EQUAL, equal],
    [BETTER, better],
  ] as const) {
    await storeModel(workspace, id);
    await storeEvaluation(workspace.buckets.reports, id, 0.9, FIT);
    await workspace.buckets.reports.write(`evaluation/${id}/scans.json`, JSON.stringify(scans));
  }
  await promote(workspace, STABLE, { verdict: FIT });
  await run.start();
});

afterAll(async () => {
  await run.stop();
  await workspace.close();
  rmSync(folder, { recursive: true });
});

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What the build emitted, as a process of its own. */
function canaryProcess(...options: string[]): { readonly child: ChildProcess; readonly done: Promise<Ended> } {
  const args = ["dist/runtime/cli/main.js", "models", "canary", ...options, "--out", workspace.directory];
  const env = { ...process.env, CLOUD_RUN_API_ENDPOINT: run.url, MONITORING_API_ENDPOINT: run.url };
  let end: (ended: Ended) => void = () => undefined;
  const done = new Promise<Ended>((resolve) => {
    end = resolve;
  });
  const child = execFile(process.execPath, args, { cwd: ROOT, env }, (error, stdout, stderr) =>
    end({ code: Number(error?.code ?? 0), stdout, stderr }),
  );
  return { child, done };
}

const canary = (...options: string[]) => canaryProcess(...options).done;

/** Written down before and after. */
const acted = (what: string, result: string) => [`${what}: asked`, `${what}: ${result}`];

/** What was written down, in the order in which it was. */
async function acts(): Promise<string[]> {
  const rows = (await workspace.warehouse.rows("audit")).map(({ row }) => row);
  rows.sort((a, b) => a.recorded_at.localeCompare(b.recorded_at));
  return rows.map(({ action, subject, result }) => `${action} ${subject}: ${result}`);
}

test("a canary by commands: refused by the plan's clause, started, looked at and taken back, each with its exit code", async () => {
  expect(await canary("status")).toMatchObject({ code: 0, stdout: "No model was ever tried out here.\n" });
  const refused = await canary("start", EQUAL, "--service", SERVICE, "--json");
  expect([refused.code, JSON.parse(refused.stdout)]).toMatchObject([
    1,
    { code: "outside-plan", clause: "comparison.superiority", reason: expect.stringContaining("answers nobody") },
  ]);
  const tooMuch = await canary("start", BETTER, "--share", "60", "--service", SERVICE);
  expect(tooMuch).toMatchObject({ code: 1, stderr: expect.stringContaining("(canary.shares)") });
  expect(await canary("start", "cnn-nowhere", "--service", SERVICE)).toMatchObject({
    ...{ code: 2, stderr: expect.stringContaining("There is no model cnn-nowhere") },
  });
  expect(await canary("start", BETTER, "--service", "st-anna-serve")).toMatchObject({ code: 2 });
  expect(await canary("start", BETTER, "--share", "5")).toMatchObject({
    ...{ code: 2, stderr: expect.stringContaining("name the service with --service") },
  });
  expect(run.writes).toEqual([]);

  const started = await canary("start", BETTER, "--share", "5", "--service", SERVICE);
  expect(started).toMatchObject({ code: 0, stdout: expect.stringContaining("on 5 % of the requests") });
  const [revision = ""] = run.pinned;
  expect(run.shares[revision]).toBe(5);
  const status = await canary("status", "--service", SERVICE, "--json");
  expect(JSON.parse(status.stdout)).toMatchObject({
    canary: { candidate: BETTER, share: 5 },
    given: 5,
    judgement: { outcome: "hold" },
  });
  const waits = await canary("advance", "--service", SERVICE);
  expect(waits).toMatchObject({ code: 0, stdout: expect.stringMatching(/open: .* more scans would show it/) });
  const finish = await canary("finish", "--service", SERVICE, "--json");
  expect([finish.code, JSON.parse(finish.stdout)]).toMatchObject([1, { code: "not-held", clause: "canary.agreement" }]);
  run.count(revision, asked(200), 2000);
  run.count(revision, asked(503), 20);
  const back = await canary("advance", "--service", SERVICE);
  expect(back).toMatchObject({ code: 1, stdout: expect.stringContaining("(canary.errors)") });
  expect(Object.keys(run.shares)).not.toContain(revision);
  expect(await canary("abort", "--service", SERVICE)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("No model is being tried out"),
  });
  expect(await acts()).toEqual([
    ...acted(`canary-start ${EQUAL}`, "outside-plan"),
    ...acted(`canary-start ${BETTER}`, "outside-plan"),
    ...acted(`canary-start ${BETTER}`, "5 %"),
    ...acted(`canary-advance ${BETTER}`, "5 %"),
    ...acted(`canary-finish ${BETTER}`, "not-held"),
    ...acted(`canary-advance ${BETTER}`, "rolled-back"),
    ...acted(`canary-abort ${BETTER}`, "no-canary"),
  ]);
}, 600_000);

test("as a shadow it says how it is asked, and is aborted with a person's reason", async () => {
  const started = await canary("start", EQUAL);
  expect(started).toMatchObject({ code: 0, stdout: expect.stringContaining(`npm run serve -- --shadow ${EQUAL}`) });
  expect(await canary("abort", "--reason", "Enough.")).toMatchObject({
    code: 0,
    stdout: expect.stringContaining("Enough."),
  });
  expect((await acts()).slice(-4)).toEqual([
    ...acted(`canary-start ${EQUAL}`, "running"),
    ...acted(`canary-abort ${EQUAL}`, "aborted"),
  ]);
}, 600_000);

test("that it was asked for is written down before anything moves, and what came of it where it failed half way, or put a share right", async () => {
  const before = (await acts()).length;
  const { length } = run.writes;
  run.pollsUntilDone = Number.POSITIVE_INFINITY;
  const { child, done } = canaryProcess("start", BETTER, "--service", SERVICE);
  await until(
    async () => run.writes.length,
    (writes) => writes > length,
  );
  child.kill("SIGKILL");
  await done;
  expect((await acts()).slice(before)).toEqual([`canary-start ${BETTER}: asked`]);
  run.pollsUntilDone = 2;
  expect(await canary("abort", "--service", SERVICE)).toMatchObject({ code: 0 });

  run.refuse = 403;
  expect(await canary("start", BETTER, "--service", SERVICE)).toMatchObject({ code: 1 });
  run.refuse = undefined;
  expect(await canary("start", BETTER, "--service", SERVICE)).toMatchObject({ code: 0 });
  run.service.traffic = [{ type: "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", percent: 100 }];
  expect(await canary("advance", "--service", SERVICE)).toMatchObject({ code: 0 });
  expect(run.shares[String(run.pinned.at(-1))]).toBe(10);
  expect((await acts()).slice(before + 1)).toEqual([
    ...acted(`canary-abort ${BETTER}`, "aborted"),
    ...acted(`canary-start ${BETTER}`, "failed"),
    ...acted(`canary-start ${BETTER}`, "10 %"),
    ...acted(`canary-advance ${BETTER}`, "10 %"),
  ]);
}, 600_000);

test("advance --wait writes down once what was asked, and each change, however often it looks; interrupted it ends in the midst of a change", async () => {
  expect(await canary("abort", "--service", SERVICE)).toMatchObject({ code: 0 });
  expect(await canary("start", BETTER, "--service", SERVICE)).toMatchObject({ code: 0 });
  const before = (await acts()).length;
  const looked = async () => (await currentCanary(workspace.buckets.models))?.look?.at ?? "";
  const { child, done } = canaryProcess("advance", "--wait", "--every", "1", "--service", SERVICE);
  const looks = new Set<string>();
  await until(
    async () => looks.add(await looked()),
    () => looks.size > 3,
  );
  expect((await acts()).slice(before)).toEqual([`canary-advance ${BETTER}: asked`]);
  // Somebody takes the share away: it is put right by the next look, which is a change.
  const { length } = run.writes;
  run.service.traffic = [{ type: "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", percent: 100 }];
  await until(
    async () => (await acts()).length,
    (rows) => rows > before + 1,
  );
  expect(run.writes.length).toBe(length + 1);
  // A change that Cloud Run never ends is waited for no longer than somebody wants.
  run.pollsUntilDone = Number.POSITIVE_INFINITY;
  run.service.traffic = [{ type: "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", percent: 100 }];
  await until(
    async () => run.writes.length,
    (writes) => writes > length + 1,
  );
  child.kill("SIGINT");
  expect(await done).toMatchObject({ code: 130, stdout: expect.stringContaining("open: ") });
  run.pollsUntilDone = 2;
  expect((await acts()).slice(before)).toEqual([
    `canary-advance ${BETTER}: asked`,
    `canary-advance ${BETTER}: 10 %`,
    `canary-advance ${BETTER}: interrupted`,
  ]);
  const status = await canary("status", "--service", SERVICE);
  expect(status.stdout).toContain("Next: Wait for more scans");
  expect(await canary("abort", "--service", SERVICE)).toMatchObject({ code: 0 });
}, 600_000);

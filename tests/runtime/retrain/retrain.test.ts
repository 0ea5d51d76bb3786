import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DirectoryStore } from "../../../runtime/platform/stores";
import { openWorkspace } from "../../../runtime/platform/workspace";
import { RETRAINING } from "../../../runtime/registry";
import { RETRAIN_STEPS } from "../../../runtime/retrain";
import type { RetrainReport } from "../../../runtime/retrain/runner";
import { stopProcess } from "../../support/processes";
import { until } from "../../support/served-model";
import { prepareSlices } from "../train/slices";

const MAIN = join(__dirname, "../../../dist/runtime/cli/main.js");
const STEPS = RETRAIN_STEPS.map(({ name }) => name);

let root: string;
/** The model that the scans, the seed and the backend decide. */
let whole: RetrainReport;

beforeAll(async () => {
  process.env.LOG_LEVEL = "fatal";
  root = mkdtempSync(join(tmpdir(), "retrain-"));
  const { workspace } = await prepareSlices(root, "scans", [
    ...(["train", "train", "validation", "test"] as const).flatMap((split, i) => [
      { name: `Cancer/c${i}.png`, patient: 2 * i, split },
      { name: `Non-Cancer/n${i}.png`, patient: 2 * i + 1, split },
    ]),
  ]);
  await workspace.close();
});
afterAll(() => rmSync(root, { recursive: true }));

/** The scans once more, in a workspace of their own. */
function copy(name: string): string {
  const out = join(root, name);
  cpSync(join(root, "scans"), out, { recursive: true });
  return out;
}

const command = (out: string, ...more: readonly string[]) => [
  ...[MAIN, "retrain", "--out", out, "--epochs", "1", "--backend", "wasm", "--json"],
  ...more,
];
const start = (out: string): ChildProcess => spawn(process.execPath, command(out), { stdio: "ignore" });
function run(out: string, ...more: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, command(out, ...more), { encoding: "utf8" });
  return { status, stderr, answer: stdout === "" ? undefined : JSON.parse(stdout) };
}
const runs = (out: string) =>
  existsSync(join(out, "reports", RETRAINING))
    ? readdirSync(join(out, "reports", RETRAINING)).filter((name) => /^\d{8}-/.test(name))
    : [];
const stateOf = (out: string) => readdirSync(join(out, "reports", RETRAINING, runs(out)[0] as string)).sort();

/** What is written down of a run besides its state. */
async function rowsOf(out: string): Promise<readonly string[]> {
  const workspace = await openWorkspace(out);
  try {
    const batches = await workspace.warehouse.batches("audit");
    return batches.filter((name) => name.startsWith("retrain-"));
  } finally {
    await workspace.close();
  }
}

test("retrains end to end: every step once, the reference set frozen, the model current, and one row of it", async () => {
  const out = copy("whole");
  const { status, answer, stderr } = run(out, "--seed", "3");
  expect([status, stderr.match(/\d\/7 [a-z]+/g)]).toEqual([0, STEPS.map((name, i) => `${i + 1}/7 ${name}`)]);
  whole = answer.report;
  expect(whole).toMatchObject({
    ...{ trigger: "person", resumed: false, recorded: { outcome: "promoted", model: expect.stringMatching(/^cnn-/) } },
    ...{ test: { challenger: { n: 2 }, champion: null }, reference: { challenger: { n: 2 }, champion: null } },
  });
  expect(whole.steps.map(({ name, skipped }) => [name, skipped])).toEqual(STEPS.map((name) => [name, false]));
  const current = JSON.parse(readFileSync(join(out, "models/current.json"), "utf8"));
  expect(current.model).toBe(whole.recorded.model);
  expect(JSON.parse(readFileSync(join(out, "summary.json"), "utf8")).promotion.current).toBe(true);
  expect(await rowsOf(out)).toEqual([`retrain-${whole.run}`]);
  const reference = readFileSync(join(out, "reports", RETRAINING, "reference.ndjson"), "utf8")
    .trimEnd()
    .split("\n");
  // The first line names the set.
  expect(reference).toHaveLength(3);

  // The same scans again are the same model: nothing is trained, and nothing is promoted.
  const again = run(out, "--seed", "3").answer.report as RetrainReport;
  expect(again.recorded.model).toBe(whole.recorded.model);
  expect(again.run).not.toBe(whole.run);
  expect(JSON.parse(readFileSync(join(out, "models/current.json"), "utf8"))).toEqual(current);

  // What was frozen is not changed unseen.
  const changed = reference
    .join("\n")
    .replace(/"label":"(?:Non-)?Cancer"/, (label) =>
      label.includes("Non") ? '"label":"Cancer"' : '"label":"Non-Cancer"',
    );
  await new DirectoryStore(join(out, "reports")).write(`${RETRAINING}reference.ndjson`, changed);
  const refused = run(out, "--seed", "3");
  expect([refused.status, refused.stderr]).toEqual([1, expect.stringContaining("reference.ndjson was changed")]);
});

test("goes on after a kill at each step to the same model, with nothing twice, and one of two leaves", async () => {
  const out = copy("killed");
  const first = spawn(process.execPath, [...command(out), "--seed", "3"], { stdio: "ignore" });
  await until(async () => runs(out).length, Boolean);
  const second = run(out);
  expect(second).toMatchObject({ status: 0, answer: { begun: false } });
  expect(second.answer.reason).toMatch(/^Another retraining is at work .* nothing was done here/);
  let child = first;
  for (const step of STEPS) {
    const done = join(out, "reports", RETRAINING, runs(out)[0] as string, `${step}.json`);
    await until(async () => existsSync(done) || child.exitCode !== null, Boolean);
    await stopProcess(child, "SIGKILL");
    // After the last there is nothing to go on with.
    if (step !== "record") child = start(out);
  }
  expect(runs(out)).toHaveLength(1);
  expect(stateOf(out).filter((name) => STEPS.some((step) => name.startsWith(`${step}.`)))).toEqual(
    STEPS.map((name) => `${name}.json`).sort(),
  );
  const status = run(out, "--status").answer;
  expect(status).toMatchObject({ next: null, outcome: "promoted", until: null, current: whole.recorded.model });
  expect(readdirSync(join(out, "models")).filter((name) => name.startsWith("cnn-"))).toEqual([whole.recorded.model]);
  expect(await rowsOf(out)).toEqual([`retrain-${status.run}`]);
});

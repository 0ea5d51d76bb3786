import { type ChildProcess, execFile, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { pino } from "pino";
import { type Gateway, startGateway } from "../../../runtime/gateway";
import { destinationOf } from "../../../runtime/gateway/results";
import { openStore } from "../../../runtime/platform/stores";
import { picturesKey, type StudyAnswer, studyObject } from "../../../runtime/study";
import { freePort, stopProcess } from "../../support/processes";
import { PLANTED, writeInstance } from "./instances";

const INSTALL = "DCMTK's storescp is not there. Bring it: node scripts/setup-dcmtk.js";

let folder: string;
let gateway: Gateway | undefined;
const children: ChildProcess[] = [];

beforeAll(() => {
  if (["storescp", "storescu", "dsrdump"].some((tool) => spawnSync(tool, ["--version"]).status !== 0))
    throw new Error(INSTALL);
});
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "storescp-"));
});
afterEach(async () => {
  await gateway?.close();
  for (const child of children.splice(0)) await stopProcess(child);
  rmSync(folder, { recursive: true, force: true });
});

const home = (...names: string[]) => join(folder, "home", ...names);
async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 50));
}

/** The gateway is in this process, which has to go on meanwhile. */
const send = (port: number, files: readonly string[]) =>
  promisify(execFile)("storescu", ["-R", "-aec", "GATEWAY", "127.0.0.1", String(port), ...files]);

/** DCMTK's receiver, once it listens. */
async function archive(port: number, stored: string): Promise<ChildProcess> {
  mkdirSync(stored, { recursive: true });
  const child = spawn("storescp", ["-v", "-aet", "ARCHIVE", "-od", stored, String(port)], { stdio: "ignore" });
  children.push(child);
  await until(
    () =>
      new Promise((resolve) => {
        const socket = connect(port, "127.0.0.1", () => resolve(socket.destroy() !== undefined));
        socket.on("error", () => resolve(false));
      }),
  );
  return child;
}

/** What score writes of the study that has just landed. */
async function answer(): Promise<StudyAnswer> {
  const [name = ""] = readdirSync(home("mapping"));
  const study = name.replace(/\.jsonl$/, "");
  const records = readFileSync(home("mapping", name), "utf8")
    .split("\n")
    .flatMap((line) => (line === "" ? [] : [JSON.parse(line) as Record<string, unknown>]))
    .filter((line) => !("landed" in line));
  const slices = records.map((record, i) => ({
    ...{ instance: String(record.instance), series: String(record.series), page: 1, sequence: null, view: null },
    ...{ sha256: String(i).repeat(64), probability: 0.83 - i / 10, decision: "Cancer" as const },
  }));
  const verdict = { fit: true, sentence: "Fit: the test says so.", reasons: [] };
  const made: StudyAnswer = {
    ...{ study, revision: 1, answered_at: "2026-03-01T10:11:12.345Z", model: "m-1", model_sha256: "a".repeat(64) },
    ...{ recipe: "r-1", synthetic: false, verdict, disclaimer: "Not for diagnostic use.", threshold: 0.4 },
    uncertain: null,
    whole: { probability: 0.75, decision: "Cancer", threshold: 0.5, rule: "A study is answered by a rule.", verdict },
    ...{ pictures: picturesKey(slices), slices, peak: { x: 3, y: 5 }, overlay: null },
  };
  const reports = await openStore(join(folder, "reports"));
  await reports.create(studyObject(study, 1), JSON.stringify(made));
  return made;
}

/** A gateway that hands answers on to an archive at a port. */
async function handingOnTo(port: number) {
  return startGateway({
    ...{ aet: "GATEWAY", host: "127.0.0.1", port: 0, tls: undefined, callers: [], addresses: [] },
    folder: home(),
    store: await openStore(join(folder, "landing")),
    key: "local:test",
    results: {
      reports: await openStore(join(folder, "reports")),
      destinations: [destinationOf(`dicom://ARCHIVE@127.0.0.1:${port}`, { aet: "GATEWAY", tls: {} })],
      unfit: false,
      lookSeconds: 1,
    },
    log: pino({ level: "silent" }),
    limits: { reserveBytes: 1 },
  });
}

test("storescu sends a study, and storescp, which is away at first and killed once, receives its answer under the hospital's names", async () => {
  const port = await freePort();
  gateway = await handingOnTo(port);
  const files = [1, 2, 3].map((number) => writeInstance(folder, number).file);
  await send(gateway.port, files);
  await until(() => readdirSync(home("spool", "waiting")).length === 0);
  expect(readdirSync(home("spool", "refused"))).toEqual([]);
  await answer();

  // Nobody listens: it waits.
  const queued = () => readdirSync(home("results", "queue")).filter((name) => name.endsWith(".json"));
  await until(() => queued().length === 1);
  await until(() => readFileSync(home("results", "queue", queued()[0] as string), "utf8").includes('"attempts":1'));
  const stored = join(folder, "archive");
  const first = await archive(port, stored);
  await stopProcess(first);
  await archive(port, stored);
  await until(() => readdirSync(home("results", "sent")).length === 1);
  expect([queued(), readdirSync(home("results", "dead"))]).toEqual([[], []]);

  const [name = ""] = readdirSync(stored);
  expect(readdirSync(stored)).toHaveLength(1);
  const report = join(stored, name);
  const printed = execFileSync("dsrdump", [report], { encoding: "utf8" });
  expect(printed).toMatch(/Probability of cancer[^\n]*83/);
  const { stdout } = spawnSync("dcmdump", ["+P", "0010,0020", "+P", "0010,0010", "+P", "0020,000d", report], {
    encoding: "utf8",
  });
  for (const own of [PLANTED.id, PLANTED.name, "1.2.826.0.1.3680043.9.1"]) expect(stdout).toContain(`[${own}]`);
});

test("storescp that refuses every association gets nothing, and the answer waits", async () => {
  const port = await freePort();
  const stored = join(folder, "archive");
  mkdirSync(stored);
  const child = spawn("storescp", ["--refuse", "-od", stored, String(port)], { stdio: "ignore" });
  children.push(child);
  await once(child, "spawn");
  gateway = await handingOnTo(port);
  await send(gateway.port, [writeInstance(folder, 1).file]);
  await until(() => readdirSync(home("spool", "waiting")).length === 0);
  await answer();
  const queued = () => readdirSync(home("results", "queue")).filter((name) => name.endsWith(".json"));
  await until(() => queued().length === 1);
  await until(() => /"attempts":[2-9]/.test(readFileSync(home("results", "queue", queued()[0] as string), "utf8")));
  expect([readdirSync(stored), readdirSync(home("results", "sent"))]).toEqual([[], []]);
});

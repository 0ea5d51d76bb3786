import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { currentImages } from "../../runtime/dataset";
import { drawPhantom } from "../../runtime/phantom";
import type { Summary } from "../../runtime/platform/summary";
import { openWorkspace } from "../../runtime/platform/workspace";
import { bytesOfSlice, mrElements, writeElements, writeFile } from "../runtime/imaging/dicom/dicom-writer";
import { stopProcess } from "../support/processes";

const CLI = resolve(__dirname, "../../dist/runtime/cli/main.js");
const PATIENTS = 12;
const SLICES = 4;
const SIDE = 96;

let root: string;
let running: ChildProcess | undefined;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "demo-dicom-"));
});
afterAll(async () => {
  if (running) await stopProcess(running);
  rmSync(root, { recursive: true, force: true });
});

/** A slice of a series of one patient. Every third patient is called as many are in a hospital that named nobody. */
function sliceOf(patient: number, slice: number, lesion: boolean): Buffer {
  const { pixels } = drawPhantom({ seed: 16, patient, slice: slice / (SLICES + 1), size: SIDE, lesion });
  const elements = mrElements(SIDE, SIDE, [
    [0x0008_0018, "UI", `1.2.840.${patient}.1.${slice}`],
    [0x0008_0020, "DA", "20231105"],
    [0x0008_103e, "LO", "FLAIR of PLANTED"],
    [0x0010_0010, "PN", `PLANTED^PATIENT ${patient}`],
    [0x0010_0020, "LO", patient % 3 === 0 ? "ANONYMOUS" : `PLANTED-${patient}`],
    [0x0020_000d, "UI", `1.2.840.${patient}`],
    [0x0020_000e, "UI", `1.2.840.${patient}.1`],
    [0x0020_0013, "IS", String(slice + 1)],
    [0x0020_0032, "DS", `0\\0\\${5 * slice}`],
    [0x0020_0037, "DS", "1\\0\\0\\0\\1\\0"],
  ]);
  const grey = bytesOfSlice(Uint16Array.from(pixels, (value) => value * 16));
  return writeFile(writeElements([...elements, [0x7fe0_0010, "OW", grey]]));
}

async function run(...args: string[]): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, [CLI, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  running = child;
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk) => {
      output += chunk;
    });
  const code = await new Promise<number | null>((done) => child.on("close", done));
  return { code, output };
}

/** Every byte behind landing and quarantine, and every name. */
function bytesBehind(folder: string): string {
  const inside = readdirSync(folder).map((name) => join(folder, name));
  return inside
    .filter((path) => !/(landing|quarantine)$/.test(path))
    .map((path) => `${path} ${statSync(path).isDirectory() ? bytesBehind(path) : readFileSync(path, "latin1")}`)
    .join("\n");
}

test("series of DICOM slices, called after patients, go the whole way without a name", async () => {
  const data = join(root, "scans");
  for (let patient = 0; patient < PATIENTS; patient++)
    for (let slice = 0; slice < SLICES; slice++) {
      const lesion = slice % 2 === 0;
      const folder = join(data, lesion ? "Cancer" : "Non-Cancer", `PLANTED PATIENT ${patient}`);
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, `IM${slice}`), sliceOf(patient, slice, lesion));
    }
  const out = join(root, "workspace");
  const training = ["--no-serve", "--backend", "wasm", "--epochs", "1"];
  const first = await run("demo", "--data", data, "--out", out, ...training);
  expect([first.code, first.output]).toEqual([0, expect.not.stringContaining("PLANTED")]);
  const summary = JSON.parse(readFileSync(join(out, "summary.json"), "utf8")) as Summary;
  const images = PATIENTS * SLICES;
  expect(summary.dataset).toMatchObject({ images, groups: PATIENTS });

  const workspace = await openWorkspace(out);
  const rows = await currentImages(workspace.warehouse);
  const all = (await workspace.warehouse.rows("images")).map(({ row }) => row);
  await workspace.close();
  // What looks for text in pixels takes a drawn slice for one now and then.
  const refused = all.flatMap(({ reason }) => reason ?? []);
  expect(refused.filter((reason) => reason !== "burned-in-text")).toEqual([]);
  expect(refused.length).toBeLessThanOrEqual(images / 12);
  expect(rows).toHaveLength(images - refused.length);
  const studies = new Map<string, Set<string | null>>();
  for (const { study, group, series, instance, view, sequence, source } of rows) {
    expect([view, sequence]).toEqual(["axial", "FLAIR"]);
    expect(source).toMatch(new RegExp(`^(Non-)?Cancer/${study}/${series}/${instance}\\.dcm$`));
    studies.set(study as string, (studies.get(study as string) ?? new Set()).add(group));
  }
  // A study is one group, and those whose patients nobody names are strangers.
  expect([...studies.values()].map(({ size }) => size)).toEqual(Array(PATIENTS).fill(1));
  expect(new Set(rows.map(({ patient }) => patient)).size).toBe(1 + (PATIENTS * 2) / 3);
  expect(bytesBehind(out)).not.toMatch(/PLANTED|20231105|2023-11-05|1\.2\.840\.\d+\.1\b/);

  // Once more: all of it is there.
  expect(await run("upload", "--data", data, "--out", out)).toMatchObject({ code: 0 });
  expect(await run("ingest", "--out", out)).toMatchObject({ code: 0 });
  const { steps } = JSON.parse(readFileSync(join(out, "summary.json"), "utf8")) as Summary;
  const done = new Map(steps.map((step) => [step.name, step]));
  for (const name of ["upload", "ingest"])
    expect([name, done.get(name)]).toEqual([name, expect.objectContaining({ items: 0, skipped: images, rejected: 0 })]);
}, 900_000);

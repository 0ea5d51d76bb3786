import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import sharp from "sharp";
import { drawPhantom } from "../../runtime/phantom";
import { uniform } from "../../runtime/platform/random";
import type { Summary } from "../../runtime/platform/summary";
import { CURRENT_ASSIGNMENTS } from "../../runtime/platform/warehouse";
import { openWorkspace } from "../../runtime/platform/workspace";
import { stopProcess } from "../support/processes";

const CLI = resolve(__dirname, "../../dist/runtime/cli/main.js");
const PATIENTS = 12;

let root: string;
let data: string;

/** Four slices of each of twelve imaginary heads, and two files that are not scans. */
async function drawFolder(folder: string, patients: number, firstPatient = 0): Promise<void> {
  for (const label of ["Cancer", "Non-Cancer"]) mkdirSync(join(folder, label), { recursive: true });
  const manifest = ["path,patient_id"];
  for (let patient = firstPatient; patient < firstPatient + patients; patient++) {
    for (let slice = 0; slice < 4; slice++) {
      const lesion = slice % 2 === 0;
      const { pixels } = drawPhantom({ seed: 8, patient, slice: slice / 5, size: 96, lesion });
      const path = `${lesion ? "Cancer" : "Non-Cancer"}/head ${patient} slice ${slice}.png`;
      await sharp(pixels, { raw: { width: 96, height: 96, channels: 1 } })
        .png()
        .toFile(join(folder, path));
      manifest.push(`${path},${patient}`);
    }
  }
  writeFileSync(join(folder, "manifest.csv"), `${manifest.join("\n")}\n`);
}

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

function start(...args: string[]): { readonly child: ChildProcess; readonly ended: Promise<Ended> } {
  const child = spawn(process.execPath, [CLI, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const text = { stdout: "", stderr: "" };
  child.stdout?.on("data", (chunk) => {
    text.stdout += chunk;
  });
  child.stderr?.on("data", (chunk) => {
    text.stderr += chunk;
  });
  const ended = new Promise<Ended>((done) => {
    child.on("close", (code, signal) => done({ code, signal, ...text }));
  });
  return { child, ended };
}

const run = (...args: string[]) => start(...args).ended;
const demo = (out: string) => [
  "demo",
  "--data",
  data,
  "--out",
  out,
  "--no-serve",
  "--backend",
  "wasm",
  "--epochs",
  "2",
];
const summaryOf = (out: string) => JSON.parse(readFileSync(join(out, "summary.json"), "utf8")) as Summary;

/** Name and SHA-256 of every file of a bucket. */
function contents(out: string, bucket: string): Record<string, string> {
  const directory = join(out, bucket);
  const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const named = files.map((file) => {
    const path = join(file.parentPath, file.name);
    return [path.slice(directory.length + 1), createHash("sha256").update(readFileSync(path)).digest("hex")] as const;
  });
  return Object.fromEntries(named.sort());
}

/** What the tables say of the images, and when they said it first left out. */
async function imageRows(out: string): Promise<unknown[]> {
  const workspace = await openWorkspace(out);
  try {
    const rows = await workspace.warehouse.rows("images");
    const images = rows.map(({ row }) => ({ ...row, ingested_at: null })).sort((a, b) => (a.id < b.id ? -1 : 1));
    return [...images, ...(await workspace.warehouse.ask(CURRENT_ASSIGNMENTS, {}))];
  } finally {
    await workspace.close();
  }
}

function modelFiles(out: string): Record<string, string> {
  const files = Object.entries(contents(out, "models"));
  return Object.fromEntries(
    files.filter(([name]) => /^cnn-[^/]+\/(model\.json|weights\.bin|metadata\.json)$/.test(name)),
  );
}

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "demo-"));
  data = join(root, "data");
  await drawFolder(data, PATIENTS);
  writeFileSync(join(data, "Cancer", "note.png"), "no picture");
  writeFileSync(join(data, "stray.txt"), "outside the label folders");
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

// Whole processes that train and explain: minutes, where other work runs beside.
jest.setTimeout(300_000);

describe("the demo", () => {
  it("goes the whole way, and the second time repeats nothing", async () => {
    const out = join(root, "whole");
    const first = await run(...demo(out));
    expect({ code: first.code, stderr: first.stderr }).toMatchObject({ code: 0 });
    expect(first.stdout).toMatch(/AUC .* to /);

    const summary = summaryOf(out);
    expect(summary.steps.map(({ name }) => name)).toEqual([
      "upload",
      "ingest",
      "preprocess",
      "features",
      "train",
      "evaluate",
      "score",
      "features-report",
    ]);
    expect(summary.dataset).toMatchObject({ images: 50, curated: 48, quarantined: 2, groups: PATIENTS });
    const { train = 0, validation = 0, test = 0 } = summary.dataset?.split ?? {};
    expect(train + validation + test).toBe(48);
    expect(summary.test?.n).toBe(test);
    expect(Object.keys(summary.test ?? {})).toEqual(
      expect.arrayContaining(["threshold", "accuracy", "precision", "recall", "specificity", "f1", "auc", "ece"]),
    );
    const model = summary.model?.id as string;
    const report = readFileSync(join(out, "reports", "evaluation", model, "report.html"), "utf8");
    expect(report).toContain("Not for diagnostic use");
    expect(report).not.toMatch(/(src|href)="https?:/);
    expect(JSON.parse(readFileSync(join(out, "models", "current.json"), "utf8"))).toMatchObject({ model });

    const again = await run(...demo(out));
    expect(again.code).toBe(0);
    expect(summaryOf(out).steps.map(({ name, items }) => ({ name, items }))).toEqual(
      summary.steps.map(({ name }) => ({ name, items: 0 })),
    );
    expect(summaryOf(out)).toMatchObject({ dataset: summary.dataset, model: summary.model, test: summary.test });
    // As after a kill between promotion and summary: the reason is the one that it was promoted for.
    expect(summary.promotion).toEqual({ current: true, reason: `${model} is the first model.` });
    expect(summaryOf(out).promotion).toEqual(summary.promotion);

    // Unfit, it serves all the same, and says so first.
    expect(summary.verdict).toMatchObject({
      fit: false,
      reasons: expect.arrayContaining(["few-groups", "few-epochs"]),
    });
    expect(summaryOf(out).verdict).toEqual(summary.verdict);
    for (const { stdout } of [first, again]) {
      expect(stdout.indexOf(summary.verdict?.sentence as string)).toBeGreaterThan(0);
      expect(stdout.indexOf(summary.verdict?.sentence as string)).toBeLessThan(stdout.indexOf("AUC "));
    }
    expect(JSON.parse(readFileSync(join(out, "models", "current.json"), "utf8"))).toMatchObject({
      verdict: summary.verdict,
    });
  });

  it("killed at random moments and started again, ends byte for byte where an undisturbed run ends", async () => {
    const out = join(root, "killed");
    const random = uniform(2024);
    let kills = 0;
    for (let attempt = 0; attempt < 8; attempt++) {
      const { child, ended } = start(...demo(out));
      const timer = setTimeout(() => child.kill("SIGKILL"), 300 + 4200 * random());
      const { signal } = await ended;
      clearTimeout(timer);
      if (signal !== "SIGKILL") break;
      kills++;
    }
    expect(kills).toBeGreaterThan(1);
    expect(await run(...demo(out))).toMatchObject({ code: 0 });

    const whole = join(root, "whole");
    for (const bucket of ["landing", "curated", "quarantine", "processed"]) {
      expect({ bucket, files: contents(out, bucket) }).toEqual({ bucket, files: contents(whole, bucket) });
    }
    expect(await imageRows(out)).toEqual(await imageRows(whole));
    expect(modelFiles(out)).toEqual(modelFiles(whole));
    expect(Object.keys(modelFiles(out))).toHaveLength(3);
    expect(summaryOf(out).test).toEqual(summaryOf(whole).test);
    expect(summaryOf(whole).promotion).toMatchObject({ current: true });
    expect(readdirSync(out).filter((name) => name.startsWith("summary.json"))).toEqual(["summary.json"]);
  });

  it("goes on with every step while the server runs on the same workspace, and the server takes up the new model", async () => {
    const out = join(root, "served");
    cpSync(join(root, "whole"), out, { recursive: true });
    const server = start("serve", "--out", out, "--port", "0");
    try {
      const url = await new Promise<string>((found, failed) => {
        server.child.stdout?.on("data", (chunk) => {
          const printed = /http:\/\/127\.0\.0\.1:\d+/.exec(String(chunk))?.[0];
          if (printed) found(printed);
        });
        void server.ended.then(({ stderr }) => failed(new Error(stderr)));
      });
      const scan = readFileSync(join(data, "Cancer", "head 0 slice 0.png"));
      const predict = async () => {
        const answer = await fetch(`${url}/v1/predictions`, { method: "POST", body: new Uint8Array(scan) });
        expect(answer.status).toBe(200);
        return (await answer.json()) as { model: string; probability: number };
      };
      const before = await predict();

      const more = join(root, "more");
      await drawFolder(more, 4, 50);
      const ingest = await run("ingest", "--data", more, "--out", out, "--add");
      expect({ code: ingest.code, stderr: ingest.stderr }).toMatchObject({ code: 0 });
      expect(await run("preprocess", "--out", out)).toMatchObject({ code: 0 });
      expect(await run("train", "--out", out, "--epochs", "1", "--backend", "wasm")).toMatchObject({ code: 0 });
      expect(summaryOf(out).dataset).toMatchObject({ curated: 64, groups: PATIENTS + 4 });

      const after = await predict();
      const { model } = JSON.parse(readFileSync(join(out, "models", "current.json"), "utf8")) as { model: string };
      expect([before.model, model]).toContain(after.model);
      const { model: trained, promotion } = summaryOf(out);
      expect(promotion?.current).toBe(trained?.id === model);
      const workspace = await openWorkspace(out);
      const rows = await workspace.warehouse.rows("predictions");
      await workspace.close();
      // Those of the demo's own scoring lie beside them.
      expect(rows.filter(({ batch }) => !batch.startsWith("scored/"))).toHaveLength(2);
    } finally {
      await stopProcess(server.child);
    }
  });

  it("evaluates and explains a folder that it has never seen", async () => {
    const unseen = join(root, "unseen");
    await drawFolder(unseen, 3, 90);
    writeFileSync(join(unseen, "Non-Cancer", "broken.jpg"), Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 0]));
    const model = join(root, "whole", "models", summaryOf(join(root, "whole")).model?.id as string);

    const evaluated = join(root, "evaluated");
    expect(await run("evaluate", "--model", model, "--data", unseen, "--out", evaluated)).toMatchObject({ code: 0 });
    const [head, ...rows] = readFileSync(join(evaluated, "predictions.csv"), "utf8").trim().split("\n");
    expect(head).toBe("path,label,probability,decision,model,recipe,reason");
    expect(rows).toHaveLength(13);
    expect(rows.filter((row) => row.includes(",Rejected,"))).toEqual([
      expect.stringMatching(/^Non-Cancer\/broken\.jpg,Non-Cancer,,Rejected,/),
    ]);
    expect(JSON.parse(readFileSync(join(evaluated, "evaluation.json"), "utf8"))).toMatchObject({ test: { n: 12 } });

    const explained = join(root, "explained");
    expect(await run("explain", "--model", model, "--data", unseen, "--out", explained)).toMatchObject({ code: 0 });
    const places = readFileSync(join(explained, "explain.csv"), "utf8").trim().split("\n");
    expect(places[0]).toMatch(/^path,x,y/);
    expect(places).toHaveLength(13);
    expect(readdirSync(join(explained, "overlays"))).toHaveLength(12);
  });
});

describe("the command line", () => {
  it.each([
    { args: ["demo", "--limit", "none"], says: /not a whole number/ },
    { args: ["demo", "--nonsense"], says: /unknown option/ },
    { args: ["demo", "--backend", "tpu"], says: /Allowed choices/ },
    { args: ["ingest", "--data", "/does/not/exist"], says: /\/does\/not\/exist/ },
    { args: ["evaluate", "--data", "."], says: /--model/ },
    { args: ["upload", "--data", ".", "--bucket", "landing"], says: /not gs:\/\/BUCKET/ },
    { args: ["serve", "--port", "99999"], says: /highest is 65535/ },
    { args: ["fly"], says: /unknown command/ },
  ])("exits with 2 on wrong usage and says what is wrong: $args", async ({ args, says }) => {
    const { code, stderr } = await run(...args, ...(args[0] === "fly" ? [] : ["--out", join(root, "usage")]));
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringMatching(says) });
  });

  it("exits with 2 where no model lies, and says what a model is", async () => {
    const missing = join(root, "no-model");
    const out = join(root, "nothing-measured");
    const { code, stderr } = await run("evaluate", "--model", missing, "--data", data, "--out", out);
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(`--model ${missing} is not there`) });
    expect(existsSync(out)).toBe(false);
    const other = await run("evaluate", "--model", data, "--data", data, "--out", out);
    expect(other).toMatchObject({ code: 2, stderr: expect.stringMatching(/A model is a folder with/) });
  });

  it.each(["preprocess", "features", "train", "spark"])(
    "%s does not make a workspace of a mistyped name",
    async (step) => {
      const mistyped = join(root, "mistyped");
      const { code, stderr } = await run(step, ...(step === "spark" ? ["pca"] : []), "--out", mistyped);
      expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(`${mistyped} is not there`) });
      expect(existsSync(mistyped)).toBe(false);
    },
  );

  it.each(["evaluate", "explain"])("%s lists every folder that cannot be used, at once", async (command) => {
    const file = join(root, "a-file");
    writeFileSync(file, "kept");
    const [model, scans] = [join(root, "no-model"), join(root, "no-scans")];
    const { code, stderr } = await run(command, "--model", model, "--data", scans, "--out", file);
    expect(code).toBe(2);
    expect(stderr).toContain(`--model ${model} is not there`);
    expect(stderr).toContain(`--data ${scans} is not there`);
    expect(stderr).toContain(`--out ${file} cannot be a folder here`);
    expect(readFileSync(file, "utf8")).toBe("kept");
    const below = await run(command, "--model", data, "--data", data, "--out", join(file, "below"));
    expect(below).toMatchObject({ code: 2, stderr: expect.stringContaining("cannot be a folder here") });
  });

  it("shows the options of every command", async () => {
    for (const command of ["demo", "upload", "ingest", "preprocess", "train", "evaluate", "explain", "serve"]) {
      const { code, stdout } = await run(command, "--help");
      expect({ command, code }).toEqual({ command, code: 0 });
      expect(stdout).toContain("--seed");
      expect(stdout).toContain("--out");
    }
  });

  it("says what is missing when there is nothing to train on", async () => {
    const empty = join(root, "empty");
    mkdirSync(empty);
    const { code, stderr } = await run("train", "--out", empty, "--backend", "wasm");
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining("npm run preprocess") });
    expect(existsSync(join(empty, "models", "current.json"))).toBe(false);
  });
});

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { cpSync, readdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { localSubmission, sparkCommand } from "../../runtime/cli/spark";
import { currentAssignments, type ProcessedImage, readShards } from "../../runtime/dataset";
import { readRejects } from "../../runtime/dataset/rejects";
import { encodePng } from "../../runtime/imaging";
import { loadClassifier, modelFilesInStore } from "../../runtime/model";
import type { Summary } from "../../runtime/platform/summary";
import type { PredictionRow } from "../../runtime/platform/warehouse";
import { openWorkspace, type Workspace } from "../../runtime/platform/workspace";
import { setCurrent } from "../../runtime/registry";
import { drawHead } from "../runtime/imaging/pictures";
import { BRIGHT_SPOT, saveBrightSpot } from "../support/bright-spot";
import { drawScans } from "./scans";

const ROOT = resolve(__dirname, "../..");
const RUNTIME = `${process.execPath} ${join(ROOT, "dist", "runtime", "preprocess", "main.js")}`;
const CLI = join(ROOT, "dist", "runtime", "cli", "main.js");

let scratch: string;
/** A workspace in which everything is ingested and nothing preprocessed; tests copy it. */
let ingested: string;
let pages: number;
const spaces: Workspace[] = [];

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "spark steps "));
  ingested = join(scratch, "ingested");
  pages = await drawScans(join(scratch, "data"));
  expect(command("ingest", "--data", join(scratch, "data"), "--out", ingested).rejected).toBe(0);
});

afterAll(async () => {
  for (const space of spaces) await space.close();
  await rm(scratch, { recursive: true, force: true });
});

/** Runs a command of the project on a workspace; gives what the summary then says of the step. */
function command(step: string, ...told: string[]): Summary["steps"][number] {
  const { status, stderr } = spawnSync(process.execPath, [CLI, step, ...told], { encoding: "utf8" });
  if (status !== 0) throw new Error(`${step} ended with ${status}: ${stderr}`);
  const name = step === "spark" ? told[0] : step;
  return stepOf(told[told.indexOf("--out") + 1] as string, name as string);
}

function stepOf(out: string, name: string): Summary["steps"][number] {
  const summary = JSON.parse(readFileSync(join(out, "summary.json"), "utf8")) as Summary;
  const found = summary.steps.find((step) => step.name === name);
  if (!found) throw new Error(`The summary has no step ${name}.`);
  return found;
}

const spark = (step: string, out: string, ...more: string[]) =>
  command("spark", step, "--out", out, "--master", "local[2]", "--memory", "1g", ...more);

function copyOf(name: string, from = ingested): string {
  const out = join(scratch, name);
  cpSync(from, out, { recursive: true, preserveTimestamps: true });
  return out;
}

async function open(out: string): Promise<Workspace> {
  const space = await openWorkspace(out);
  spaces.push(space);
  return space;
}

async function shardsOf(out: string): Promise<ProcessedImage[]> {
  const rows: ProcessedImage[] = [];
  for await (const row of readShards(await open(out))) rows.push(row);
  return rows;
}

/** SHA-256 of every shard by its name. */
async function filesOf(out: string): Promise<Record<string, string>> {
  const { processed } = (await open(out)).buckets;
  const files: Record<string, string> = {};
  for await (const { name } of processed.listAll()) {
    if (name.endsWith(".parquet"))
      files[name] = createHash("sha256")
        .update(await processed.read(name))
        .digest("hex");
  }
  return files;
}

async function curatedFiles(out: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of (await open(out)).buckets.curated.listAll("images/")) names.push(name);
  return names;
}

/** A listing that names the curated pictures of a workspace over and over. */
async function listingOf(out: string, lines: number): Promise<string> {
  const rows = (await (await open(out)).warehouse.rows("images")).filter(({ row }) => row.duplicate_of === null);
  const path = join(scratch, `listing-${lines}.ndjson`);
  const content = Array.from({ length: lines }, (_, n) => {
    const { row } = rows[n % rows.length] as (typeof rows)[number];
    const { label, sha256, phash, hash, width, height } = row;
    return JSON.stringify({ id: `n${n}`, source: `${n}/${row.source}`, label, sha256, phash, hash, width, height });
  });
  writeFileSync(path, `${content.join("\n")}\n`);
  return path;
}

/** The runtime processes below another, with the Python workers that started them. */
function runtimesBelow(ancestor: number): { pid: number; parent: number }[] {
  const all = new Map<number, { parent: number; line: string }>();
  for (const entry of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const parent = Number(
        readFileSync(`/proc/${entry}/stat`, "utf8")
          .replace(/^.*\) \S /s, "")
          .split(" ")[0],
      );
      all.set(Number(entry), { parent, line: readFileSync(`/proc/${entry}/cmdline`, "utf8").replaceAll("\0", " ") });
    } catch {
      // It ended meanwhile.
    }
  }
  const isBelow = (pid: number): boolean => pid === ancestor || (all.has(pid) && isBelow(all.get(pid)?.parent ?? 0));
  return [...all].flatMap(([pid, { parent, line }]) =>
    line.startsWith(RUNTIME) && isBelow(pid) ? [{ pid, parent }] : [],
  );
}

const wait = (milliseconds: number) => new Promise((done) => setTimeout(done, milliseconds));

/** Starts the step and does something to it once its tasks make pixels: when the runtime of a task is at work. */
async function disturbed(
  out: string,
  more: string[],
  disturb: (child: ChildProcess, node: number, python: number) => void,
) {
  const told = ["spark", "preprocess", "--out", out, "--master", "local[2]", "--memory", "1g", ...more];
  const child = spawn(process.execPath, [CLI, ...told], { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  const ended = once(child, "close");
  let runtime: { pid: number; parent: number } | undefined;
  while (child.exitCode === null && !runtime) {
    await wait(50);
    if (/preprocess: \d+ images to do/.test(said)) runtime = runtimesBelow(child.pid as number)[0];
  }
  if (!runtime) throw new Error(`No runtime was seen at work: ${said}`);
  await wait(300);
  disturb(child, runtime.pid, runtime.parent);
  const [code] = (await ended) as [number | null];
  return { code, said };
}

describe("preprocess on Spark", () => {
  test("gives the shards of the local step, byte by byte, from every format; then only what is new", async () => {
    const [here, there] = [copyOf("local"), copyOf("spark")];
    command("preprocess", "--out", here);
    const first = spark("preprocess", there);
    const rows = await shardsOf(there);
    expect(first).toMatchObject({ items: rows.length, skipped: 0, rejected: 0 });
    expect(rows.length).toBe(pages);
    expect(rows).toEqual(await shardsOf(here));
    expect(await filesOf(there)).toEqual(await filesOf(here));
    expect(new Set(rows.map(({ group }) => group)).size).toBeLessThan(rows.length - 4);

    expect(spark("preprocess", there)).toMatchObject({ items: 0, skipped: pages });
    const more = join(scratch, "more");
    for (let n = 0; n < 10; n++) {
      if (n === 0) cpSync(join(scratch, "data"), more, { recursive: true });
      writeFileSync(join(more, "Cancer", `new-${n}.png`), await encodePng(drawHead(200 + n, 110, 120)));
    }
    for (const out of [here, there]) command("ingest", "--data", more, "--out", out, "--add");
    expect(spark("preprocess", there)).toMatchObject({ items: 10, skipped: pages });
    expect(command("preprocess", "--out", here)).toMatchObject({ items: 10, skipped: pages });
    expect(await filesOf(there)).toEqual(await filesOf(here));
    // Either step goes on from where the other left off.
    expect(command("preprocess", "--out", there)).toMatchObject({ items: 0, skipped: pages + 10 });
  });

  test("hashes pictures anew whose hash is by another, in its tasks, and groups as the local step does", async () => {
    const [here, there] = [copyOf("rehashed"), copyOf("rehashed spark")];
    for (const out of [here, there]) {
      const { buckets, warehouse } = await open(out);
      for (const batch of await warehouse.batches("images")) {
        const lines = ((await warehouse.batch("images", batch)) ?? []).map((row) => {
          const early = { ...row, phash: "0".repeat(64), hash: "h0-of-another" };
          return `${JSON.stringify(row.phash === null || row.source.includes("#page=") ? row : early)}\n`;
        });
        await buckets.warehouse.write(`images/${batch}.jsonl`, lines.join(""));
      }
    }
    command("preprocess", "--out", here);
    expect(spark("preprocess", there)).toMatchObject({ items: pages, skipped: 0 });
    expect(await filesOf(there)).toEqual(await filesOf(here));
    const assigned = async (out: string) => currentAssignments((await open(out)).warehouse);
    expect(await assigned(there)).toEqual(await assigned(here));
    expect(new Set([...(await assigned(there)).values()].map(({ group }) => group)).size).toBeGreaterThan(20);
    expect(spark("preprocess", there)).toMatchObject({ items: 0, skipped: pages });
  });

  test("leaves out a file that is gone, too large, damaged or another one, and says why; the rest is there", async () => {
    const out = copyOf("bad");
    const [gone, huge, damaged, other, ...good] = await curatedFiles(out);
    const file = (name: string | undefined) => join(out, "curated", name as string);
    rmSync(file(gone));
    truncateSync(file(huge), 2 ** 30);
    writeFileSync(file(damaged), readFileSync(file(damaged)).subarray(0, 200));
    cpSync(file(good[0]), file(other));
    expect(spark("preprocess", out)).toMatchObject({ items: good.length, rejected: 4 });
    const rejects = await readRejects((await open(out)).buckets.processed);
    const reasons = Object.fromEntries(rejects.map(({ sha256, reason }) => [`images/${sha256}.png`, reason]));
    expect(reasons).toEqual({
      [gone as string]: "curated-missing",
      [huge as string]: "curated-too-large",
      [damaged as string]: "pixels-differ",
      [other as string]: "pixels-differ",
    });
    expect(rejects.every(({ message }) => message.startsWith("its file curated/images/"))).toBe(true);
    const left = new Set((await shardsOf(out)).map(({ sha256 }) => `images/${sha256}.png`));
    expect(left).toEqual(new Set(good));
  });

  test("a file that kills its decoder is singled out, and all others are done", async () => {
    const out = copyOf("poison");
    const [poison, ...good] = await curatedFiles(out);
    const space = await open(out);
    const submission = localSubmission("preprocess", space.buckets);
    const told = submission.arguments.map((one, index, all) =>
      all[index - 1] === "--runtime" ? join(__dirname, "fixtures", "dying-runtime.js") : one,
    );
    const {
      file,
      told: line,
      env,
    } = sparkCommand(
      { ...submission, arguments: [...told, "--env", `POISON=${poison}`] },
      { master: "local[2]", memory: "1g" },
    );
    const { status, stdout } = spawnSync(file, line, { env, encoding: "utf8" });
    expect([status, stdout.includes("Traceback")]).toEqual([0, false]);
    const result = stdout.split("\n").find((text) => text.startsWith("{")) as string;
    expect(JSON.parse(result)).toMatchObject({ items: good.length, rejected: 1 });
    const [reject] = await readRejects(space.buckets.processed);
    expect(reject).toMatchObject({ reason: "decoder-died", message: expect.stringContaining("signal 9") });
    expect(`images/${reject?.sha256}.png`).toBe(poison);
    expect((await shardsOf(out)).length).toBe(good.length);
  });

  test.each(["the runtime", "the Python worker"])("%s of a task is killed: nothing is lost", async (victim) => {
    const out = copyOf(`killed ${victim}`);
    const listing = await listingOf(out, 3000);
    const { code, said } = await disturbed(out, ["--listing", listing], (_, node, python) => {
      process.kill(victim === "the runtime" ? node : python, "SIGKILL");
    });
    expect([code, said.match(/(\d+) done, 0 done before, (\d+) refused/)?.slice(1)]).toEqual([0, ["3000", "0"]]);
    const rows = await shardsOf(out);
    expect(new Set(rows.map(({ id }) => id)).size).toBe(3000);
  });

  test("the curated folder vanishes: the step ends, says which images it lacks, and completes once it is back", async () => {
    const [out, whole] = [copyOf("vanished"), copyOf("undisturbed")];
    const listing = await listingOf(out, 3000);
    const images = join(out, "curated", "images");
    const { code, said } = await disturbed(out, ["--listing", listing], () => renameSync(images, `${images} away`));
    expect(code).toBe(0);
    expect(said.split("\n").filter((line) => line.includes("is left out")).length).toBeLessThan(30);
    expect(said).toMatch(/and \d+ more: .*rejects.ndjson names them all/);
    const rejects = await readRejects((await open(out)).buckets.processed);
    expect(new Set(rejects.map(({ reason }) => reason))).toEqual(new Set(["curated-missing"]));
    expect((await shardsOf(out)).length + rejects.length).toBe(3000);
    renameSync(`${images} away`, images);
    expect(spark("preprocess", out, "--listing", listing)).toMatchObject({ items: rejects.length, rejected: 0 });
    spark("preprocess", whole, "--listing", listing);
    expect(await filesOf(out)).toEqual(await filesOf(whole));
  });

  test("is interrupted by a signal with the code for that, leaves no process behind, and goes on", async () => {
    const out = copyOf("interrupted");
    const listing = await listingOf(out, 3000);
    let runtime = 0;
    const { code } = await disturbed(out, ["--listing", listing], (child, node) => {
      runtime = node;
      child.kill("SIGINT");
    });
    expect(code).toBe(130);
    for (let tries = 0; tries < 100 && readdirSync("/proc").includes(String(runtime)); tries++) await wait(100);
    expect(readdirSync("/proc")).not.toContain(String(runtime));
    const { items, skipped } = spark("preprocess", out, "--listing", listing);
    expect(items + skipped).toBe(3000);
    expect((await shardsOf(out)).length).toBe(3000);
  });
});

describe("score on Spark", () => {
  test("answers once for every picture, as the model does, and for new ones only", async () => {
    const out = copyOf("scored");
    const space = await open(out);
    const { status, stderr } = spawnSync(
      process.execPath,
      [CLI, "spark", "score", "--out", out, "--master", "local[2]", "--memory", "1g"],
      { encoding: "utf8" },
    );
    expect([status, stderr]).toEqual([0, expect.stringContaining("there is no model here yet")]);
    const { models } = space.buckets;
    await saveBrightSpot(join(out, "models", BRIGHT_SPOT.id));
    await setCurrent(models, { model: BRIGHT_SPOT.id, reason: "The test says so." }, undefined, new Date(0));
    const classifier = await loadClassifier(modelFilesInStore(models, BRIGHT_SPOT.id));
    expect(spark("score", out)).toMatchObject({ items: pages, skipped: 0, rejected: 0 });
    expect(spark("score", out)).toMatchObject({ items: 0, skipped: pages });

    command("preprocess", "--out", out);
    const answers = new Map<string, PredictionRow>();
    for (const { row } of await space.warehouse.rows("predictions")) answers.set(row.sha256, row);
    expect(answers.size).toBe(pages);
    for (const { sha256, pixels } of await shardsOf(out)) {
      const [probability] = await classifier.predict([pixels]);
      const answer = answers.get(sha256) as PredictionRow;
      expect(answer.probability).toBeCloseTo(probability as number, 5);
      expect(answer.label).toBe(answer.probability >= answer.threshold ? "Cancer" : "Non-Cancer");
      expect(answer.model).toBe(classifier.metadata.id);
    }
  });
});

describe("monitor on Spark", () => {
  test("says that there is no model; with one tells of 30 days, as the command does; a second run finds them told", async () => {
    const out = copyOf("monitored");
    const told = ["--out", out, "--master", "local[1]", "--memory", "1g"];
    const none = spawnSync(process.execPath, [CLI, "spark", "monitor", ...told], { encoding: "utf8" });
    expect([none.status, none.stderr]).toEqual([0, expect.stringContaining("There is no model here yet")]);
    command("preprocess", "--out", out);
    await saveBrightSpot(join(out, "models", BRIGHT_SPOT.id));
    const space = await open(out);
    const current = { model: BRIGHT_SPOT.id, reason: "The test says so." };
    await setCurrent(space.buckets.models, current, undefined, new Date());
    command("score", "--out", out);
    expect(command("spark", "monitor", ...told)).toMatchObject({ items: 30, skipped: 0, rejected: 0 });
    expect(command("spark", "monitor", ...told)).toMatchObject({ items: 0, skipped: 30, rejected: 0 });
    const { status, stdout } = spawnSync(process.execPath, [CLI, "monitor", "--out", out, "--json"], {
      encoding: "utf8",
    });
    expect([status, JSON.parse(stdout)]).toEqual([0, expect.objectContaining({ model: BRIGHT_SPOT.id, changed: 0 })]);
  });
});

import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { z } from "zod";
import { localSubmission, sparkCommand } from "../runtime/cli/spark";
import { PLANNED_IMAGES } from "../runtime/platform/warehouse";
import { openWorkspace } from "../runtime/platform/workspace";
import { print } from "../tools/command";
import { table } from "../tools/table";
import { machineName, partsOf, say, wholeNumberOf } from "./command-line";
import type { BenchOptions } from "./main";
import type { PlanMeasurement } from "./plan-once";
import { type Planted, writeTables } from "./planned-workspace";
import { measureTree, type TreeMeasurement } from "./process-tree";
import { KINDS, kindOf, PYTHON, setUpPeers } from "./runs";

const PARTS = ["spark", "local"] as const;
const IMAGES: Readonly<Record<(typeof PARTS)[number], number>> = { spark: 5_000_000, local: 1_000_000 };
const NEW = 100_000;
/** Two executors of one core each. */
const EXECUTOR_MIB = 1024;
const MASTER = `local-cluster[2,1,${EXECUTOR_MIB}]`;

interface Measured {
  readonly part: string;
  readonly images: number;
  readonly fresh: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly peakMiB: TreeMeasurement["peakMiB"];
  readonly steps?: PlanMeasurement["seconds"];
}

/** What planning costs where most of the images are known: groups, splits, and which shards are to be made, without pixels. */
export async function benchPlan(options: BenchOptions): Promise<void> {
  const parts = partsOf(options.parts, PARTS);
  const measured: Measured[] = [];
  for (const part of parts) {
    const images = wholeNumberOf("--images", options.images, IMAGES[part]);
    const fresh = Math.min(wholeNumberOf("--new", options.new, NEW), images);
    const scratch = mkdtempSync(join(tmpdir(), "brain-tumor-bench-"));
    const run = { images, fresh, scratch, seed: Number(options.seed ?? 0), memory: options.memory ?? "512m" };
    try {
      measured.push(await measurePart(part, run));
    } finally {
      rmSync(scratch, { recursive: true, force: true });
    }
  }
  printMeasured(measured);
  if (options.json) writeFileSync(options.json, `${JSON.stringify({ machine: machineName(), measured }, null, 2)}\n`);
}

interface Run {
  readonly images: number;
  readonly fresh: number;
  readonly scratch: string;
  readonly seed: number;
  readonly memory: string;
}

async function measurePart(part: (typeof PARTS)[number], run: Run): Promise<Measured> {
  const { images, fresh, scratch } = run;
  const workspace = join(scratch, "workspace");
  say(`writing the rows of ${images} images, ${fresh} of them new`);
  const planted = await writeTables(workspace, images, fresh, run.seed);
  if (part === "spark") {
    await setUpPeers();
    say(`planning on Spark, ${MASTER}`);
    const { seconds, cpuSeconds, peakMiB, stdout } = await planOnSpark(run, workspace);
    checkPlan(sparkSchema.parse(JSON.parse(stdout.split("\n").find((line) => line.startsWith("{")) ?? "")), images);
    await checkGroups(run, workspace, planted);
    return { part: MASTER, images, fresh, seconds, cpuSeconds, peakMiB };
  }
  say("planning in one process");
  const { seconds, cpuSeconds, peakMiB, stdout } = await measureTree(
    process.execPath,
    [join(__dirname, "plan-once.js"), workspace],
    { env: { ...process.env, TMPDIR: scratch }, kindOf },
  );
  const once = JSON.parse(stdout) as PlanMeasurement;
  checkPlan({ shards: once.shards, images: once.images }, images);
  await checkGroups(run, workspace, planted);
  return { part: "one process", images, fresh, seconds, cpuSeconds, peakMiB, steps: once.seconds };
}

const sparkSchema = z.object({ shards: z.number(), images: z.number() });

async function planOnSpark({ memory, scratch }: Run, workspace: string): Promise<TreeMeasurement> {
  const space = await openWorkspace(workspace);
  const submission = localSubmission("preprocess", space.buckets);
  await space.close();
  const { file, told, env } = sparkCommand(submission, { master: MASTER, memory, extra: ["--plan-only"] });
  return measureTree(file, told, {
    // Executors write below Spark's home: theirs lies in the scratch folder.
    env: { ...env, SPARK_HOME: sparkHome(scratch), SPARK_LOCAL_DIRS: scratch, TMPDIR: scratch },
    kindOf,
  });
}

/** A home of Spark of its own, with the installed one's parts. */
function sparkHome(scratch: string): string {
  const library = join(dirname(PYTHON), "..", "lib");
  const [version] = readdirSync(library).filter((name) => name.startsWith("python3"));
  const installed = join(library, String(version), "site-packages", "pyspark");
  const home = join(scratch, "spark");
  mkdirSync(home);
  for (const part of ["bin", "jars", "python"]) symlinkSync(join(installed, part), join(home, part));
  return home;
}

function checkPlan(found: z.infer<typeof sparkSchema>, images: number): void {
  if (found.images !== images) throw new Error(`Of ${images} images, ${found.images} were planned.`);
}

/** Every planted version has to be in its original's group, and nothing else in one. */
async function checkGroups({ scratch }: Run, directory: string, planted: Planted): Promise<void> {
  const { DuckDBInstance } = await import("@duckdb/node-api");
  const file = join(scratch, "planned.parquet");
  const workspace = await openWorkspace(directory);
  await workspace.warehouse.extract(PLANNED_IMAGES, {}, file);
  await workspace.close();
  const instance = await DuckDBInstance.create(":memory:", { memory_limit: "2GB", temp_directory: scratch });
  const connection = await instance.connect();
  const found = await connection.runAndReadAll(`SELECT COUNT(*), COUNT(DISTINCT "group") FROM '${file}'`);
  const [images, groups] = found.getRows()[0]?.map(Number) ?? [];
  connection.closeSync();
  instance.closeSync();
  if (images !== planted.images || groups !== planted.groups)
    throw new Error(`There are ${groups} groups of ${images} images, not ${planted.groups} of ${planted.images}.`);
}

function printMeasured(measured: readonly Measured[]): void {
  const kinds = [...KINDS, "executor JVMs"].filter((kind) => measured.some(({ peakMiB }) => peakMiB[kind]));
  const columns = ["PLANNED", "IMAGES", "NEW", "SECONDS", "CPU SECONDS", ...kinds.map((kind) => `${kind} MiB`)];
  const rows = measured.map(({ part, images, fresh, seconds, cpuSeconds, peakMiB }) => [
    ...[part, String(images), String(fresh), seconds.toFixed(1), cpuSeconds.toFixed(1)],
    ...kinds.map((kind) => peakMiB[kind]?.toFixed(0) ?? ""),
  ]);
  print(
    table(
      columns.map((title) => ({ title, width: 20, align: "right" as const })),
      rows,
    ),
  );
  for (const { part, steps } of measured)
    if (steps) {
      const told = Object.entries(steps).map(([step, seconds]) => `${step} ${seconds.toFixed(1)} s`);
      print(`${part}: ${told.join(", ")}`);
    }
  print(machineName());
}

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runSparkStep } from "../../runtime/cli/spark";
import { featuresStep } from "../../runtime/features";
import { loadPca } from "../../runtime/features/components";
import { Projection } from "../../runtime/features/projection";
import { RECIPE } from "../../runtime/imaging";
import { createLogger } from "../../runtime/platform/logging";
import { silentProgress } from "../../runtime/platform/progress";
import { readSummary } from "../../runtime/platform/summary";
import { CURRENT_FEATURES } from "../../runtime/platform/warehouse";
import { openWorkspace, type Workspace } from "../../runtime/platform/workspace";
import { fields, largestAngle, process as processImages } from "../runtime/features/processed";

let workspace: Workspace;

beforeAll(async () => {
  workspace = await openWorkspace(await mkdtemp(join(tmpdir(), "spark pca-")));
});

afterAll(async () => {
  await workspace.close();
  await rm(workspace.directory, { recursive: true, force: true });
});

async function onSpark() {
  const options = { out: workspace.directory, master: "local[2]", memory: "1g", extra: ["--components", "6"] };
  await runSparkStep("pca", options);
  return (await readSummary(workspace)).steps.find(({ name }) => name === "features");
}

/** What a reader sees: the scores by the current fit. */
const scored = () => workspace.warehouse.ask(CURRENT_FEATURES, { recipe: RECIPE.id });

/** Batches of the table, and components: names with generations. */
async function objects(): Promise<string[]> {
  const found: string[] = [];
  for (const bucket of ["models", "warehouse"] as const)
    for await (const { name, generation } of workspace.buckets[bucket].listAll()) found.push(`${name} ${generation}`);
  return found;
}

const training = fields("train", 40);
const first = [...training, ...fields("test", 10, 100)];

test("without images, the job fails", async () => {
  await expect(onSpark()).rejects.toThrow(/pca failed in Spark \(1\)/);
  expect(await objects()).toEqual([]);
});

test("components and scores of Spark are those of one machine, and are used by it", async () => {
  await processImages(workspace, first);
  expect(await onSpark()).toMatchObject({ items: 50, skipped: 0, rejected: 0 });
  const rows = await scored();
  expect(rows.map(({ id }) => id).sort()).toEqual(first.map(({ row }) => row.id).sort());
  const spark = await loadPca(workspace.buckets.models, rows[0]?.pca ?? "");

  const context = { log: createLogger("test", { destination: { write() {} } }), progress: silentProgress };
  const local = await openWorkspace(join(workspace.directory, "local"));
  await processImages(local, first);
  const signal = new AbortController().signal;
  const outcome = await featuresStep({ ...context, workspace: local, seed: 0, signal }, { components: 6 });
  const other = await loadPca(local.buckets.models, outcome.pca);
  await local.close();

  expect(spark.metadata.method).toEqual({ name: "arpack", seed: null });
  expect(spark.metadata.fitted).toEqual(other.metadata.fitted);
  expect(largestAngle(spark.components, other.components)).toBeLessThan(1);
  for (const [i, variance] of other.metadata.explainedVariance.entries())
    expect(Math.abs((spark.metadata.explainedVariance[i] as number) / variance - 1)).toBeLessThan(1e-3);
  const byId = new Map(rows.map((row) => [row.id, row]));
  for (const { row, pixels } of first) {
    const scores = Array.from(await new Projection(spark).scores(pixels), (value) => Number(value.toPrecision(8)));
    expect(byId.get(row.id)?.values).toEqual(scores);
  }
});

test("a rerun scores what is new, leaves the rows of what is gone, and then has nothing to do", async () => {
  const now = [...training, ...fields("test", 9, 101), ...fields("validation", 3, 200)];
  await processImages(workspace, now);
  expect(await onSpark()).toMatchObject({ items: 3, skipped: 49 });
  const rows = await scored();
  const ids = new Set([...first, ...now].map(({ row }) => row.id));
  expect(rows.map(({ id }) => id).sort()).toEqual([...ids].sort());
  expect(new Set(rows.map(({ pca }) => pca)).size).toBe(1);
  const before = await objects();
  expect(await onSpark()).toMatchObject({ items: 0, skipped: 52 });
  expect(await objects()).toEqual(before);
});

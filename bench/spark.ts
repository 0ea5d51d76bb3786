import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { z } from "zod";
import { RECIPE } from "../runtime/imaging";
import { ConfigurationError } from "../runtime/platform/config";
import { print } from "../tools/command";
import { type Column, table } from "../tools/table";
import { machineName, partsOf, say } from "./command-line";
import type { GroupingMeasurement } from "./grouping-once";
import type { BenchOptions } from "./main";
import { chooseCores, measureTree, type TreeMeasurement } from "./process-tree";
import { CLI, KINDS, runOurs, runPeer, runPython, setUpPeers } from "./runs";
import { curatedImages, emptyWorkspace, ingestInto, writeListing } from "./spark-workspace";

const PARTS = ["preprocess", "grouping", "pca"] as const;
const SIDES = ["ours", "peer"] as const;
type Side = (typeof SIDES)[number];

const DEFAULT_SIZES = "3000,12000,48000";
const GROUPING_SIZES = [10_000, 100_000, 1_000_000];
const CORES = [1, 2];
/** Images of the run whose time counts as the start of Spark, Python and Node. */
const START_IMAGES = 16;
const START_RUNS = 2;
const COMPONENTS = 64;

interface PreprocessMeasurement {
  readonly side: Side;
  readonly cores: number;
  readonly images: number;
  readonly seconds: number;
  /** Of {@link seconds}: what a run with a handful of images takes. */
  readonly startSeconds: number;
  /** Over the seconds after the start. */
  readonly imagesPerSecond: number;
  /** Without that of the start. */
  readonly cpuMsPerImage: number;
  readonly peakMiB: TreeMeasurement["peakMiB"];
}

interface PcaMeasurement {
  readonly what: string;
  readonly images: number;
  /** With the start of the processes and the reading of the shards. */
  readonly seconds: number;
  /** The same of all processors. */
  readonly cpuSeconds: number;
  /** Of scikit-learn: standardising, fitting and scores alone. */
  readonly fitSeconds?: number;
  /** Degrees between the first 16 components and those of ours, by the method of ours. */
  readonly angles?: z.infer<typeof anglesSchema>;
  readonly peakMiB: number;
}

/** Spark's fit is `arpack`, that of one process `randomized`. */
const anglesSchema = z.object({ arpack: z.number(), randomized: z.number() });

interface Results {
  machine: string;
  preprocess?: PreprocessMeasurement[];
  grouping?: GroupingMeasurement[];
  pca?: PcaMeasurement[];
}

/** What preprocessing costs on Spark, beside the same work in PySpark and OpenCV; grouping and PCA at scale. */
export async function benchSpark(options: BenchOptions): Promise<void> {
  const sizes = parseSizes(options.sizes ?? DEFAULT_SIZES);
  const parts = partsOf(options.parts, PARTS);
  const machine = machineName();
  const results: Results = { machine };
  const scratch = mkdtempSync(join(tmpdir(), "brain-tumor-bench-"));
  try {
    const workspace = options.workspace ? resolve(options.workspace) : join(scratch, "workspace");
    if (parts.some((part) => part !== "grouping")) {
      say("setting up Spark and the peers");
      await setUpPeers();
      if (!options.workspace) {
        say(options.data ? `ingesting ${options.data}` : "drawing and ingesting phantoms");
        await ingestInto(workspace, options.data && resolve(options.data), Number(options.seed ?? 0));
      }
    }
    const memory = options.memory ?? "2g";
    if (parts.includes("preprocess")) {
      results.preprocess = await measurePreprocess(workspace, scratch, sizes, memory);
      printPreprocess(results.preprocess, sizes);
    }
    if (parts.includes("grouping")) {
      results.grouping = await measureGrouping(Number(options.seed ?? 0));
      printGrouping(results.grouping);
    }
    if (parts.includes("pca")) {
      results.pca = await measurePca(workspace, scratch, memory, options.sizes && Math.max(...sizes));
      printPca(results.pca);
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  print(machine);
  if (options.json) writeFileSync(options.json, `${JSON.stringify(results, null, 2)}\n`);
}

function parseSizes(text: string): number[] {
  const sizes = text.split(",").map(Number);
  if (sizes.every((size) => Number.isInteger(size) && size > START_IMAGES)) return sizes;
  throw new ConfigurationError("--sizes", [`"${text}" is not a list of whole numbers above ${START_IMAGES}.`]);
}

const countsSchema = z.object({ items: z.number(), rejected: z.number() });

async function measurePreprocess(
  workspace: string,
  scratch: string,
  sizes: readonly number[],
  memory: string,
): Promise<PreprocessMeasurement[]> {
  const images = await curatedImages(workspace);
  if (images.length === 0) throw new Error(`No image is curated in ${workspace}.`);
  const curated = join(workspace, "curated");
  const listing = join(scratch, "listing.ndjson");
  let runs = 0;

  const once = async (side: Side, cores: number, count: number): Promise<TreeMeasurement> => {
    writeListing(listing, images, count);
    const out = join(scratch, `run-${runs++}`);
    const where = { cores: chooseCores(cores), memory };
    try {
      const measured =
        side === "ours"
          ? await runOurs("preprocess", ["--out", emptyWorkspace(out, curated), "--listing", listing], where)
          : await runPeer(
              "pyspark_opencv_preprocess.py",
              ["--listing", listing, "--curated", curated, "--out", out],
              where,
            );
      const { items, rejected } = side === "ours" ? await countsOf(out) : lastLine(measured.stdout);
      if (items !== count || rejected !== 0)
        throw new Error(`Of ${count} images, ${side} made ${items} and rejected ${rejected}.`);
      return measured;
    } finally {
      rmSync(out, { recursive: true, force: true });
    }
  };

  const measurements: PreprocessMeasurement[] = [];
  for (const cores of CORES) {
    const starts: Record<Side, TreeMeasurement[]> = { ours: [], peer: [] };
    for (let run = 0; run < START_RUNS; run++)
      for (const side of SIDES) starts[side].push(await once(side, cores, START_IMAGES));
    const start = { ours: quickest(starts.ours), peer: quickest(starts.peer) };
    say(`local[${cores}]: start ${start.ours.seconds.toFixed(1)} s, peer ${start.peer.seconds.toFixed(1)} s`);
    for (const count of sizes) {
      for (const side of SIDES) {
        const { seconds, cpuSeconds, peakMiB } = await once(side, cores, count);
        const startSeconds = start[side].seconds;
        const imagesPerSecond = (count - START_IMAGES) / (seconds - startSeconds);
        const cpuMsPerImage = (1000 * (cpuSeconds - start[side].cpuSeconds)) / (count - START_IMAGES);
        measurements.push({
          side,
          cores,
          images: count,
          seconds,
          startSeconds,
          imagesPerSecond,
          cpuMsPerImage,
          peakMiB,
        });
        say(
          `local[${cores}], ${count} images, ${side}: ${seconds.toFixed(1)} s, ${imagesPerSecond.toFixed(0)} images/s`,
        );
      }
    }
  }
  return measurements;
}

function quickest(runs: readonly TreeMeasurement[]): TreeMeasurement {
  return runs.reduce((best, run) => (run.seconds < best.seconds ? run : best));
}

async function countsOf(directory: string): Promise<z.infer<typeof countsSchema>> {
  const { readSummary } = await import("../runtime/platform/summary.js");
  const { steps } = await readSummary({ directory });
  return countsSchema.parse(steps.find(({ name }) => name === "preprocess"));
}

function lastLine(stdout: string): z.infer<typeof countsSchema> {
  return countsSchema.parse(JSON.parse(stdout.trim().split("\n").at(-1) ?? ""));
}

const left = (title: string): Column => ({ title, width: 40 });
const right = (title: string): Column => ({ title, width: 20, align: "right" });

function printPreprocess(measured: readonly PreprocessMeasurement[], sizes: readonly number[]): void {
  const find = (side: Side, cores: number, images: number) =>
    measured.find((one) => one.side === side && one.cores === cores && one.images === images);
  const columns = [
    ...["CORES", "IMAGES", "SIDE"].map(left),
    ...["SECONDS", "START S", "IMAGES/S", "OURS/PEER", "CPU MS/IMAGE", ...KINDS.map((kind) => `${kind} MiB`)].map(
      right,
    ),
  ];
  const rows = measured.map(
    ({ side, cores, images, seconds, startSeconds, imagesPerSecond, cpuMsPerImage, peakMiB }) => {
      const other = side === "ours" ? undefined : find("ours", cores, images);
      return [
        ...[`local[${cores}]`, String(images), side],
        ...[seconds.toFixed(1), startSeconds.toFixed(1), imagesPerSecond.toFixed(0)],
        other ? (other.imagesPerSecond / imagesPerSecond).toFixed(2) : "",
        cpuMsPerImage.toFixed(2),
        ...KINDS.map((kind) => peakMiB[kind]?.toFixed(0) ?? ""),
      ];
    },
  );
  print(table(columns, rows));
  const [one = 1, two = 2] = CORES;
  for (const images of sizes) {
    const ratios = SIDES.map((side) => {
      const [a, b] = [find(side, one, images), find(side, two, images)];
      return `${side} ${a && b ? (b.imagesPerSecond / a.imagesPerSecond).toFixed(2) : "-"}`;
    });
    print(`local[${two}] / local[${one}] with ${images} images: ${ratios.join(", ")}`);
  }
  print("");
}

async function measureGrouping(seed: number): Promise<GroupingMeasurement[]> {
  const measurements: GroupingMeasurement[] = [];
  for (const images of GROUPING_SIZES) {
    const args = [join(__dirname, "grouping-once.js"), String(images), String(seed)];
    const { stdout } = await measureTree(process.execPath, args, { cores: chooseCores(1) });
    const measurement = JSON.parse(stdout) as GroupingMeasurement;
    say(`grouping ${images} images: ${measurement.seconds.toFixed(1)} s`);
    measurements.push(measurement);
  }
  return measurements;
}

function printGrouping(measured: readonly GroupingMeasurement[]): void {
  const rows = measured.map(({ images, groups, seconds, peakMiB }) => [
    ...[String(images), String(groups), seconds.toFixed(2)],
    ...[((1e6 * seconds) / images).toFixed(1), peakMiB.toFixed(0)],
  ]);
  print(table(["IMAGES GROUPED", "GROUPS", "SECONDS", "µS/IMAGE", "PEAK MiB"].map(right), rows));
  print("");
}

const sklearnSchema = z.object({
  images: z.number(),
  fits: z.array(z.object({ solver: z.string(), seconds: z.number(), cpuSeconds: z.number(), angles: anglesSchema })),
});

/** scikit-learn holds all images four times over, as floats: with more of them it is left out. */
const MOST_FOR_SKLEARN = 10_000;

/** @param wanted images, the workspace's listed again and again; each of them once without it */
async function measurePca(
  workspace: string,
  scratch: string,
  memory: string,
  wanted: number | "" | undefined,
): Promise<PcaMeasurement[]> {
  const curated = join(workspace, "curated");
  const out = emptyWorkspace(join(scratch, "pca"), curated);
  const listing = join(scratch, "pca.ndjson");
  const images = await curatedImages(workspace);
  const listed = wanted || images.length;
  writeListing(listing, images, listed);
  const where = { cores: chooseCores(Math.max(...CORES)), memory };
  await runOurs("preprocess", ["--out", out, "--listing", listing], where);

  const ours = await runOurs("pca", ["--out", out, "--components", String(COMPONENTS)], where);
  say(`PCA on Spark: ${ours.seconds.toFixed(1)} s`);
  const step = await measureTree(
    process.execPath,
    [CLI, "features", "--out", out, "--components", String(COMPONENTS), "--seed", "0"],
    { cores: where.cores },
  );
  say(`features, in one process: ${step.seconds.toFixed(1)} s`);
  const total = (peaks: TreeMeasurement["peakMiB"]) => Object.values(peaks).reduce((sum, peak) => sum + peak, 0);
  const own = (
    [
      ["Spark MLlib, fit and scores", ours],
      ["features, fit and scores", step],
    ] as const
  ).map(([what, { seconds, cpuSeconds, peakMiB }]) => ({ what, seconds, cpuSeconds, peakMiB: total(peakMiB) }));
  if (listed > MOST_FOR_SKLEARN) {
    const fitted = fittedImages(join(out, "models", "features"));
    return own.map((one) => ({ ...one, images: fitted }));
  }
  const args = ["--processed", join(out, "processed", RECIPE.id), "--artifacts", join(out, "models", "features")];
  const peer = await runPython(
    "sklearn_pca.py",
    [...args, "--components", String(COMPONENTS), "--seed", "0"],
    where.cores,
  );
  const { images: fitted, fits } = sklearnSchema.parse(JSON.parse(peer.stdout));
  const fitTotal = fits.reduce((sum, { seconds }) => sum + seconds, 0);
  const fitCpu = fits.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0);
  return [
    ...own.map((one) => ({ ...one, images: fitted })),
    ...fits.map(({ solver, seconds, cpuSeconds, angles }) => ({
      what: `scikit-learn, ${solver}`,
      images: fitted,
      // Both solvers run in one process: what it takes beside them belongs to each.
      seconds: peer.seconds - fitTotal + seconds,
      cpuSeconds: peer.cpuSeconds - fitCpu + cpuSeconds,
      fitSeconds: seconds,
      angles,
      peakMiB: total(peer.peakMiB),
    })),
  ];
}

/** Training images of the fits below a folder: all are fitted to the same. */
function fittedImages(folder: string): number {
  const [id] = readdirSync(folder);
  const text = readFileSync(join(folder, String(id), "metadata.json"), "utf8");
  return z.object({ fitted: z.object({ images: z.int() }) }).parse(JSON.parse(text)).fitted.images;
}

function printPca(measured: readonly PcaMeasurement[]): void {
  const rows = measured.map(({ what, images, seconds, cpuSeconds, fitSeconds, angles, peakMiB }) => [
    ...[what, String(images), seconds.toFixed(1), cpuSeconds.toFixed(1), fitSeconds?.toFixed(1) ?? ""],
    ...[angles?.arpack.toFixed(4) ?? "", angles?.randomized.toFixed(4) ?? "", peakMiB.toFixed(0)],
  ]);
  const columns = [
    ...["TRAINING IMAGES", "SECONDS", "CPU SECONDS", "FIT SECONDS"],
    ...["TO SPARK °", "TO FEATURES °", "PEAK MiB"],
  ].map(right);
  print(table([left("PCA"), ...columns], rows));
  print("");
}

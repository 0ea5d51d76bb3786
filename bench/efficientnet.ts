import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { z } from "zod";
import { RECIPE } from "../runtime/imaging";
import { print } from "../tools/command";
import { type Column, table } from "../tools/table";
import { machineName, say } from "./command-line";
import type { BenchOptions } from "./main";
import { chooseCores, measureTree } from "./process-tree";
import { CLI, PEERS, ROOT } from "./runs";
import { ingestInto } from "./spark-workspace";

const CORES = 2;
const PYTHON = join(ROOT, ".parts", "efficientnet-peer", "bin", "python");

const rate = z.number().nullable();
const peerSchema = z.object({
  images: z.number(),
  parameters: z.number(),
  threshold: z.number(),
  epochs: z.array(z.object({ seconds: z.number(), cpuSeconds: z.number(), auc: rate })).min(1),
  results: z.record(
    z.string(),
    z.object({
      images: z.number(),
      cancer: z.number(),
      auc: rate,
      sensitivity: rate,
      specificity: rate,
      accuracy: rate,
    }),
  ),
});

const metric = z.object({ value: z.number().nullable() });
const summarySchema = z.object({
  model: z.object({ id: z.string(), parameters: z.number() }),
  test: z.object({ n: z.number(), auc: metric, recall: metric, specificity: metric, accuracy: metric }),
});

/** One side of the comparison, on the test split of the workspace. */
interface Side {
  readonly name: string;
  readonly parameters: number;
  readonly images: number;
  readonly auc: number | null;
  readonly sensitivity: number | null;
  readonly specificity: number | null;
  readonly accuracy: number | null;
  /** Of the whole training. */
  readonly seconds: number;
  readonly cpuSeconds: number;
}

/**
 * What is served beside what anybody would pick, a fine-tuned EfficientNet-Lite0: the same training split, the same test
 * split, each at its own threshold; ours without a teacher and with one. Ours refers and refuses nothing here: every image
 * of the split is counted.
 */
export async function benchEfficientNet(options: BenchOptions): Promise<void> {
  const cores = chooseCores(CORES);
  const seed = String(Number(options.seed ?? 0));
  const scratch = mkdtempSync(join(tmpdir(), "brain-tumor-bench-"));
  try {
    say("setting up PyTorch, the backbone and native TensorFlow");
    for (const script of ["setup-efficientnet-peer.js", "setup-backbone.js", "setup-tensorflow.js"])
      await measureTree(process.execPath, [join(ROOT, "scripts", script)]);
    const workspace = options.workspace ? resolve(options.workspace) : join(scratch, "workspace");
    if (!options.workspace) {
      say(options.data ? `processing ${options.data}` : "drawing and processing phantoms");
      await ingestInto(workspace, options.data && resolve(options.data), Number(seed));
      await measureTree(process.execPath, [CLI, "preprocess", "--out", workspace]);
    }

    const manifest = options.data && join(resolve(options.data), "manifest.csv");
    const script = [
      join(PEERS, "efficientnet_lite0.py"),
      "--processed",
      join(workspace, "processed", RECIPE.id),
      "--seed",
      seed,
    ];
    const named = manifest && existsSync(manifest) ? ["--manifest", manifest] : [];
    say("fine-tuning the peer: ten epochs of the whole training split");
    const threads = { ...process.env, OMP_NUM_THREADS: String(CORES) };
    const { stdout } = await measureTree(PYTHON, [...script, ...named, "--threads", String(CORES)], {
      cores,
      env: threads,
    });
    const peer = peerSchema.parse(JSON.parse(stdout.trim().split("\n").at(-1) ?? ""));
    const sides: Side[] = [sideOfPeer(peer)];
    for (const teacher of [false, true]) {
      say(teacher ? "training ours with a teacher" : "training ours");
      sides.push(await ours(workspace, seed, options.epochs, teacher, cores));
    }

    printSides(sides);
    const machine = `${CORES} of ${machineName()}`;
    print(machine);
    if (options.json) writeFileSync(options.json, `${JSON.stringify({ machine, sides, peer }, null, 2)}\n`);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function sideOfPeer({ parameters, epochs, results }: z.infer<typeof peerSchema>): Side {
  const total = (of: "seconds" | "cpuSeconds") => epochs.reduce((sum, epoch) => sum + epoch[of], 0);
  const test = results.test as (typeof results)[string];
  return {
    name: "EfficientNet-Lite0",
    parameters,
    ...test,
    seconds: total("seconds"),
    cpuSeconds: total("cpuSeconds"),
  };
}

/** A whole `npm run train`, its evaluation included. */
async function ours(
  workspace: string,
  seed: string,
  epochs: string | undefined,
  teacher: boolean,
  cores: readonly number[],
): Promise<Side> {
  const args = ["--out", workspace, "--seed", seed, "--backend", "tfjs-node", ...(epochs ? ["--epochs", epochs] : [])];
  const backbone = join(ROOT, ".parts", "backbones", "efficientnet-lite0");
  const { seconds, cpuSeconds } = await measureTree(
    process.execPath,
    [CLI, "train", ...args, ...(teacher ? ["--teacher", backbone] : [])],
    { cores, env: { ...process.env, LOG_LEVEL: "warn" } },
  );
  const summary = summarySchema.parse(JSON.parse(readFileSync(join(workspace, "summary.json"), "utf8")));
  const { n, auc, recall, specificity, accuracy } = summary.test;
  return {
    name: `ours, ${summary.model.id}${teacher ? ", with a teacher" : ""}`,
    ...{ parameters: summary.model.parameters, images: n, auc: auc.value, sensitivity: recall.value },
    ...{ specificity: specificity.value, accuracy: accuracy.value, seconds, cpuSeconds },
  };
}

function printSides(sides: readonly Side[]): void {
  const shown = (value: number | null) => (value === null ? "" : value.toFixed(4));
  const rows = sides.map(
    ({ name, parameters, images, auc, sensitivity, specificity, accuracy, seconds, cpuSeconds }) => [
      ...[name, String(parameters), String(images)],
      ...[auc, sensitivity, specificity, accuracy].map(shown),
      ...[seconds, cpuSeconds].map((value) => value.toFixed(0)),
    ],
  );
  const right = (title: string): Column => ({ title, width: 14, align: "right" });
  const titles = [
    "PARAMETERS",
    "TEST IMAGES",
    "AUC",
    "SENSITIVITY",
    "SPECIFICITY",
    "ACCURACY",
    "SECONDS",
    "CPU SECONDS",
  ];
  print(table([{ title: "SIDE", width: 40 }, ...titles.map(right)], rows));
}

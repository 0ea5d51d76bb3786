import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { z } from "zod";
import { RECIPE } from "../runtime/imaging";
import { STAGES } from "../runtime/train/architecture";
import { EPSILON } from "../runtime/train/gradients/batch-norm";
import { print } from "../tools/command";
import { type Column, table } from "../tools/table";
import { machineName, partsOf, say, wholeNumberOf } from "./command-line";
import type { BenchOptions } from "./main";
import { chooseCores, measureTree } from "./process-tree";
import { CLI, PEERS, ROOT } from "./runs";
import { ingestInto } from "./spark-workspace";

const PARTS = ["accuracy", "step"] as const;
const BACKENDS = ["tfjs-node", "wasm"] as const;
const CORES = 2;
const PEER_EPOCHS = 10;
/** The product's own schedule is longer; what is measured is how soon it is as good as the peer. */
const DEFAULT_EPOCHS = 6;
const STEPS = 20;
const BATCH = 32;
const PYTHON = join(ROOT, ".parts", "tensorflow", "bin", "python");

const epochSchema = z.object({
  /** Of training alone. */
  seconds: z.number(),
  /** Processor time of all threads; depends less than seconds on what else is running. */
  cpuSeconds: z.number(),
  /** Of the validation images after the epoch. */
  auc: z.number(),
});
const trainingSchema = z.object({ images: z.number(), parameters: z.number(), epochs: z.array(epochSchema).min(1) });
export type TrainingMeasurement = z.infer<typeof trainingSchema>;

const stepSchema = z.object({
  network: z.string(),
  parameters: z.number(),
  milliseconds: z.number(),
  cpuMilliseconds: z.number(),
});
/** What one training step takes. */
export type StepMeasurement = z.infer<typeof stepSchema>;

interface Results {
  machine: string;
  accuracy?: Record<string, TrainingMeasurement>;
  step?: Record<string, StepMeasurement[]>;
}

/** How soon training is as accurate as the tutorials' CNN in Keras, and how quick a step is, on the same cores. */
export async function benchTrain(options: BenchOptions): Promise<void> {
  const parts = partsOf(options.parts, PARTS);
  const epochs = wholeNumberOf("--epochs", options.epochs, DEFAULT_EPOCHS);
  const cores = chooseCores(CORES);
  const machine = `${CORES} of ${machineName()}`;
  const results: Results = { machine };
  const scratch = mkdtempSync(join(tmpdir(), "brain-tumor-bench-"));
  try {
    say("setting up native TensorFlow and Keras");
    await measureTree(process.execPath, [join(ROOT, "scripts", "setup-tensorflow.js"), "--keras"]);
    if (parts.includes("accuracy")) {
      const workspace = options.workspace ? resolve(options.workspace) : join(scratch, "workspace");
      if (!options.workspace) {
        say(options.data ? `processing ${options.data}` : "drawing and processing phantoms");
        await ingestInto(workspace, options.data && resolve(options.data), Number(options.seed ?? 0));
        await measureTree(process.execPath, [CLI, "preprocess", "--out", workspace]);
      }
      results.accuracy = await measureAccuracy(workspace, epochs, Number(options.seed ?? 0), cores);
      printAccuracy(results.accuracy);
    }
    if (parts.includes("step")) {
      results.step = await measureSteps(cores);
      printSteps(results.step);
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  print(machine);
  if (options.json) writeFileSync(options.json, `${JSON.stringify(results, null, 2)}\n`);
}

/** Runs a program on some cores and reads the JSON that it prints last. */
async function answer<T>(schema: z.ZodType<T>, command: readonly string[], cores: readonly number[]): Promise<T> {
  const env = { ...process.env, KERAS_BACKEND: "tensorflow", TF_CPP_MIN_LOG_LEVEL: "2" };
  const { stdout } = await measureTree(command[0] as string, command.slice(1), { cores, env });
  return schema.parse(JSON.parse(stdout.trim().split("\n").at(-1) ?? ""));
}

async function measureAccuracy(
  workspace: string,
  epochs: number,
  seed: number,
  cores: readonly number[],
): Promise<Record<string, TrainingMeasurement>> {
  const results: Record<string, TrainingMeasurement> = {};
  const note = (side: string, { images, epochs: done }: TrainingMeasurement) => {
    const seconds = total(done, "seconds");
    say(
      `${side}: ${done.length} epochs in ${seconds.toFixed(0)} s, ${((images * done.length) / seconds).toFixed(0)} images/s`,
    );
  };
  const peer = [PYTHON, join(PEERS, "keras_tutorial_cnn.py"), "--processed", join(workspace, "processed", RECIPE.id)];
  results.peer = await answer(
    trainingSchema,
    [...peer, "--epochs", String(PEER_EPOCHS), "--seed", String(seed)],
    cores,
  );
  note("peer", results.peer);
  for (const backend of BACKENDS) {
    const ours = [process.execPath, join(__dirname, "train-once.js"), workspace, backend, String(epochs), String(seed)];
    const measured = await answer(trainingSchema, ours, cores);
    results[backend] = measured;
    note(backend, measured);
  }
  return results;
}

type Spent = "seconds" | "cpuSeconds";

const total = (epochs: TrainingMeasurement["epochs"], of: Spent) => epochs.reduce((sum, epoch) => sum + epoch[of], 0);

/** What was spent until the first epoch that ends with an AUC; nothing if none does. */
function spentUntil(epochs: TrainingMeasurement["epochs"], auc: number, of: Spent): number | undefined {
  const reached = epochs.findIndex((epoch) => epoch.auc >= auc);
  return reached < 0 ? undefined : total(epochs.slice(0, reached + 1), of);
}

const left = (title: string): Column => ({ title, width: 40 });
const right = (title: string): Column => ({ title, width: 24, align: "right" });
const ratio = (value: number | undefined, of: number) => (value === undefined ? "never" : (value / of).toFixed(2));

function printAccuracy(results: Readonly<Record<string, TrainingMeasurement>>): void {
  const peer = results.peer as TrainingMeasurement;
  const rows = Object.entries(results).flatMap(([side, { epochs }]) =>
    epochs.map(({ auc }, i) => {
      const done = epochs.slice(0, i + 1);
      const spent = [total(done, "seconds"), total(done, "cpuSeconds")];
      return [side, String(i + 1), ...spent.map((seconds) => seconds.toFixed(1)), auc.toFixed(4)];
    }),
  );
  print(table([left("SIDE"), ...["EPOCH", "SECONDS", "CPU SECONDS", "VALIDATION AUC"].map(right)], rows));
  print("");
  const summary = Object.entries(results).map(([side, { images, parameters, epochs }]) => [
    side,
    String(parameters),
    ((images * epochs.length) / total(epochs, "seconds")).toFixed(0),
    ...(side === "peer" ? [] : compare(epochs, peer.epochs)),
  ]);
  const titles = ["TO LAST AUC", "CPU TO LAST AUC", "TO BEST AUC", "CPU TO BEST AUC"];
  print(table([left("SIDE"), ...["PARAMETERS", "IMAGES/S", ...titles].map(right)], summary));
  const { last, best } = targets(peer.epochs);
  print(`the peer ends at ${last.toFixed(4)}; its best epoch had ${best.toFixed(4)}`);
  print("");
}

/** Validation AUC of the last and of the best epoch. */
function targets(epochs: TrainingMeasurement["epochs"]): { readonly last: number; readonly best: number } {
  return { last: epochs.at(-1)?.auc as number, best: Math.max(...epochs.map(({ auc }) => auc)) };
}

/** Ours up to an AUC of the peer's, over the peer's whole training for its last one, and over its way there for its best one. */
function compare(ours: TrainingMeasurement["epochs"], peer: TrainingMeasurement["epochs"]): string[] {
  const { last, best } = targets(peer);
  const spent = ["seconds", "cpuSeconds"] as const;
  return [
    ...spent.map((of) => ratio(spentUntil(ours, last, of), total(peer, of))),
    ...spent.map((of) => ratio(spentUntil(ours, best, of), spentUntil(peer, best, of) as number)),
  ];
}

async function measureSteps(cores: readonly number[]): Promise<Record<string, StepMeasurement[]>> {
  const list = z.array(stepSchema);
  const script = [PYTHON, join(PEERS, "keras_step.py"), "--stages", JSON.stringify(STAGES)];
  const peer = await answer(list, [...script, "--epsilon", String(EPSILON), "--steps", String(STEPS)], cores);
  const ours = [process.execPath, join(__dirname, "train-step-once.js")];
  const native = await answer(list, [...ours, "native", String(STEPS)], cores);
  const wasm = await answer(list, [...ours, "wasm", String(STEPS)], cores);
  return { peer, "tfjs-node": native, wasm };
}

function printSteps(results: Readonly<Record<string, StepMeasurement[]>>): void {
  const rows = Object.entries(results).flatMap(([side, steps]) =>
    steps.map(({ network, parameters, milliseconds, cpuMilliseconds }) => {
      const peer = side === "peer" ? undefined : results.peer?.find((one) => one.network === network);
      return [
        ...[network, side, String(parameters), milliseconds.toFixed(1), cpuMilliseconds.toFixed(1)],
        ((1000 * BATCH) / milliseconds).toFixed(0),
        ((1000 * BATCH) / cpuMilliseconds).toFixed(0),
        ...(peer ? [ratio(milliseconds, peer.milliseconds), ratio(cpuMilliseconds, peer.cpuMilliseconds)] : ["", ""]),
      ];
    }),
  );
  const columns = ["PARAMETERS", "STEP MS", "CPU MS", "IMAGES/S", "IMAGES/CPU S", "STEP / KERAS", "CPU / KERAS"].map(
    right,
  );
  print(table([left("NETWORK"), left("SIDE"), ...columns], rows));
  print("");
}

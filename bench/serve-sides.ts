import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { METADATA_FILE, type ModelMetadata, modelFilesInDirectory, readMetadata, viewsOf } from "../runtime/model";
import { ConfigurationError } from "../runtime/platform/config";
import { openWorkspace } from "../runtime/platform/workspace";
import { currentModel } from "../runtime/registry";
import { STAGES } from "../runtime/train/architecture";
import { EPSILON } from "../runtime/train/gradients/batch-norm";
import { endOf, ProcessTree } from "./process-tree";
import { CLI, PEERS, ROOT } from "./runs";

/** Those of bench/peers/serving_engines.py. */
export const PEER_ENGINES = ["keras-predict", "keras-function", "onnxruntime"] as const;
export const SIDES = ["ours", ...PEER_ENGINES] as const;
export type Side = (typeof SIDES)[number];

const PYTHON = join(ROOT, ".parts", "serving-peers", "bin", "python");
const START_SECONDS = 180;
const STOP_SECONDS = 20;
const LOOK_SECONDS = 5;
const SAID_KEPT = 4000;

/** What all sides answer with. */
export interface ServedModel {
  readonly workspace: string;
  readonly directory: string;
  readonly metadata: ModelMetadata;
}

/** The current model of a workspace. */
export async function modelOf(directory: string): Promise<ServedModel> {
  const workspace = await openWorkspace(directory);
  try {
    const current = await currentModel(workspace.buckets.models);
    if (!current)
      throw new ConfigurationError("--workspace", [`${directory} has no model yet: npm run train makes one.`]);
    const model = join(directory, "models", current.model);
    if (!existsSync(join(model, METADATA_FILE)))
      throw new ConfigurationError("--workspace", [`${model} has no ${METADATA_FILE}.`]);
    return { workspace: directory, directory: model, metadata: await readMetadata(modelFilesInDirectory(model)) };
  } finally {
    await workspace.close();
  }
}

/** One process, or several that share the load, with all that they started. */
export class Servers {
  private constructor(private readonly running: readonly Server[]) {}

  /** @param scratch a folder of their own */
  static async start(side: Side, model: ServedModel, cores: readonly number[], scratch: string): Promise<Servers> {
    const commands = side === "ours" ? [oursIn(scratch, model)] : cores.map(() => peerIn(scratch, side, model));
    const started = commands.map((command) => new Server(command, cores));
    try {
      await Promise.all(started.map((server) => server.ready()));
      return new Servers(started);
    } catch (error) {
      await Promise.all(started.map((server) => server.stop()));
      throw error;
    }
  }

  get urls(): string[] {
    return this.running.map(({ url }) => url);
  }

  /** Processor time from their start on. */
  get cpuSeconds(): number {
    return this.sum((tree) => tree.cpuSeconds);
  }

  get memoryMiB(): number {
    return this.sum((tree) => tree.memoryMiB);
  }

  async stop(): Promise<void> {
    await Promise.all(this.running.map((server) => server.stop()));
  }

  private sum(of: (tree: ProcessTree) => number): number {
    return this.running.reduce((total, { tree }) => {
      tree.look();
      return total + of(tree);
    }, 0);
  }
}

/** `npm run serve` without npm, on a copy of the models: what it keeps of the benchmark's scans leaves no trace. */
function oursIn(scratch: string, { workspace }: ServedModel): readonly string[] {
  const copy = join(scratch, "workspace");
  for (const part of ["workspace.json", "models", join(".store", "models")]) {
    const from = join(workspace, part);
    if (existsSync(from)) cpSync(from, join(copy, part), { recursive: true });
  }
  return [process.execPath, CLI, "serve", "--out", copy, "--port", "0"];
}

/** The peers read and write the same folder, so that it does not matter which of them is asked for an overlay. */
function peerIn(scratch: string, engine: Side, { directory, metadata }: ServedModel): readonly string[] {
  const { views, temperature = 1, offset = 0 } = metadata;
  mkdirSync(scratch, { recursive: true });
  const file = join(scratch, "configuration.json");
  const kept = join(scratch, "kept");
  const network = { model: directory, stages: STAGES, epsilon: EPSILON };
  writeFileSync(file, JSON.stringify({ engine, ...network, views: viewsOf(views), temperature, offset, kept }));
  return [PYTHON, join(PEERS, "serving.py"), "--configuration", file];
}

const ENVIRONMENT = {
  LOG_LEVEL: "warn",
  KERAS_BACKEND: "tensorflow",
  TF_CPP_MIN_LOG_LEVEL: "2",
  CUDA_VISIBLE_DEVICES: "",
  OMP_NUM_THREADS: "1",
  OPENBLAS_NUM_THREADS: "1",
} as const;

class Server {
  readonly tree: ProcessTree;
  private readonly child: ChildProcess;
  private readonly ended: Promise<void>;
  private said = "";
  private problem: string | undefined;
  private address: string | undefined;
  private readonly interrupt = () => this.child.kill("SIGTERM");

  constructor(command: readonly string[], cores: readonly number[]) {
    const env = { ...process.env, ...ENVIRONMENT };
    this.child = spawn("taskset", ["-c", cores.join(","), ...command], { env, stdio: ["ignore", "pipe", "pipe"] });
    this.tree = new ProcessTree(this.child.pid ?? -1);
    for (const stream of [this.child.stdout, this.child.stderr])
      stream?.setEncoding("utf8").on("data", (text: string) => this.hear(text));
    process.once("SIGINT", this.interrupt).once("SIGTERM", this.interrupt);
    this.ended = endOf(this.child).then(
      (code) => {
        this.problem ??= `it ended with ${code ?? "a signal"}`;
      },
      (error: Error) => {
        this.problem = error.message;
      },
    );
  }

  get url(): string {
    if (this.address === undefined) throw new Error("The server has no address yet.");
    return this.address;
  }

  /** @throws with what it said, if it ends before it is ready, or is not ready in time */
  async ready(): Promise<void> {
    for (const late = performance.now() + START_SECONDS * 1000; performance.now() < late; await setTimeout(100)) {
      if (this.problem !== undefined) break;
      if (this.address === undefined) continue;
      const signal = AbortSignal.timeout(LOOK_SECONDS * 1000);
      const answer = await fetch(new URL("/readyz", this.address), { signal }).catch(() => undefined);
      if (answer?.status === 200) return;
    }
    const problem = this.problem ?? `it was not ready within ${START_SECONDS} seconds`;
    throw new Error(`"${this.child.spawnargs.join(" ")}" does not serve: ${problem}.\n${this.said.trim()}`);
  }

  async stop(): Promise<void> {
    process.off("SIGINT", this.interrupt).off("SIGTERM", this.interrupt);
    this.child.kill("SIGTERM");
    const patience = new AbortController();
    const kill = setTimeout(STOP_SECONDS * 1000, undefined, { signal: patience.signal }).then(
      () => this.child.kill("SIGKILL"),
      () => false,
    );
    await this.ended;
    patience.abort();
    await kill;
  }

  private hear(text: string): void {
    this.said = (this.said + text).slice(-SAID_KEPT);
    this.address ??= /http:\/\/127\.0\.0\.1:\d+/.exec(this.said)?.[0];
  }
}

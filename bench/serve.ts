import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout } from "node:timers/promises";
import { z } from "zod";
import { ConfigurationError } from "../runtime/platform/config";
import { SERVE_DEFAULTS } from "../runtime/serve/contract";
import { print } from "../tools/command";
import { machineName, partsOf, say, wholeNumberOf } from "./command-line";
import { type LoadMeasurement, type LoadPlan, loadSchema, type ScanFolder } from "./load";
import type { BenchOptions } from "./main";
import { chooseCores, measureTree } from "./process-tree";
import { CLI, ROOT } from "./runs";
import {
  agreementOf,
  describeOverload,
  disagreement,
  type MemoryMeasurement,
  memoryOf,
  type OverloadMeasurement,
  type SideAnswer,
  type SideMeasurement,
  sidesTable,
} from "./serve-report";
import { writeScans } from "./serve-scans";
import { modelOf, type ServedModel, Servers, SIDES, type Side } from "./serve-sides";

const PARTS = ["peers", "memory", "overload"] as const;
type Part = (typeof PARTS)[number];
const CORES = 2;
const DEFAULT_SECONDS = 10;
const DEFAULT_LONG_SECONDS = 600;
/** Of the model that is trained where none is given: it answers as quickly as a good one. */
const DEFAULT_EPOCHS = 2;
/** The best load of a side is looked for among these; where it has several processes, each gets as many of them. */
const CONNECTIONS = [2, 4, 8] as const;
/** Of each of two connections: Node compiles what it has seen often. */
const WARM_UP_ANSWERS = 50;
const COMPARED_SCANS = 24;
/** So many that no server is sent a scan twice in a row of measurements: one that was kept costs a little less. */
const SCANS_A_SECOND = 200;
/** Their numbers have sixteen bits; 35 KB each, in the memory of what sends them. */
const MOST_SCANS = 4096;
const OVERLOAD = 10;
const RECOVERY_MS = 2000;
const SAMPLE_MS = 1000;
/** Seconds for one answer, above every deadline of a server; of the answers before a side is warm. */
const ANSWER_SECONDS = 60;
const WARM_UP_SECONDS = 60;
/** Times as long as is expected that a load may take, and this beside it, seconds, before it counts as hanging. */
const SLOWER = 10;
const LONGEST_START_AND_END = 120;

export interface ServeBenchOptions {
  readonly parts: readonly Part[];
  readonly seconds: number;
  readonly longSeconds: number;
  readonly epochs: number;
  readonly seed: number;
}

/** @throws {ConfigurationError} with everything that is wrong */
export function serveBenchOptions({
  parts,
  seconds,
  long,
  epochs,
  data,
  workspace,
  seed,
}: BenchOptions): ServeBenchOptions {
  const problems: string[] = [];
  const ask = <T>(value: () => T, otherwise: T): T => {
    try {
      return value();
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error;
      problems.push(...error.problems.map((problem) => `${error.subject}: ${problem}`));
      return otherwise;
    }
  };
  const number = (option: string, text: string | undefined, otherwise: number) =>
    ask(() => wholeNumberOf(option, text, otherwise), otherwise);
  const options = {
    parts: ask(() => partsOf(parts, PARTS), []),
    seconds: number("--seconds", seconds, DEFAULT_SECONDS),
    longSeconds: number("--long", long, DEFAULT_LONG_SECONDS),
    epochs: number("--epochs", epochs, DEFAULT_EPOCHS),
    seed: Number(seed ?? 0),
  };
  if (data !== undefined && workspace !== undefined) problems.push("--data and --workspace exclude each other.");
  if (problems.length > 0) throw new ConfigurationError("The benchmark", problems);
  return options;
}

/** What all sides say in the same words. */
const answerSchema = z.object({ probability: z.number(), overlay: z.string(), map: z.object({ path: z.string() }) });
const mapSchema = z.object({ values: z.array(z.number()) });

interface Results {
  machine: string;
  loadCores: readonly number[];
  model: string;
  sides?: SideMeasurement[];
  /** Ours without its overlays. */
  answersAlone?: { readonly answersPerSecond: number; readonly cpuMsPerAnswer: number };
  memory?: MemoryMeasurement;
  overload?: OverloadMeasurement;
}

/** What the server of answers costs beside what one would otherwise write in Python, on the same cores. */
export async function benchServe(given: BenchOptions): Promise<void> {
  const options = serveBenchOptions(given);
  const cores = chooseCores(CORES);
  const loadCores = availableParallelism() < 2 * CORES ? cores : chooseCores(2 * CORES).slice(0, CORES);
  const machine = `${CORES} of ${machineName()}`;
  const scratch = mkdtempSync(join(tmpdir(), "brain-tumor-bench-"));
  try {
    if (options.parts.includes("peers")) {
      say("setting up the peers");
      await measureTree(process.execPath, [join(ROOT, "scripts", "setup-serving-peers.js")]);
    }
    const model = await provideModel(given, options, scratch);
    say("writing scans");
    const own = given.workspace ?? given.data;
    const count = Math.min(MOST_SCANS, SCANS_A_SECOND * options.seconds);
    const scans = await writeScans(join(scratch, "scans"), options.seed, count, own && model.workspace);
    const results: Results = { machine, loadCores, model: model.metadata.id };
    const bench = new ServeBench(model, cores, loadCores, scans, scratch, options);
    if (options.parts.includes("peers")) {
      const { sides, answersAlone } = await bench.sides();
      Object.assign(results, { sides, answersAlone });
      print(sidesTable(sides));
      print(
        `ours without overlays: ${answersAlone.answersPerSecond.toFixed(1)} answers/s, ${answersAlone.cpuMsPerAnswer.toFixed(1)} processor ms each`,
      );
    }
    if (options.parts.includes("memory")) {
      const memory = await bench.memory();
      results.memory = memory;
      print(
        `memory of ours over ${memory.seconds.toFixed(0)} s and ${memory.answers} answers: ${memory.begin.toFixed(0)} MiB at the beginning, ${memory.end.toFixed(0)} at the end, ${memory.most.toFixed(0)} at most`,
      );
    }
    if (options.parts.includes("overload")) {
      results.overload = await bench.overload();
      print(describeOverload(results.overload));
    }
    const shared = loadCores === cores ? "the same, which it shares with them" : loadCores.join(" and ");
    print(`${machine}; servers on cores ${cores.join(" and ")}, load from ${shared}; model ${results.model}`);
    if (given.json) writeFileSync(given.json, `${JSON.stringify(results, null, 2)}\n`);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

const ask = (path: string, url: string, init: RequestInit = {}) =>
  fetch(new URL(path, url), { ...init, signal: AbortSignal.timeout(ANSWER_SECONDS * 1000) });

/** That of a workspace, or one that is trained for this, briefly. */
async function provideModel(
  { workspace, data }: BenchOptions,
  { epochs, seed }: ServeBenchOptions,
  scratch: string,
): Promise<ServedModel> {
  if (workspace !== undefined) return modelOf(resolve(workspace));
  const directory = join(scratch, "trained");
  say(`training a model for ${epochs} epochs on ${data ?? "phantoms"}`);
  const what = [
    "--out",
    directory,
    "--epochs",
    String(epochs),
    ...(data === undefined ? ["--seed", String(seed)] : []),
  ];
  const from = data === undefined ? [] : ["--data", resolve(data)];
  await measureTree(process.execPath, [CLI, "demo", "--no-serve", ...what, ...from]);
  return modelOf(directory);
}

/** A load that a side was under. */
interface Loaded {
  readonly load: LoadMeasurement;
  readonly connections: number;
  readonly answersPerSecond: number;
  readonly cpuMsPerAnswer: number;
}

class ServeBench {
  private runs = 0;
  private used = 0;

  constructor(
    private readonly model: ServedModel,
    private readonly cores: readonly number[],
    private readonly loadCores: readonly number[],
    private readonly scans: ScanFolder,
    private readonly scratch: string,
    private readonly options: ServeBenchOptions,
  ) {}

  /** Each side in turn: ours first, so that every peer is compared with it before it is measured. */
  async sides(): Promise<{ sides: SideMeasurement[]; answersAlone: NonNullable<Results["answersAlone"]> }> {
    const sides: SideMeasurement[] = [];
    let ours: readonly SideAnswer[] = [];
    let answersAlone: Loaded | undefined;
    for (const side of SIDES) {
      say(`${side}: starting`);
      await this.serving(side, async (servers) => {
        const answers = await this.ask(side, servers);
        if (side === "ours") ours = answers;
        const agreement = side === "ours" ? undefined : agreementOf(ours, answers);
        const problem = side !== "ours" && agreement && disagreement(side, agreement);
        if (problem) throw new Error(problem);
        const { connections, answersPerSecond, cpuMsPerAnswer } = await this.best(servers, true);
        const half = await this.load(servers, true, { rate: answersPerSecond / 2, seconds: this.options.seconds }, {});
        const { memoryMiB } = servers;
        const measured = { side, connections, answersPerSecond, cpuMsPerAnswer, half, memoryMiB };
        sides.push({ ...measured, ...(agreement ? { agreement } : {}) });
        if (side === "ours") answersAlone = await this.closed(servers, false, connections, 2 * answersPerSecond);
        say(`${side}: ${answersPerSecond.toFixed(1)} answers/s, ${cpuMsPerAnswer.toFixed(1)} processor ms each`);
      });
    }
    const { answersPerSecond, cpuMsPerAnswer } = answersAlone as Loaded;
    return { sides, answersAlone: { answersPerSecond, cpuMsPerAnswer } };
  }

  /** Ours at its best load, for longer. */
  async memory(): Promise<MemoryMeasurement> {
    return this.serving("ours", async (servers) => {
      say(`memory: ${this.options.longSeconds} s`);
      const { connections, answersPerSecond } = await this.best(servers, true);
      const samples = [servers.memoryMiB];
      const timer = setInterval(() => samples.push(servers.memoryMiB), SAMPLE_MS);
      const answers = Math.ceil((answersPerSecond * this.options.longSeconds) / connections);
      const load = await this.load(
        servers,
        true,
        { connections, answers },
        { seconds: this.options.longSeconds },
      ).finally(() => clearInterval(timer));
      return { seconds: load.seconds, answers: load.answers, ...memoryOf(samples) };
    });
  }

  /** Ours, asked for more than it can give. Answers alone: who is sent away asks for no overlay. */
  async overload(): Promise<OverloadMeasurement> {
    return this.serving("ours", async (servers) => {
      say("overload");
      const best = await this.best(servers, false);
      const how = { rate: OVERLOAD * best.answersPerSecond, seconds: this.options.seconds };
      const load = await this.load(servers, false, how, { mayFail: true });
      await setTimeout(RECOVERY_MS);
      const after = await this.closed(servers, false, best.connections, best.answersPerSecond);
      return {
        times: OVERLOAD,
        load,
        goodput: load.answers / load.seconds / best.answersPerSecond,
        longest: load.answered?.longest ?? 0,
        deadline: 1000 * SERVE_DEFAULTS.deadlineSeconds,
        after: after.answersPerSecond / best.answersPerSecond,
      };
    });
  }

  private async serving<T>(side: Side, work: (servers: Servers) => Promise<T>): Promise<T> {
    const folder = join(this.scratch, `run-${this.runs++}`);
    const servers = await Servers.start(side, this.model, this.cores, folder);
    try {
      return await work(servers);
    } finally {
      await servers.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  }

  /** What a side says of some scans, one after the other. */
  private async ask(side: Side, { urls }: Servers): Promise<SideAnswer[]> {
    const { folder } = this.scans;
    const answers: SideAnswer[] = [];
    for (let i = 0; i < COMPARED_SCANS; i++) {
      const url = urls[i % urls.length] as string;
      const scan = readFileSync(join(folder, `${i}.png`));
      const given = await ask("/v1/predictions", url, { method: "POST", body: scan });
      const text = await given.text();
      if (given.status !== 200) throw new Error(`${side} gave no answer for scan ${i}: ${given.status} ${text}`);
      const { probability, overlay, map } = answerSchema.parse(JSON.parse(text));
      const drawn = await ask(overlay, url);
      await drawn.arrayBuffer();
      if (drawn.headers.get("content-type") !== "image/png")
        throw new Error(`${side} gave no overlay for scan ${i}: ${drawn.status}`);
      const { values } = mapSchema.parse(await (await ask(map.path, url)).json());
      answers.push({ probability, map: values });
    }
    this.used = Math.max(this.used, COMPARED_SCANS);
    return answers;
  }

  /** The most answers a second that are got out of a side, once it is warm. */
  private async best(servers: Servers, overlay: boolean): Promise<Loaded> {
    const warmUp = { connections: CORES, answers: WARM_UP_ANSWERS };
    const { answers, seconds } = await this.load(servers, overlay, warmUp, { seconds: WARM_UP_SECONDS });
    let best: Loaded | undefined;
    for (const connections of CONNECTIONS) {
      const loaded = await this.closed(servers, overlay, connections, best?.answersPerSecond ?? answers / seconds);
      if (!best || loaded.answersPerSecond > best.answersPerSecond) best = loaded;
    }
    return best as Loaded;
  }

  /** @param expected answers a second, from which follows how many take as long as is wanted */
  private async closed(servers: Servers, overlay: boolean, connections: number, expected: number): Promise<Loaded> {
    const answers = Math.max(1, Math.ceil((expected * this.options.seconds) / connections));
    const before = servers.cpuSeconds;
    const load = await this.load(servers, overlay, { connections, answers }, {});
    return {
      load,
      connections,
      answersPerSecond: load.answers / load.seconds,
      cpuMsPerAnswer: (1000 * (servers.cpuSeconds - before)) / load.answers,
    };
  }

  /** @param expected how long it should take, seconds, and whether the server may send somebody away */
  private async load(
    { urls }: Servers,
    overlay: boolean,
    how: LoadPlan["how"],
    { seconds = this.options.seconds, mayFail = false }: { readonly seconds?: number; readonly mayFail?: boolean },
  ): Promise<LoadMeasurement> {
    const plan: LoadPlan = { urls, scans: { ...this.scans, from: this.used }, overlay, how };
    const args = [join(__dirname, "load-once.js"), JSON.stringify(plan)];
    const patience = SLOWER * seconds + LONGEST_START_AND_END;
    const { stdout } = await measureTree(process.execPath, args, { cores: this.loadCores, patience });
    const load = loadSchema.parse(JSON.parse(stdout));
    this.used = (this.used + load.answers + load.refused + load.failed) % this.scans.count;
    if (!mayFail && (load.failed > 0 || load.refused > 0))
      throw new Error(
        `Of ${load.answers + load.refused + load.failed} requests ${load.refused} were sent away and ${load.failed} failed. ${load.failure ?? ""}`,
      );
    return load;
  }
}

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { z } from "zod";
import { featuresContract } from "../features/contract";
import { monitorContract } from "../monitor/contract";
import { ConfigurationError } from "../platform/config";
import { bucketEnvironment, type RuntimeContract } from "../platform/contract";
import { type SparkSubmission, sparkSubmission } from "../platform/spark-submission";
import type { StepContext, StepOutcome } from "../platform/step";
import { workerFile } from "../platform/worker-file";
import { checkListing } from "../preprocess";
import { preprocessContract } from "../preprocess/contract";
import { scoreContract } from "../score/contract";
import { runStep } from "./command-line";

/** What runs on Spark: the capability whose contract names the driver, and the line of the summary it counts for. */
export const SPARK_STEPS = {
  preprocess: { contract: preprocessContract, summary: "preprocess", computesInJava: false },
  pca: { contract: featuresContract, summary: "features", computesInJava: true },
  deep: { contract: featuresContract, summary: "features-deep", computesInJava: false },
  score: { contract: scoreContract, summary: "score", computesInJava: false },
  monitor: { contract: monitorContract, summary: "monitor", computesInJava: false },
} as const satisfies Record<
  string,
  { readonly contract: RuntimeContract; readonly summary: string; readonly computesInJava: boolean }
>;
export type SparkStep = keyof typeof SPARK_STEPS;

export interface SparkOptions {
  /** Workspace. */
  readonly out: string;
  readonly seed?: number;
  /** Spark's master. */
  readonly master: string;
  /** Memory of the JVM that is driver and executor in one here, as Java writes it. */
  readonly memory: string;
  /** What the driver is told beside what the contract says. */
  readonly extra?: readonly string[];
  /** Variables of the contract that are no bucket's. */
  readonly environment?: Readonly<Record<string, string>>;
}

const ROOT = resolve(__dirname, existsSync(join(__dirname, "../../spark/preprocess.py")) ? "../.." : "../../..");
const PYTHON = join(ROOT, ".parts", "spark", "bin", "python");
/** How often a task is tried: a killed Python worker takes its task along. */
const ATTEMPTS = 4;

/** Of a JVM that only hands work on: its second compiler and parallel collector cost more here than they bring. */
const LIGHT_JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC";

/** Runs one step with Spark on this machine, over a workspace. */
export async function runSparkStep(step: SparkStep, options: SparkOptions): Promise<void> {
  await setUp();
  await runStep(SPARK_STEPS[step].summary, options, (context) => submit(step, options, context));
}

/**
 * The absolute path of a listing that can be used: what is wrong with it is said before Spark starts.
 * @throws {ConfigurationError}
 */
export async function checkedListing(path: string): Promise<string> {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    throw new ConfigurationError("The listing", [`--listing ${path} cannot be read (${error.code}).`]);
  });
  checkListing(text, path);
  return resolve(path);
}

/** What is submitted for a step over a workspace. */
export function localSubmission(
  step: SparkStep,
  buckets: StepContext["workspace"]["buckets"],
  environment: Readonly<Record<string, string>> = {},
): SparkSubmission {
  const { contract } = SPARK_STEPS[step];
  const [folder, file] = [join(ROOT, contract.entry, ".."), contract.entry.replace(/^.*\/(.*)\.ts$/, "$1")];
  return sparkSubmission(contract, step, {
    environment: {
      ...bucketEnvironment(contract, buckets),
      LOG_LEVEL: process.env.LOG_LEVEL ?? "info",
      ...environment,
    },
    node: process.execPath,
    runtime: workerFile(folder, file),
  });
}

const resultSchema = z.object({
  items: z.number(),
  skipped: z.number(),
  rejected: z.number(),
  notes: z.array(z.string()).default([]),
});

async function submit(step: SparkStep, options: SparkOptions, context: StepContext): Promise<StepOutcome> {
  const { signal, workspace } = context;
  const { file, told, env } = sparkCommand(localSubmission(step, workspace.buckets, options.environment), {
    ...options,
    java: SPARK_STEPS[step].computesInJava ? "" : LIGHT_JAVA,
  });
  const child = spawn(file, told, { stdio: ["ignore", "pipe", "inherit"], env });
  const ended = new Promise<number | null>((settle, fail) => {
    child.once("error", fail);
    child.once("close", settle);
  });
  const stop = () => child.kill("SIGTERM");
  signal.addEventListener("abort", stop);
  try {
    let result = "";
    for await (const line of createInterface({ input: child.stdout })) {
      if (line.startsWith("{")) result = line;
      else process.stderr.write(`${line}\n`);
    }
    const code = await ended;
    signal.throwIfAborted();
    if (code !== 0)
      throw new Error(`The step ${step} failed in Spark (${code ?? "a signal"}); the reason stands above.`);
    return resultSchema.parse(JSON.parse(result)) as StepOutcome;
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/**
 * The command that runs a driver with a Spark on this machine. Of what it writes to its output, the line that begins with a
 * brace is the step's result.
 */
export function sparkCommand(
  { driver, modules, arguments: told }: SparkSubmission,
  {
    master,
    memory,
    extra = [],
    java = "",
  }: Pick<SparkOptions, "master" | "memory" | "extra"> & {
    /** Options of the JVM. */
    readonly java?: string;
  },
): { readonly file: string; readonly told: readonly string[]; readonly env: NodeJS.ProcessEnv } {
  const settings = {
    ...localSettings(memory),
    ...(java === "" ? {} : { "spark.driver.extraJavaOptions": java }),
  };
  // Not spark-submit: that copies a driver's output in a thread that it does not wait for.
  const submitted = [
    ...["--master", withAttempts(master)],
    ...Object.entries(settings).flatMap(([key, value]) => ["--conf", `${key}=${value}`]),
    ...["--py-files", modules.map((path) => join(ROOT, path)).join(",")],
    "pyspark-shell",
  ];
  return {
    file: PYTHON,
    told: [join(ROOT, driver), ...told, ...extra],
    env: {
      ...process.env,
      PYSPARK_PYTHON: PYTHON,
      SPARK_CONF_DIR: join(ROOT, "spark", "conf"),
      PYSPARK_SUBMIT_ARGS: submitted.map(quoted).join(" "),
      SPARK_LOCAL_IP: "127.0.0.1",
    },
  };
}

/** Settings of any Spark on this machine. */
export function localSettings(memory: string): Readonly<Record<string, string>> {
  return {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.memory": memory,
  };
}

/** As a shell would have it: PySpark takes the arguments apart like one. */
function quoted(argument: string): string {
  return `'${argument.replaceAll("'", `'"'"'`)}'`;
}

/** A local master tries a task once by default. https://spark.apache.org/docs/3.5.0/submitting-applications.html#master-urls */
function withAttempts(master: string): string {
  const cores = /^local(?:\[(\d+|\*)\])?$/.exec(master);
  return cores ? `local[${cores[1] ?? "1"},${ATTEMPTS}]` : master;
}

/** Brings Spark, once. */
async function setUp(): Promise<void> {
  const child = spawn(process.execPath, [join(ROOT, "scripts", "setup-spark.js")], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  const code = await new Promise<number | null>((settle, fail) => {
    child.once("error", fail);
    child.once("close", settle);
  });
  if (code !== 0) throw new Error("Spark could not be set up. What is missing stands above.");
}

import { existsSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { localSettings } from "../runtime/cli/spark";
import { measureTree, type TreeMeasurement } from "./process-tree";

export const ROOT = resolve(__dirname, "../..");
export const CLI = join(ROOT, "dist", "runtime", "cli", "main.js");
const ENVIRONMENT = join(ROOT, ".parts", "spark", "bin");
export const PYTHON = join(ENVIRONMENT, "python");
export const PEERS = join(ROOT, "bench", "peers");
/** What the tasks of the peer on Spark import. */
const RECIPE = "opencv_recipe.py";

/** Where a command runs and with what. */
export interface SparkRun {
  readonly cores: readonly number[];
  /** Memory of Spark's JVM. */
  readonly memory: string;
}

/** Brings Spark and the packages of the peers, once. */
export async function setUpPeers(): Promise<void> {
  await measureTree(process.execPath, [join(ROOT, "scripts", "setup-spark.js"), "--dev"]);
  if (!existsSync(PYTHON)) throw new Error(`scripts/setup-spark.js left no ${PYTHON}.`);
}

const masterOf = ({ cores }: SparkRun) => `local[${cores.length}]`;

/** `npm run spark -- STEP` without npm. */
export function runOurs(step: string, args: readonly string[], run: SparkRun): Promise<TreeMeasurement> {
  return measureTree(
    process.execPath,
    [CLI, "spark", step, "--master", masterOf(run), "--memory", run.memory, ...args],
    {
      cores: run.cores,
      env: { ...process.env, LOG_LEVEL: "warn" },
      kindOf,
    },
  );
}

/** A peer on Spark, with the settings of ours but those of its JVM, which is left as Spark starts it. */
export function runPeer(script: string, args: readonly string[], run: SparkRun): Promise<TreeMeasurement> {
  const configuration = Object.entries(localSettings(run.memory)).flatMap(([key, value]) => [
    "--conf",
    `${key}=${value}`,
  ]);
  return measureTree(
    join(ENVIRONMENT, "spark-submit"),
    ["--master", masterOf(run), ...configuration, "--py-files", join(PEERS, RECIPE), join(PEERS, script), ...args],
    { cores: run.cores, env: pythonEnvironment(), kindOf },
  );
}

/** A peer without Spark. */
export function runPython(script: string, args: readonly string[], cores: readonly number[]): Promise<TreeMeasurement> {
  const threads = String(cores.length);
  const env = { ...pythonEnvironment(), OMP_NUM_THREADS: threads, OPENBLAS_NUM_THREADS: threads };
  return measureTree(PYTHON, [join(PEERS, script), ...args], { cores, env, kindOf });
}

function pythonEnvironment(): NodeJS.ProcessEnv {
  return {
    ...process.env,
    PYSPARK_PYTHON: PYTHON,
    PYSPARK_DRIVER_PYTHON: PYTHON,
    PATH: [ENVIRONMENT, process.env.PATH].join(delimiter),
    SPARK_LOCAL_IP: "127.0.0.1",
    PYTHONWARNINGS: "ignore",
  };
}

export const KINDS = ["driver JVM", "driver Python", "Python workers", "Node runtime"] as const;

/** Of the processes of a Spark application. */
export function kindOf(commandLine: readonly string[]): string {
  const [program = "", ...args] = commandLine;
  const name = program.slice(program.lastIndexOf("/") + 1);
  if (name === "java") {
    if (args.includes("org.apache.spark.deploy.SparkSubmit")) return "driver JVM";
    return args.some((argument) => argument.endsWith("ExecutorBackend")) ? "executor JVMs" : "other";
  }
  if (name.startsWith("python")) {
    return args.some((argument) => /^pyspark\.(daemon|worker)$/.test(argument)) ? "Python workers" : "driver Python";
  }
  return name === "node" && !args.includes(CLI) ? "Node runtime" : "other";
}

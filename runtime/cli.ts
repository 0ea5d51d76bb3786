import { Argument, Command, InvalidArgumentError, Option } from "commander";
import {
  EXIT,
  folderProblems,
  interruptible,
  makeOutputFolder,
  outputProblems,
  portNumber,
  reportFailure,
  requireWorkspace,
  runStep,
  wholeNumber,
} from "./platform/command-line";
import { ConfigurationError } from "./platform/config";
import { DISCLAIMER } from "./platform/labels";
import { createProgress, type Progress } from "./platform/progress";
import { DEFAULT_WORKSPACE } from "./platform/workspace";
import { BACKENDS, type Backend } from "./registry/backend-names";
import type { SparkStep } from "./spark";

/*
 * Every step by hand, and `demo`, which runs them all. A command loads what it needs when it is called: TensorFlow.js
 * alone takes a second.
 */

const out = () => new Option("--out <dir>", "workspace").default(DEFAULT_WORKSPACE);
const seed = () => new Option("--seed <n>", "decides everything that is drawn by chance").argParser(wholeNumber());
const epochs = () =>
  new Option(
    "--epochs <n>",
    "times that every training image is seen; 60 by default, more where there are few",
  ).argParser(wholeNumber(1));
const backend = () =>
  new Option("--backend <name>", "TensorFlow.js backend; default: the best present").choices(BACKENDS);
const port = () => new Option("--port <n>", "port on 127.0.0.1; 0: a free one").argParser(portNumber).env("PORT");

const DEFAULT_PORT = 8080;

async function main(): Promise<void> {
  const program = new Command("brain-tumor-stack")
    .description("One hospital's brain-MRI tumour service on this machine. For research only. Not for diagnostic use.")
    .exitOverride()
    .configureHelp({ showGlobalOptions: true });

  program
    .command("demo")
    .description("run every step over a folder of scans (or over drawn phantoms) and serve the model")
    .option("--data <dir>", "folder with Cancer/ and Non-Cancer/; without it, phantoms are drawn")
    .addOption(out())
    .addOption(seed())
    .addOption(epochs())
    .addOption(backend())
    .addOption(port())
    .option("--limit <n>", "at most this many scans, balanced over the label folders", wholeNumber(1))
    .option("--no-serve", "exit when done, instead of serving the model")
    .action(async ({ serve, port: at, ...options }: DemoFlags) => {
      const { runDemo } = await import("./demo.js");
      await runDemo(options);
      if (serve) await serveUntilStopped(options.out, at ?? DEFAULT_PORT);
    });

  const { ingestCommand, uploadCommand } = await import("./ingest/index.js");
  program.addCommand(inherit(program, uploadCommand()));
  program.addCommand(inherit(program, ingestCommand()));

  program
    .command("preprocess")
    .description("group near-duplicates and patients, split, and write the recipe's pixels as Parquet shards")
    .addOption(out())
    .addOption(seed())
    .action(async (options: { out: string; seed?: number }) => {
      requireWorkspace(options.out);
      const { preprocessStep } = await import("./preprocess/index.js");
      await runStep("preprocess", options, (context) => preprocessStep(context));
    });

  program
    .command("features")
    .description("fit principal components to the training split, and score every processed image on them")
    .addOption(out())
    .addOption(seed())
    .option("--components <n>", "how many; 64 without it", wholeNumber(1))
    .action(async ({ components, ...options }: { out: string; seed?: number; components?: number }) => {
      requireWorkspace(options.out);
      const { featuresStep } = await import("./features/index.js");
      await runStep("features", options, (context) =>
        featuresStep(context, components === undefined ? {} : { components }),
      );
    });

  program
    .command("spark")
    .description("run a step with Spark on this machine: preprocess, pca (the features) or score")
    .addArgument(new Argument("<step>", "which").choices(["preprocess", "pca", "score"]))
    .addOption(out())
    .addOption(seed())
    .option("--master <local[n]>", "how many cores of this machine; local[*]: all", localMaster, "local[*]")
    .option("--memory <size>", "memory of Spark's JVM, such as 900m or 4g", javaMemory, "4g")
    .option("--listing <file>", "preprocess: a file with a line of JSON an image, instead of the table images")
    .option("--components <n>", "pca: how many; 64 without it", wholeNumber(1))
    .action(async (step: SparkStep, { listing, components, ...options }: SparkFlags) => {
      requireWorkspace(options.out);
      const { checkedListing, runSparkStep } = await import("./spark.js");
      if (listing !== undefined && step !== "preprocess") throw misplaced("--listing", "preprocess");
      if (components !== undefined && step !== "pca") throw misplaced("--components", "pca");
      const extra = [
        ...(listing === undefined ? [] : ["--listing", await checkedListing(listing)]),
        ...(components === undefined ? [] : ["--components", String(components)]),
        ...(options.seed === undefined || step !== "pca" ? [] : ["--seed", String(options.seed)]),
      ];
      await runSparkStep(step, { ...options, extra });
    });

  program
    .command("train")
    .description("train a model, evaluate it on the untouched test split, and promote it if it is not worse")
    .addOption(out())
    .addOption(seed())
    .addOption(epochs())
    .addOption(backend())
    .option(
      "--patience <n>",
      "stop after so many epochs without a higher validation AUC, and take the best epoch; 0, the default: never",
      wholeNumber(),
    )
    .action(async (options: TrainFlags) => {
      requireWorkspace(options.out);
      const { runTraining } = await import("./demo.js");
      await runTraining(options);
    });

  folderCommand("evaluate", "measure a model on a folder it has never seen: evaluation.json, predictions.csv, a report")
    .addOption(backend())
    .action(async (options: FolderFlags) => {
      const { evaluateFolder } = await import("./evaluate/index.js");
      const { renderMetrics } = await import("./summary-table.js");
      const { evaluation } = await overFolder("evaluate", options, evaluateFolder);
      process.stdout.write(`\n${renderMetrics(`${evaluation.test.n} labelled images`, evaluation.test)}`);
      process.stdout.write(`report: ${options.out}/report.html\n${DISCLAIMER}\n`);
    });

  folderCommand("explain", "show where a model looks: explain.csv and an overlay for every scan of a folder")
    .addOption(backend())
    .action(async (options: FolderFlags) => {
      const { explainFolder } = await import("./explain/index.js");
      await overFolder("explain", options, explainFolder);
    });

  program
    .command("serve")
    .description("serve the current model and the page on 127.0.0.1")
    .addOption(out())
    .addOption(seed())
    .addOption(port())
    .action((options: { out: string; port?: number }) => serveUntilStopped(options.out, options.port ?? DEFAULT_PORT));

  function folderCommand(name: string, description: string): Command {
    return program
      .command(name)
      .description(description)
      .requiredOption("--model <dir>", "folder of a model: WORKSPACE/models/ID")
      .requiredOption("--data <dir>", "folder with Cancer/, Non-Cancer/, Unlabelled/")
      .requiredOption("--out <dir>", "where the results go")
      .addOption(seed());
  }

  await program.parseAsync();
}

interface SparkFlags {
  readonly out: string;
  readonly seed?: number;
  readonly master: string;
  readonly memory: string;
  readonly listing?: string;
  readonly components?: number;
}

function localMaster(text: string): string {
  if (/^local(\[([1-9]\d*|\*)\])?$/.test(text)) return text;
  throw new InvalidArgumentError(`"${text}" is not local, local[*] or local[N]: the workspace is on this machine.`);
}

function javaMemory(text: string): string {
  if (/^[1-9]\d*[kmg]$/i.test(text)) return text;
  throw new InvalidArgumentError(`"${text}" is not a size such as 900m or 4g.`);
}

function misplaced(option: string, step: SparkStep): ConfigurationError {
  return new ConfigurationError("The command", [`${option} is of the step ${step} alone.`]);
}

interface DemoFlags {
  readonly out: string;
  readonly serve: boolean;
  readonly data?: string;
  readonly limit?: number;
  readonly epochs?: number;
  readonly seed?: number;
  readonly backend?: Backend;
  readonly port?: number;
}

interface TrainFlags {
  readonly out: string;
  readonly seed?: number;
  readonly epochs?: number;
  readonly patience?: number;
  readonly backend?: Backend;
}

interface FolderFlags {
  readonly model: string;
  readonly data: string;
  readonly out: string;
  readonly seed?: number;
  readonly backend?: Backend;
}

/** Commands made elsewhere end the process as the program does. */
function inherit(program: Command, command: Command): Command {
  return command.copyInheritedSettings(program);
}

/** Runs what reads a folder and writes results, without a workspace. */
async function overFolder<R extends { readonly rejected: number; readonly notes: readonly string[] }>(
  name: string,
  options: FolderFlags,
  work: (
    options: FolderFlags & { readonly seed: number; readonly progress: Progress; readonly signal: AbortSignal },
  ) => Promise<R>,
): Promise<R> {
  const problems = [
    ...folderProblems("--model", options.model, "npm run train makes one: WORKSPACE/models/ID."),
    ...folderProblems("--data", options.data, "It holds Cancer/ and Non-Cancer/, with scans."),
    ...outputProblems(options.out),
  ];
  if (problems.length > 0) throw new ConfigurationError("The command", problems);
  await makeOutputFolder(options.out);
  const interruption = interruptible();
  try {
    const progress = createProgress(name);
    const { seed: given = 0 } = options;
    const result = await work({ ...options, seed: given, progress, signal: interruption.signal });
    const { notes, rejected } = result;
    for (const note of notes) process.stderr.write(`${name}: ${note}\n`);
    process.stdout.write(`${name}: results are in ${options.out}; files refused, each with its reason: ${rejected}.\n`);
    return result;
  } finally {
    interruption.release();
  }
}

async function serveUntilStopped(directory: string, at: number): Promise<void> {
  const { serveWorkspace } = await import("./serve/index.js");
  const server = await serveWorkspace({ workspace: directory, port: at });
  process.stdout.write(`Serving ${directory} on ${server.url} (Ctrl-C stops it)\n`);
  if (!server.ready) {
    process.stdout.write("There is no model in it yet: predictions are refused until npm run train has made one.\n");
  }
  const stop = () => {
    void server.close().then(() => process.exit(EXIT.done));
  };
  process.once("SIGINT", stop);
  process.once("SIGTERM", stop);
}

main().catch((error: unknown) => {
  process.exitCode = reportFailure(error);
});

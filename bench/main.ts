import { EXIT, ifMain, runTool, tool } from "../tools/command";
import { benchAnswer } from "./answer";
import { benchEfficientNet } from "./efficientnet";
import { benchGuard } from "./guard";
import { benchPlan } from "./plan";
import { benchRollout } from "./rollout";
import { benchServe } from "./serve";
import { benchSpark } from "./spark";
import { benchSynth } from "./synth";
import { benchTrain } from "./train";

/** What can be measured, by its name. */
const BENCHMARKS: Readonly<Record<string, (options: BenchOptions) => void | Promise<void>>> = {
  answer: benchAnswer,
  efficientnet: benchEfficientNet,
  guard: benchGuard,
  plan: benchPlan,
  rollout: benchRollout,
  serve: benchServe,
  spark: benchSpark,
  synth: benchSynth,
  train: benchTrain,
};

export interface BenchOptions {
  /** A file for the results as JSON. */
  readonly json?: string;
  readonly seed?: string;
  /** efficientnet, serve, spark, train: an input folder; phantoms are drawn without it. */
  readonly data?: string;
  /** guard: folders of other pictures, with commas between. */
  readonly other?: string;
  /** guard: a table whose first column names scans of {@link data} that are CT. */
  readonly ct?: string;
  /** efficientnet, serve, spark, train: a workspace with curated images (efficientnet, train: processed; serve: a model too), in place of {@link data}. */
  readonly workspace?: string;
  /** spark: images of each run; rollout: hospitals; with commas between. */
  readonly sizes?: string;
  /** serve, spark, train: what of it, with commas between. */
  readonly parts?: string;
  /** plan: images in all. */
  readonly images?: string;
  /** plan: how many of them are new. */
  readonly new?: string;
  /** spark: memory of the JVM, of both sides; plan: of the driver's JVM. */
  readonly memory?: string;
  /** efficientnet, train: epochs of ours; serve: of the model where none is given. */
  readonly epochs?: string;
  /** serve: of each measurement. */
  readonly seconds?: string;
  /** serve: seconds of the run that memory is watched in. */
  readonly long?: string;
}

/** The command `npm run bench`. */
export async function bench(args: readonly string[]): Promise<number> {
  const names = Object.keys(BENCHMARKS).join(", ");
  const program = tool("bench", "Measures, on this machine, and prints what it measured.")
    .argument("<name>", `which benchmark: ${names}`)
    .option("--json <file>", "write the results to this file as well")
    .option(
      "--seed <n>",
      "efficientnet, serve, spark, train: decides the phantoms, hashes and first weights; accepted by all",
    )
    .option(
      "--data <dir>",
      "efficientnet, guard, serve, spark, train: an input folder (Cancer/, ...); without it phantoms are drawn, and guard measures nothing",
    )
    .option("--other <list>", "guard: folders of pictures of anything else, with commas between")
    .option(
      "--ct <csv>",
      "guard: a table whose first column names scans of --data that are CT, such as docs/brain-ct.csv",
    )
    .option(
      "--workspace <dir>",
      "efficientnet, serve, spark, train: a workspace with curated images (efficientnet, train: processed; serve: a model too), in place of --data",
    )
    .option("--sizes <list>", "spark: images of each run, such as 3000,12000,48000; rollout: hospitals, such as 10,100")
    .option(
      "--parts <list>",
      "spark: preprocess, grouping, pca; train: accuracy, step; serve: peers, memory, overload; plan: spark, local; all without it",
    )
    .option(
      "--memory <size>",
      "spark: memory of the JVM, the same for both sides, 2g without it; plan: of the driver's, 512m",
    )
    .option("--images <n>", "plan: images; 5,000,000 on Spark and 1,000,000 in one process without it")
    .option("--new <n>", "plan: how many of them are new; 100,000 without it")
    .option(
      "--epochs <n>",
      "train: epochs of ours, 6 without it; efficientnet: of ours, the trainer's own without it; serve: of the model that is trained, 2 without it",
    )
    .option("--seconds <n>", "serve: seconds of each measurement; 10 without it")
    .option("--long <n>", "serve: seconds of the run that memory is watched in; 600 without it");
  return runTool(
    program,
    async () => {
      const name = String(program.args[0]);
      const run = BENCHMARKS[name];
      if (!run) {
        process.stderr.write(`There is no benchmark "${name}"; there are ${names}.\n`);
        return EXIT.usage;
      }
      await run(program.opts<BenchOptions>());
      return EXIT.done;
    },
    args,
  );
}

ifMain(module, bench);

import { Argument, Command, InvalidArgumentError } from "commander";
import { ConfigurationError } from "../../platform/config";
import { requireWorkspace, wholeNumber } from "../command-line";
import { out, seed } from "../options";
import type { SparkStep } from "../spark";

interface SparkFlags {
  readonly out: string;
  readonly seed?: number;
  readonly master: string;
  readonly memory: string;
  readonly listing?: string;
  readonly components?: number;
  readonly backbone?: string;
}

export function sparkCommand(): Command {
  return new Command("spark")
    .description(
      "run a step with Spark on this machine: preprocess, pca (the features), deep (those of a pretrained network), score or monitor",
    )
    .addArgument(new Argument("<step>", "which").choices(["preprocess", "pca", "deep", "score", "monitor"]))
    .addOption(out())
    .addOption(seed())
    .option("--master <local[n]>", "how many cores of this machine; local[*]: all", localMaster, "local[*]")
    .option("--memory <size>", "memory of Spark's JVM, such as 900m or 4g", javaMemory, "4g")
    .option("--listing <file>", "preprocess: a file with a line of JSON an image, instead of the table images")
    .option("--components <n>", "pca: how many; 64 without it", wholeNumber(1))
    .option("--backbone <uri>", "deep: gs:, file: or path of the folder where backbone.json lies")
    .action(async (step: SparkStep, { listing, components, backbone, ...options }: SparkFlags) => {
      requireWorkspace(options.out);
      const { checkedListing, runSparkStep } = await import("../spark.js");
      if (listing !== undefined && step !== "preprocess") throw misplaced("--listing", "preprocess");
      if (components !== undefined && step !== "pca") throw misplaced("--components", "pca");
      if ((backbone !== undefined) !== (step === "deep"))
        throw step === "deep"
          ? new ConfigurationError("The command", ["the step deep needs --backbone URI."])
          : misplaced("--backbone", "deep");
      const environment = backbone === undefined ? {} : { BACKBONE: await checked(backbone) };
      const extra = [
        ...(listing === undefined ? [] : ["--listing", await checkedListing(listing)]),
        ...(components === undefined ? [] : ["--components", String(components)]),
        ...(options.seed === undefined || step !== "pca" ? [] : ["--seed", String(options.seed)]),
      ];
      await runSparkStep(step, { ...options, extra, environment });
    });
}

function localMaster(text: string): string {
  if (/^local(\[([1-9]\d*|\*)\])?$/.test(text)) return text;
  throw new InvalidArgumentError(`"${text}" is not local, local[*] or local[N]: the workspace is on this machine.`);
}

function javaMemory(text: string): string {
  if (/^[1-9]\d*[kmg]$/i.test(text)) return text;
  throw new InvalidArgumentError(`"${text}" is not a size such as 900m or 4g.`);
}

async function checked(backbone: string): Promise<string> {
  const { checkedBackbone } = await import("../../features/index.js");
  return checkedBackbone(backbone);
}

function misplaced(option: string, step: SparkStep): ConfigurationError {
  return new ConfigurationError("The command", [`${option} is of the step ${step} alone.`]);
}

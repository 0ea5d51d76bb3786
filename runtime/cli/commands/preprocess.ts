import { Command } from "commander";
import { requireWorkspace, runStep } from "../command-line";
import { out, seed } from "../options";

export function preprocessCommand(): Command {
  return new Command("preprocess")
    .description("group near-duplicates and patients, split, and write the recipe's pixels as Parquet shards")
    .addOption(out())
    .addOption(seed())
    .action(async (options: { out: string; seed?: number }) => {
      requireWorkspace(options.out);
      const { preprocessStep } = await import("../../preprocess/index.js");
      await runStep("preprocess", options, (context) => preprocessStep(context));
    });
}

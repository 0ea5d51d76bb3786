import { Command } from "commander";
import { requireWorkspace, runStep, wholeNumber } from "../command-line";
import { out, seed } from "../options";

export function featuresCommand(): Command {
  return new Command("features")
    .description("fit principal components to the training split, and score every processed image on them")
    .addOption(out())
    .addOption(seed())
    .option("--components <n>", "how many; 64 without it", wholeNumber(1))
    .action(async ({ components, ...options }: { out: string; seed?: number; components?: number }) => {
      requireWorkspace(options.out);
      const { featuresStep } = await import("../../features/index.js");
      await runStep("features", options, (context) =>
        featuresStep(context, components === undefined ? {} : { components }),
      );
    });
}

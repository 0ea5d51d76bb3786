import { Command } from "commander";
import { ConfigurationError } from "../../platform/config";
import { requireWorkspace, runStep, wholeNumber } from "../command-line";
import { out, seed } from "../options";

interface FeaturesFlags {
  readonly out: string;
  readonly seed?: number;
  readonly components?: number;
  readonly backbone?: string;
}

export function featuresCommand(): Command {
  return new Command("features")
    .description(
      "fit principal components to the training split, and score every processed image on them; or take every image through a pretrained network",
    )
    .addOption(out())
    .addOption(seed())
    .option("--components <n>", "how many; 64 without it", wholeNumber(1))
    .option("--backbone <uri>", "gs:, file: or path of the folder where a network's backbone.json lies")
    .action(async ({ components, backbone, ...options }: FeaturesFlags) => {
      requireWorkspace(options.out);
      if (components !== undefined && backbone !== undefined)
        throw new ConfigurationError("The command", ["--components is of principal components, not of a backbone."]);
      const { backboneStep, featuresStep } = await import("../../features/index.js");
      if (backbone === undefined)
        await runStep("features", options, (context) =>
          featuresStep(context, components === undefined ? {} : { components }),
        );
      else await runStep("features-deep", options, (context) => backboneStep(context, backbone));
    });
}

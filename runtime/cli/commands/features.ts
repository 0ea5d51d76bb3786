import { Command } from "commander";
import { ConfigurationError } from "../../platform/config";
import { requireWorkspace, runStep, wholeNumber } from "../command-line";
import { out, seed } from "../options";

interface FeaturesFlags {
  readonly out: string;
  readonly seed?: number;
  readonly components?: number;
  readonly backbone?: string;
  readonly report?: boolean;
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
    .option("--report", "write a report on what the current model sees in the images, and nothing else")
    .action(async ({ components, backbone, report = false, ...options }: FeaturesFlags) => {
      requireWorkspace(options.out);
      const given = [
        ...(components === undefined ? [] : ["--components"]),
        ...(backbone === undefined ? [] : ["--backbone"]),
        ...(report ? ["--report"] : []),
      ];
      if (given.length > 1)
        throw new ConfigurationError("The command", [
          `${given.join(" and ")} are asked for together: principal components, another network and the report are made one at a time.`,
        ]);
      const { backboneStep, featuresReportStep, featuresStep } = await import("../../features/index.js");
      if (report) await runStep("features-report", options, (context) => featuresReportStep(context));
      else if (backbone !== undefined)
        await runStep("features-deep", options, (context) => backboneStep(context, backbone));
      else
        await runStep("features", options, (context) =>
          featuresStep(context, components === undefined ? {} : { components }),
        );
    });
}

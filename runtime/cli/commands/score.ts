import { Command } from "commander";
import { requireWorkspace, runStep } from "../command-line";
import { out } from "../options";

export function scoreCommand(): Command {
  return new Command("score")
    .description("the current model's answer for every picture that has none, and what the model sees in it")
    .addOption(out())
    .action(async (options: { out: string }) => {
      requireWorkspace(options.out);
      const { scoreStep } = await import("../../score/index.js");
      await runStep("score", options, (context) => scoreStep(context));
    });
}

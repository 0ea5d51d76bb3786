import { existsSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { ConfigurationError } from "../../platform/config";
import type { Backend } from "../../tensorflow";
import { requireWorkspace, wholeNumber } from "../command-line";
import { backend, epochs, out, seed } from "../options";

/** Where npm run setup:backbone puts what it brings, below where the command is run. */
const BROUGHT = join(".parts", "backbones", "efficientnet-lite0");

interface TrainFlags {
  readonly teacher?: string | true;
  readonly teacherEpochs?: number;
  readonly out: string;
  readonly seed?: number;
  readonly epochs?: number;
  readonly patience?: number;
  readonly backend?: Backend;
}

export function trainCommand(): Command {
  return new Command("train")
    .description("train a model, evaluate it on the untouched test split, and promote it if it is shown to be better")
    .addOption(out())
    .addOption(seed())
    .addOption(epochs())
    .addOption(backend())
    .option(
      "--patience <n>",
      "stop after so many epochs without a higher validation AUC, and take the best epoch; 0, the default: never",
      wholeNumber(),
    )
    .option(
      "--teacher [uri]",
      "let a pretrained network learn first and teach the model: the folder of its backbone.json; default: what npm run setup:backbone brought",
    )
    .option("--teacher-epochs <n>", "times that the teacher sees every training image; 10 by default", wholeNumber(1))
    .action(async ({ teacher, teacherEpochs, ...options }: TrainFlags) => {
      requireWorkspace(options.out);
      const teaching = teacherOptions(teacher, teacherEpochs);
      const { readWorkspaceData } = await import("../workspace-data.js");
      await readWorkspaceData(options.out);
      const { printSummary, runTraining } = await import("../demo.js");
      await runTraining({ ...options, ...(teaching ? { teacher: teaching } : {}) });
      await printSummary(options.out);
    });
}

/** What --teacher says. @throws {ConfigurationError} where nothing is named and nothing was brought */
function teacherOptions(teacher: string | true | undefined, epochs: number | undefined) {
  if (teacher === undefined) {
    if (epochs === undefined) return undefined;
    throw new ConfigurationError("--teacher-epochs", ["it is said without --teacher, and nothing else has a teacher."]);
  }
  if (teacher === true && !existsSync(join(BROUGHT, "backbone.json")))
    throw new ConfigurationError("--teacher", [
      `no backbone is named, and there is none in ${BROUGHT}. Run npm run setup:backbone, or name the folder of a backbone.json: --teacher URI.`,
    ]);
  return { backbone: teacher === true ? BROUGHT : teacher, ...(epochs === undefined ? {} : { epochs }) };
}

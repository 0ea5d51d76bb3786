import { Command } from "commander";
import type { Backend } from "../../tensorflow";
import { requireWorkspace, wholeNumber } from "../command-line";
import { backend, epochs, out, seed } from "../options";
import { serveTeacher, type TeacherFlags, taughtBy, teacher, teacherEpochs } from "../teacher";

interface TrainFlags extends TeacherFlags {
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
    .addOption(teacher())
    .addOption(teacherEpochs())
    .addOption(serveTeacher())
    .action(async ({ teacher: backbone, teacherEpochs: seen, serveTeacher: itself, ...options }: TrainFlags) => {
      requireWorkspace(options.out);
      const taught = taughtBy({ teacher: backbone, teacherEpochs: seen, serveTeacher: itself });
      const { readWorkspaceData } = await import("../workspace-data.js");
      await readWorkspaceData(options.out);
      const { printSummary, runTraining } = await import("../demo.js");
      await runTraining({ ...options, ...taught });
      await printSummary(options.out);
    });
}

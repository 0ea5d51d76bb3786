import type { Command } from "commander";
import { DISCLAIMER } from "../../intake";
import { type FolderFlags, folderCommand, overFolder } from "../over-folder";

export function evaluateCommand(): Command {
  return folderCommand(
    "evaluate",
    "measure a model on a folder it has never seen: evaluation.json, predictions.csv, a report",
  ).action(async (options: FolderFlags) => {
    const { evaluateFolder } = await import("../../evaluate/index.js");
    const { renderMetrics } = await import("../summary-table.js");
    const result = await overFolder("evaluate", options, evaluateFolder);
    if (!result) return;
    const { verdict, test } = result.evaluation;
    process.stdout.write(`\n${verdict.sentence}\n\n${renderMetrics(`${test.n} labelled images`, test)}`);
    process.stdout.write(`report: ${options.out}/report.html\n${DISCLAIMER}\n`);
  });
}

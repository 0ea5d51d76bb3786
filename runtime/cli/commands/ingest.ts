import { Command } from "commander";
import type { FolderNames } from "../../intake";
import { requireWorkspace, runStep, wholeNumber } from "../command-line";
import { add, check, labels, out, seed } from "../options";

interface IngestFlags {
  readonly out: string;
  readonly data?: string;
  readonly limit?: number;
  readonly seed?: number;
  readonly labels?: FolderNames;
  readonly add?: boolean;
  readonly check?: boolean;
}

/** `ingest [--data DIR] --out DIR` */
export function ingestCommand(): Command {
  return new Command("ingest")
    .description("validate, convert and de-identify what has landed; the rest goes to quarantine with its reason")
    .option("--data <dir>", "land this folder first")
    .addOption(out())
    .option("--limit <n>", "with --data: at most this many scans, balanced over the label folders", wholeNumber())
    .addOption(seed())
    .addOption(labels())
    .addOption(add())
    .addOption(check())
    .action(async ({ out, seed, data, limit, labels: names, ...flags }: IngestFlags) => {
      const selection = {
        ...(data === undefined ? {} : { data }),
        ...(limit === undefined ? {} : { limit }),
        ...(names ? { names } : {}),
      };
      const { takeIn } = await import("../take-in.js");
      if (data === undefined && !flags.check) requireWorkspace(out);
      else if (!(await takeIn({ ...flags, ...selection, out }))) return;
      const { ingestStep } = await import("../../ingest/index.js");
      const { refused } = await runStep("ingest", seed === undefined ? { out } : { out, seed }, (context) =>
        ingestStep(context, selection),
      );
      if (refused.length > 0) process.exitCode = 1;
    });
}

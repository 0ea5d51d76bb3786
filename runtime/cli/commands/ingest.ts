import { Command } from "commander";
import { DEFAULT_WORKSPACE } from "../../platform/workspace";
import { runStep, type StepOptions, wholeNumber } from "../command-line";

/** `ingest [--data DIR] --out DIR` */
export function ingestCommand(): Command {
  return new Command("ingest")
    .description("validate, convert and de-identify what has landed; the rest goes to quarantine with its reason")
    .option("--data <dir>", "land this folder first")
    .option("--out <dir>", "workspace", DEFAULT_WORKSPACE)
    .option("--limit <n>", "with --data: at most this many scans, balanced over the label folders", wholeNumber())
    .option("--seed <n>", "accepted by every step; ingest has no chance in it", wholeNumber())
    .action(async (options: { data?: string; out: string; limit?: number; seed?: number }) => {
      const { ingestStep } = await import("../../ingest/index.js");
      const { out, seed, data, limit } = options;
      const step: StepOptions = seed === undefined ? { out } : { out, seed };
      const { refused } = await runStep("ingest", step, (context) =>
        ingestStep(context, {
          ...(data === undefined ? {} : { data }),
          ...(limit === undefined ? {} : { limit }),
        }),
      );
      if (refused.length > 0) process.exitCode = 1;
    });
}

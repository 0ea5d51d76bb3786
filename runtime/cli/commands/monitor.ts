import { Command } from "commander";
import { DISCLAIMER } from "../../intake";
import { ConfigurationError } from "../../platform/config";
import { createProgress } from "../../platform/progress";
import { interruptible, requireWorkspace } from "../command-line";
import { out } from "../options";

interface Flags {
  readonly out: string;
  readonly from?: string;
  readonly to?: string;
  readonly json?: true;
}

/** `monitor --out DIR [--from DAY] [--to DAY] [--json]` */
export function monitorCommand(): Command {
  return new Command("monitor")
    .description("watch what the current model answered for change, and tell day by day how it does")
    .addOption(out())
    .option("--from <day>", "first day that is told of, YYYY-MM-DD in UTC (30 days to the last)")
    .option("--to <day>", "last day (today)")
    .option("--json", "for a machine")
    .action(run);
}

async function run({ out, json, ...flags }: Flags): Promise<void> {
  const { dayOf, describeMonitored, isDay, laterDay, monitorDays, WINDOW_DAYS } = await import(
    "../../monitor/index.js"
  );
  const now = new Date();
  const to = flags.to ?? dayOf(now);
  const from = flags.from ?? (isDay(to) ? laterDay(to, 1 - WINDOW_DAYS) : to);
  const problems = [
    ...Object.entries(flags)
      .filter(([, day]) => !isDay(day))
      .map(([name, day]) => `--${name} "${day}" is no day: give YYYY-MM-DD, such as ${dayOf(now)}.`),
  ];
  if (problems.length === 0 && from > to) problems.push(`--from ${from} lies after --to ${to}: give an earlier day.`);
  if (problems.length === 0 && to > dayOf(now))
    problems.push(`--to ${to} has not come yet: today is ${dayOf(now)} in UTC.`);
  if (problems.length > 0) throw new ConfigurationError("The command", problems);
  requireWorkspace(out);
  const { openWorkspace } = await import("../../platform/workspace.js");
  const { buckets, warehouse, close } = await openWorkspace(out);
  const interruption = interruptible();
  try {
    const context = { buckets, warehouse, progress: createProgress("monitor"), signal: interruption.signal };
    const monitored = await monitorDays(context, { from, to, now });
    const content = `${JSON.stringify(monitored, null, 2)}\n`;
    const name = `monitoring/${monitored.model}/${to}.json`;
    await buckets.reports.write(name, Buffer.from(content), { contentType: "application/json" });
    process.stdout.write(json ? content : `${describeMonitored(monitored)}${DISCLAIMER}\n`);
  } finally {
    interruption.release();
    await close();
  }
}

import { Command, InvalidArgumentError, Option } from "commander";
import { DISCLAIMER } from "../../intake";
import { ConfigurationError } from "../../platform/config";
import { createProgress } from "../../platform/progress";
import { RETRAIN_DEFAULTS } from "../../retrain/contract";
import { interruptible, requireWorkspace, wholeNumber } from "../command-line";
import { out } from "../options";

interface Flags {
  readonly out: string;
  readonly days: number;
  readonly scansPerDay: number;
  readonly seeds: number;
  readonly seed: number;
  readonly null?: true;
  readonly drift?: string;
  readonly feedback: number;
  readonly challenger?: readonly string[];
  readonly everyDays?: number;
  readonly newScans?: number;
  readonly json?: true;
}

/** `simulate --out DIR --days 90 [--scans-per-day N] [--seeds N] [--null] [--drift KIND@DAY] [--feedback SHARE] [--challenger ID]... [--json]` */
export function simulateCommand(): Command {
  return new Command("simulate")
    .description(
      "let the current model live through days of scans, and show when each alarm of the monitoring rings; with --challenger also what starts a retraining, and whether what it promoted was right",
    )
    .addOption(out())
    .option("--days <n>", "days of a life", wholeNumber(1), 90)
    .option("--scans-per-day <n>", "scans that come each day", wholeNumber(1), 40)
    .option("--seeds <n>", "how many lives", wholeNumber(1), 1)
    .option("--seed <n>", "seed of the first life", wholeNumber(), 1)
    .option("--null", "nothing changes: every alarm is a false one; what happens without --drift")
    .addOption(
      new Option(
        "--drift <kind@day>",
        "what happens, and when: contrast, noise, resolution, scanner, prevalence or accuracy, such as contrast@40, prevalence@40:0.7",
      ).conflicts("null"),
    )
    .option("--feedback <share>", "share of the answers whose label somebody confirms, 0 to 1", share, 0)
    .addOption(
      new Option(
        "--challenger <id>",
        "a model of the workspace that a retraining brings; may be given again: they come in turns",
      ).argParser((id: string, before: readonly string[] = []) => [...before, id]),
    )
    .option(
      "--every-days <n>",
      `days after which the schedule retrains; 0: never (default: ${RETRAIN_DEFAULTS.everyDays})`,
      wholeNumber(),
    )
    .option(
      "--new-scans <n>",
      `new labelled scans after which labels retrain; 0: never (default: ${RETRAIN_DEFAULTS.newScans})`,
      wholeNumber(),
    )
    .option("--json", "for a machine")
    .action(run);
}

async function run({
  out,
  json,
  drift: text,
  null: _null,
  challenger: challengers,
  everyDays,
  newScans,
  ...flags
}: Flags): Promise<void> {
  const { parseDrift, describeSimulation, simulate } = await import("../../monitor/index.js");
  const drift = text === undefined ? undefined : parsed(() => parseDrift(text));
  if (drift && drift.day >= flags.days)
    throw new ConfigurationError("The command", [
      `--drift ${text} begins on day ${drift.day}, and with --days ${flags.days} the last day is ${flags.days - 1}.`,
    ]);
  if (drift?.kind === "accuracy" && flags.feedback === 0)
    throw new ConfigurationError("The command", [
      "Without labels nobody can see that the model is wrong more often: give --feedback too, such as --feedback 0.2.",
    ]);
  if (!challengers && (everyDays ?? newScans) !== undefined)
    throw new ConfigurationError("The command", [
      "--every-days and --new-scans say when a retraining starts, and nothing is retrained without a model that it brings: give --challenger too.",
    ]);
  requireWorkspace(out);
  const { openWorkspace } = await import("../../platform/workspace.js");
  const workspace = await openWorkspace(out);
  const interruption = interruptible();
  try {
    const { simulatedRetraining } = await import("../simulated-retraining.js");
    const rules = {
      everyDays: everyDays ?? RETRAIN_DEFAULTS.everyDays,
      newScans: newScans ?? RETRAIN_DEFAULTS.newScans,
    };
    const retraining = challengers && (await simulatedRetraining(workspace, challengers, rules));
    const simulation = await simulate(workspace, {
      ...flags,
      ...(drift ? { drift } : {}),
      ...(retraining ? { retraining } : {}),
      progress: createProgress("simulate"),
      signal: interruption.signal,
    });
    process.stdout.write(
      json ? `${JSON.stringify(simulation, null, 2)}\n` : `${describeSimulation(simulation)}${DISCLAIMER}\n`,
    );
  } finally {
    interruption.release();
    await workspace.close();
  }
}

function parsed<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new ConfigurationError("The command", [`--drift ${(error as Error).message}.`]);
  }
}

function share(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value >= 0 && value <= 1))
    throw new InvalidArgumentError(`"${text}" is not a share from 0 to 1.`);
  return value;
}

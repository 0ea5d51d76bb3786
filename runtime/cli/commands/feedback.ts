import { Command, InvalidArgumentError, Option } from "commander";
import { ConfigurationError } from "../../platform/config";
import { bucketUri, requireWorkspace } from "../command-line";
import type { FeedbackPlace } from "../feedback";
import { out } from "../options";

interface Flags {
  readonly file: string;
  readonly out: string;
  readonly reports?: string;
  readonly warehouse?: string;
  readonly who: string;
  readonly confirm?: true;
  readonly check?: true;
  readonly json?: true;
}

/** `feedback --file CSV --out DIR [--who ADDRESS] [--confirm] [--check] [--json]` */
export function feedbackCommand(): Command {
  return new Command("feedback")
    .description(
      "take in what people hold scans for, from a table with the columns request or accession, label, comment",
    )
    .requiredOption("--file <csv>", "the table; accession numbers as in the scans, their pseudonyms are made here")
    .addOption(out())
    .addOption(
      new Option("--reports <uri>", "bucket of a hospital's reports, gs://BUCKET, in place of a workspace")
        .env("REPORTS_BUCKET")
        .argParser(bucketUri),
    )
    .addOption(new Option("--warehouse <uri>", "the hospital's tables, with --reports").env("WAREHOUSE"))
    .addOption(
      new Option("--who <address>", "whose word it is; two people are two addresses").default("local").argParser(whoOf),
    )
    .option("--confirm", "an administrator confirms these labels: they may be learnt from without a second person")
    .option("--check", "only say what would become of it; nothing is changed")
    .option("--json", "for a machine")
    .action(async (flags: Flags, command: Command) => {
      const place = placeOf(flags, command);
      const { runFeedback } = await import("../feedback.js");
      process.stdout.write(await runFeedback(place, flags));
    });
}

/** Addresses are one whatever the case, as in the service. */
function whoOf(text: string): string {
  const who = text.trim().toLowerCase();
  if (who === "local" || /^[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[a-z0-9-]+(?:\.[a-z0-9-]+)*$/.test(who)) return who;
  throw new InvalidArgumentError(`"${text.slice(0, 80)}" is no address, such as ann@hospital.org.`);
}

/** @throws {ConfigurationError} if it is none, or half of one, or two */
function placeOf({ out, reports, warehouse }: Flags, command: Command): FeedbackPlace {
  const given = (name: string) => command.getOptionValueSource(name) === "cli";
  if (given("out") && (given("reports") || given("warehouse")))
    throw new ConfigurationError("The place of the feedback", [
      "--out names a workspace, and --reports and --warehouse a hospital's bucket and tables: give one or the other.",
    ]);
  if (given("out") || (reports === undefined && warehouse === undefined)) {
    requireWorkspace(out);
    return out;
  }
  if (reports !== undefined && warehouse !== undefined) return { reports, warehouse };
  const missing = reports === undefined ? "--reports (or REPORTS_BUCKET)" : "--warehouse (or WAREHOUSE)";
  throw new ConfigurationError("The place of the feedback", [
    `${missing} is missing: what is said of an answer lies in a bucket and in a table.`,
  ]);
}

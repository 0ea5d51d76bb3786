import { Command, InvalidArgumentError, Option } from "commander";
import { DISCLAIMER } from "../../intake";
import { ConfigurationError } from "../../platform/config";
import { bucketUri } from "../../platform/environment";
import type { Promotion } from "../../serve";
import type { Backend } from "../../tensorflow";
import { EXIT, requireWorkspace } from "../command-line";
import type { ModelPlace } from "../models";
import { backend, out } from "../options";
import { addCanary } from "./canary";

export interface PlaceFlags {
  readonly out: string;
  readonly models?: string;
  readonly reports?: string;
  readonly warehouse?: string;
  readonly warehouseReader?: string;
}

interface Flags extends PlaceFlags {
  readonly json?: true;
}

interface CompareFlags extends Flags {
  readonly scores?: readonly string[];
  readonly counts?: string;
}

/** Of a model that is named. */
const ID = ["<id>", "the model's id, as models -- list shows it"] as const;

export function modelsCommand(): Command {
  const models = new Command("models").description(
    "look after the models of a workspace, or with MODELS_BUCKET and REPORTS_BUCKET of a hospital's buckets",
  );
  anywhere(models.command("list"))
    .description(
      "every model, what was measured of it, which one is current, and how near its answers are to the network that was trained",
    )
    .action(async (flags: Flags, command: Command) => {
      const { listModels } = await import("../models.js");
      const listed = await listModels(placeOf(flags, command));
      if (flags.json) return print(listed);
      const { renderListed } = await import("../summary-table.js");
      process.stdout.write(listed.map(renderListed).join(""));
      if (listed.length === 0) process.stdout.write("There is no model here yet: npm run train makes one.\n");
      process.stdout.write(`${DISCLAIMER}\n`);
    });
  anywhere(models.command("compare"))
    .description(
      "two models side by side, and whether the change plan's rule lets the second take over from the first; or answers in files, of which each comparison is counted",
    )
    .argument("[id]", ID[1])
    .argument("[other]", "the id of another")
    .option(
      "--scores <files...>",
      "CSV with columns id, group, collection, label, champion, and one or more that begin with challenger; files of the same scans are one test set",
    )
    .option(
      "--counts <place>",
      "with --scores: a folder, or gs://BUCKET, in which comparisons are counted from one run to the next",
    )
    .action(async (a: string | undefined, b: string | undefined, flags: CompareFlags, command: Command) => {
      const { scores, counts } = flags;
      if (scores) {
        if (a !== undefined) command.error("error: --scores compares files: leave out the models' ids.");
        const { changePlan, compareFiles } = await import("../../promotion/index.js");
        const found = await compareFiles(scores, changePlan(), counts);
        if (flags.json) return print(found);
        const [first] = found;
        const only = found.every(({ file }) => file === first?.file);
        for (const { file, reason } of found) process.stdout.write(`${only ? "" : `${file}: `}${reason}\n`);
        return;
      }
      if (a === undefined || b === undefined) command.error("error: name two models, or --scores FILE.");
      const { compareModels } = await import("../models.js");
      const comparison = await compareModels(placeOf(flags, command), a, b);
      if (flags.json) return print(comparison);
      const { renderComparison } = await import("../summary-table.js");
      process.stdout.write(renderComparison(comparison));
    });
  anywhere(models.command("promote"))
    .description("make a model the current one, if it can be used and the change plan's rule says so")
    .argument(...ID)
    .action(async (id: string, flags: Flags, command: Command) => {
      const { promote } = await import("../models.js");
      await move(flags, placeOf(flags, command), (place) => promote(place, id));
    });
  anywhere(models.command("rollback"))
    .description("make the model before the current one current again; a second rollback undoes the first")
    .action(async (flags: Flags, command: Command) => {
      const { rollBack } = await import("../models.js");
      await move(flags, placeOf(flags, command), rollBack);
    });
  anywhere(models.command("inventory"))
    .description("the entry for a hospital's inventory of AI: the model that answers, its history, what was compared")
    .action(async (flags: Flags, command: Command) => {
      const { inventory } = await import("../models.js");
      const entry = await inventory(placeOf(flags, command));
      if (flags.json) return print(entry);
      const { renderInventory } = await import("../../promotion/index.js");
      process.stdout.write(renderInventory(entry));
    });
  anywhere(models.command("card"))
    .description("a model's card with its history: which came before it, what decided, what it was compared with")
    .argument(...ID)
    .action(async (id: string, flags: Flags, command: Command) => {
      const { card } = await import("../models.js");
      const text = await card(placeOf(flags, command), id);
      if (flags.json) return print({ id, card: text });
      process.stdout.write(text);
    });
  addCanary(models);
  models
    .command("convert")
    .description("add model.onnx and its measured parity to a model that an earlier program trained")
    .argument(...ID)
    .addOption(out())
    .addOption(backend())
    .action(async (id: string, options: { out: string; backend?: Backend }) => {
      requireWorkspace(options.out);
      const { convert } = await import("../convert-model.js");
      process.stdout.write(`${await convert(options.out, id, options.backend)}\n`);
    });
  return models;
}

/** A command that takes a workspace, or the buckets of a hospital as its processes are told of them. */
export function anywhere(command: Command): Command {
  return command
    .addOption(out())
    .addOption(bucket("--models <uri>", "models", "MODELS_BUCKET"))
    .addOption(bucket("--reports <uri>", "evaluations", "REPORTS_BUCKET"))
    .addOption(
      new Option("--warehouse <uri>", "the hospital's tables, in which what is done is written down").env("WAREHOUSE"),
    )
    .addOption(
      new Option("--warehouse-reader <account>", "as whom they are asked, in place of who runs this").env(
        "WAREHOUSE_READER",
      ),
    )
    .option("--json", "for a machine");
}

const bucket = (flags: string, what: string, variable: string) =>
  new Option(flags, `bucket of ${what}, gs://BUCKET, in place of a workspace`).env(variable).argParser((text) => {
    const { data, error } = bucketUri(`of ${what}`).safeParse(text);
    if (data === undefined) throw new InvalidArgumentError(`"${text}" ${error?.issues[0]?.message}.`);
    return data;
  });

/** @throws {ConfigurationError} if it is none, or half of one, or two */
export function placeOf(
  { out, models, reports, warehouse, warehouseReader }: PlaceFlags,
  command: Command,
): ModelPlace {
  const given = (name: string) => command.getOptionValueSource(name) === "cli";
  if (given("out") && (given("models") || given("reports")))
    throw new ConfigurationError("The place of the models", [
      "--out names a workspace, and --models and --reports name buckets: give one or the other.",
    ]);
  if (given("out") || (models === undefined && reports === undefined)) {
    requireWorkspace(out);
    return out;
  }
  if (models !== undefined && reports !== undefined) return { models, reports, warehouse, reader: warehouseReader };
  const missing = models === undefined ? "--models (or MODELS_BUCKET)" : "--reports (or REPORTS_BUCKET)";
  throw new ConfigurationError("The place of the models", [
    `${missing} is missing: models and their evaluations lie in two buckets.`,
  ]);
}

/** Does what moves the pointer, and says what came of it. */
async function move(
  { json }: Flags,
  place: ModelPlace,
  work: (place: ModelPlace) => Promise<Promotion>,
): Promise<void> {
  const { NotMoved } = await import("../../serve/index.js");
  if (typeof place !== "string" && place.warehouse === undefined)
    process.stderr.write(
      "No row of audit says that this is done: --warehouse (or WAREHOUSE) names the hospital's tables.\n",
    );
  try {
    const moved = await work(place);
    if (json) return print(moved);
    const before = moved.previous === null ? "there was none before it" : `before it was ${moved.previous}`;
    process.stdout.write(`${moved.reason}\n${moved.current} is current; ${before}.\n`);
  } catch (error) {
    if (!(error instanceof NotMoved)) throw error;
    const { code, message, clause } = error;
    if (json) print({ code, reason: message, ...(clause ? { clause } : {}) });
    else process.stderr.write(`${message}\n`);
    process.exitCode = EXIT.failed;
  }
}

export const print = (value: unknown) => void process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);

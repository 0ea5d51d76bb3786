import { existsSync } from "node:fs";
import { Command, InvalidArgumentError, Option } from "commander";
import { ConfigurationError } from "../../platform/config";
import { createProgress } from "../../platform/progress";
import { BigQueryWarehouse, importTables, openWarehouse, TABLE_NAMES, type TableName } from "../../platform/warehouse";
import { interruptible } from "../command-line";

interface ImportOptions {
  readonly from: string;
  readonly to: string;
  readonly tables?: readonly TableName[];
  readonly json?: true;
}

/** `warehouse import --from URI --to bigquery://PROJECT/DATASET [--tables LIST] [--json]` */
export function warehouseCommand(): Command {
  const warehouse = new Command("warehouse").description("look after the tables");
  warehouse
    .command("import")
    .description("load the tables of a bucket or folder into BigQuery, once; goes on where it was stopped")
    .requiredOption("--from <uri>", "warehouse of files: gs://BUCKET, or the folder warehouse of a workspace")
    .requiredOption("--to <uri>", "bigquery://PROJECT/DATASET")
    .addOption(new Option("--tables <list>", "some tables alone, with commas between").argParser(tableNames))
    .option("--json", "for a machine")
    .action(importInto);
  return warehouse;
}

async function importInto({ from, to, tables, json }: ImportOptions): Promise<void> {
  if (from.startsWith("bigquery:"))
    throw new ConfigurationError("The warehouse", [`--from ${from} is a dataset already: give a bucket or a folder.`]);
  if (!/^[a-z]+:/.test(from) && !existsSync(from))
    throw new ConfigurationError("The warehouse", [
      `--from ${from} is not there. Give gs://BUCKET, or the folder warehouse of a workspace.`,
    ]);
  const target = new BigQueryWarehouse(to);
  const source = await openWarehouse(from);
  const interruption = interruptible();
  try {
    const progress = createProgress("import");
    const done = await importTables(source, target, tables ?? TABLE_NAMES, { progress, signal: interruption.signal });
    if (json) process.stdout.write(`${JSON.stringify(done)}\n`);
    else
      for (const { table, batches, skipped, rows } of done)
        process.stdout.write(`${table}: ${rows} rows of ${batches} batches loaded, ${skipped} batches were there\n`);
  } finally {
    interruption.release();
    await Promise.all([source.close(), target.close()]);
  }
}

function tableNames(text: string): readonly TableName[] {
  const names = text.split(",");
  const unknown = names.filter((name) => !(TABLE_NAMES as readonly string[]).includes(name));
  if (unknown.length > 0)
    throw new InvalidArgumentError(`There is no table ${unknown.join(", ")}: there are ${TABLE_NAMES.join(", ")}.`);
  return names as readonly TableName[];
}

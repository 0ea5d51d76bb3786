import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "../constructs/core/repository";
import { LAYOUTS, type Named, TABLE_NAMES, type TableLayout } from "../runtime/platform/warehouse";
import { EXIT, ifMain, print, runTool, tool } from "./command";
import { markdownTable, marks, writtenBetween } from "./markdown";

export const TABLES_DOCUMENT = join(repositoryRoot(), "constructs", "warehouse", "README.md");

const PARTITIONS: Readonly<Record<NonNullable<TableLayout["partition"]>["granularity"], string>> = {
  DAY: "day",
  MONTH: "month",
};

/** What a column names, for a person. */
const NAMES: Readonly<Record<Named, string>> = {
  image: "the image",
  picture: "the picture",
  request: "the request",
  answer: "the answer",
  patient: "the patient",
};

/** The tables of the one definition as Markdown. */
export function tableList(): string {
  const rows = TABLE_NAMES.map((name) => {
    const { partition, clusterBy, requirePartitionFilter, description, of } = LAYOUTS[name];
    return [
      `\`${name}\``,
      partition
        ? `${PARTITIONS[partition.granularity]} of \`${partition.by}\`${requirePartitionFilter ? ", which a query must name" : ""}`
        : "not at all",
      clusterBy.join(", "),
      forgotten(of),
      description,
    ];
  });
  return markdownTable(
    ["table", "partitioned by", "clustered by", "what goes when a patient or a scan is forgotten", "what it holds"],
    rows,
  );
}

function forgotten(of: TableLayout["of"]): string {
  if (of === null) return "nothing: it says nothing of a scan";
  if (of === "in part") return "some of what a row says";
  const columns = Object.entries(of).map(([column, what]) => `\`${column}\` is ${NAMES[what]}`);
  return `rows whose ${columns.join(" or ")}`;
}

export const withTables = (document: string): string =>
  writtenBetween(document, marks("tables", "npm run docs:tables"), tableList());

/** The command `npm run docs:tables`. */
export async function docsTables(args: readonly string[]): Promise<number> {
  const program = tool("docs:tables", "Writes the warehouse's tables, from their definition, into its README.");
  return runTool(
    program,
    () => {
      writeFileSync(TABLES_DOCUMENT, withTables(readFileSync(TABLES_DOCUMENT, "utf8")));
      print("constructs/warehouse/README.md is current.");
      return EXIT.done;
    },
    args,
  );
}

ifMain(module, docsTables);

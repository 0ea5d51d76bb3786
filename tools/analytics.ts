import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { repositoryRoot } from "../constructs/core/repository";
import { ConfigurationError } from "../runtime/platform/config";
import { currentImages, type Dialect, type Question, TABLES, type TableName } from "../runtime/platform/warehouse";
import { openWorkspace } from "../runtime/platform/workspace";
import { EXIT, ifMain, print, runTool, tool } from "./command";
import { table } from "./table";

export interface Analysis {
  readonly title: string;
  readonly sql: string;
}

type Answer = Record<string, unknown>;

const VIEWS: Readonly<Record<string, (dialect: Dialect) => string>> = { current_images: currentImages };
const NAMED = /`DATASET\.([a-z_]+)`/g;

/** Headings with the SQL below each. */
export function analysesIn(markdown: string): readonly Analysis[] {
  return [...markdown.matchAll(/^## (.+)\n[\s\S]*?^```sql\n([\s\S]*?)^```$/gm)].map(([, title = "", sql = ""]) => ({
    title,
    sql,
  }));
}

/** As a question for any engine. @throws {ConfigurationError} where it names what is neither a table nor a view */
export function questionOf({ title, sql }: Analysis): Question<Record<string, never>, Answer> {
  const named = [...sql.matchAll(NAMED)].map(([, name = ""]) => name);
  const unknown = named.find((name) => !(name in TABLES) && !(name in VIEWS));
  if (unknown !== undefined)
    throw new ConfigurationError("The SQL", [
      `there is no table ${unknown}; there are ${[...Object.keys(TABLES), ...Object.keys(VIEWS)].join(", ")}.`,
    ]);
  const tables = new Set(
    named.flatMap((name) => (name in TABLES ? [name as TableName] : (["images", "assignments"] as const))),
  );
  return {
    name: title,
    tables: [...tables],
    foreign: true,
    parameters: z.strictObject({}),
    row: z.record(z.string(), z.unknown()),
    sql: (dialect) => {
      const quote = dialect.column("x").replace("x", "");
      const resolved = sql.replace(NAMED, (_, name: string) => {
        const view = VIEWS[name];
        return view ? `(\n${view(dialect)}\n)` : dialect.table(name as TableName);
      });
      // What is left in backticks is a column.
      return quote === "``" ? resolved : resolved.replace(/`([a-z_]+)`/g, (_, name: string) => dialect.column(name));
    },
  };
}

interface Flags {
  readonly out: string;
  readonly number?: string;
  readonly file?: string;
}

/** @returns the exit code */
export function analytics(args: readonly string[]): Promise<number> {
  const program = tool("analytics", "ask the questions of docs/analytics.md, or your own, of a workspace's tables")
    .requiredOption("--out <dir>", "workspace")
    .option("--number <n>", "one of the questions; all without it")
    .option("--file <file>", "SQL of your own, written as there");
  return runTool(
    program,
    async () => {
      const flags = program.opts<Flags>();
      const asked = askedFor(flags).map(questionOf);
      const workspace = await openWorkspace(flags.out);
      try {
        for (const question of asked) {
          print(`\n${question.name}`);
          const rows = await workspace.warehouse.ask(question, {});
          print(rows.length === 0 ? "(no rows)" : shown(rows));
        }
        return EXIT.done;
      } finally {
        await workspace.close();
      }
    },
    args,
  );
}

/** @throws {ConfigurationError} with everything that is wrong */
function askedFor({ out, number, file }: Flags): readonly Analysis[] {
  const problems: string[] = [];
  if (!existsSync(out)) problems.push(`--out ${out} is not there. npm run demo -- --out ${out} makes a workspace.`);
  if (number !== undefined && file !== undefined) problems.push("Give --number or --file, not both.");
  if (file !== undefined && !existsSync(file)) problems.push(`--file ${file} is not there.`);
  const all = analysesIn(readFileSync(join(repositoryRoot(), "docs/analytics.md"), "utf8"));
  const one = /^[1-9]\d*$/.test(number ?? "") ? all[Number(number) - 1] : undefined;
  if (number !== undefined && !one) problems.push(`There is no question ${number}: they are 1 to ${all.length}.`);
  if (problems.length > 0) throw new ConfigurationError("The command line", problems);
  if (file !== undefined) return [{ title: file, sql: readFileSync(file, "utf8").replace(/;\s*$/, "") }];
  return one ? [one] : all;
}

function shown(rows: readonly Answer[]): string {
  const columns = Object.keys(rows[0] as Answer).map((title) => ({ title, width: 70 }));
  const text = (value: unknown) =>
    typeof value === "number" && !Number.isInteger(value) ? value.toFixed(4) : String(value ?? "");
  // What rows say is not to steer a terminal.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
  const plain = (value: unknown) => text(value).replace(/[\u0000-\u001f\u007f-\u009f]/g, "?");
  return table(
    columns,
    rows.map((row) => columns.map(({ title }) => plain(row[title]))),
  );
}

ifMain(module, analytics);

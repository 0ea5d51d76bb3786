import { type Column, columnsOf, type Row, TABLES, type TableName } from "./tables";

/** A table's rows as an object's content: a JSON object a line. Equal rows are equal bytes. */
export function encodeRows<T extends TableName>(table: T, rows: readonly Row<T>[]): string {
  return rows.map((row) => `${JSON.stringify(inOrder(table, row))}\n`).join("");
}

/**
 * The row with its table's columns in their order and nothing else. A salt and what is rare, where it does not have them, are no column of it.
 * @throws {TypeError} if a value is missing or of another type
 */
export function inOrder<T extends TableName>(table: T, row: Row<T>): Row<T> {
  const values = row as Record<string, unknown>;
  return Object.fromEntries(
    columnsOf(table).flatMap((column) => {
      const value = values[column.name] ?? null;
      if (value === null && (column.salt || column.rare)) return [];
      const problem = problemOf(column, value);
      if (problem) throw new TypeError(`A row of ${table} ${problem}.`);
      return [[column.name, value]];
    }),
  ) as Row<T>;
}

/**
 * The rows of an object's content. Columns that an earlier version did not know are null; those that this version does not
 * know are left out.
 *
 * @param fail is called with what is wrong, such as "line 3 is cut short"
 * @param options `complete`: what would be left out is wrong too
 */
export function decodeRows<T extends TableName>(
  table: T,
  content: Buffer,
  fail: (what: string) => never,
  options: { readonly complete?: boolean } = {},
): Row<T>[] {
  const text = content.toString("utf8");
  if (text === "") return fail("it is empty");
  const lines = text.split("\n");
  // What is whole ends with a line feed: without it, something is missing.
  const rest = lines.pop();
  const rows = lines.map((line, index) => decodeRow(table, line, (what) => fail(`line ${index + 1} ${what}`), options));
  return rest === "" ? rows : fail(`line ${lines.length + 1} is cut short`);
}

function decodeRow<T extends TableName>(
  table: T,
  line: string,
  fail: (what: string) => never,
  { complete = false }: { readonly complete?: boolean },
): Row<T> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return fail("is no JSON");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return fail("is no JSON object");
  const known: readonly Column[] = TABLES[table];
  const unknown = Object.entries(value).filter(([name, one]) => one !== null && !known.some((of) => of.name === name));
  if (complete && unknown.length > 0) return fail(withUnknown(unknown.map(([name]) => name)));
  try {
    return inOrder(table, value as Row<T>);
  } catch (error) {
    return fail(`is damaged (${(error as Error).message.replace(/\.$/, "")})`);
  }
}

/** That a row has values which this version does not read, as the end of a sentence about it. */
export const withUnknown = (columns: readonly string[]): string =>
  `has ${columns.join(", ")}, of which this version does not know what it says`;

/** What is wrong with a value for a column, as the end of a sentence about its row. */
function problemOf({ name, type, mode }: Column, value: unknown): string | undefined {
  if (value === null) return mode === "NULLABLE" ? undefined : `has no ${name}`;
  const values = mode === "REPEATED" ? value : [value];
  if (Array.isArray(values) && values.every((one) => IS_OF[type](one))) return undefined;
  return `has a ${name} that is no ${type}${mode === "REPEATED" ? " list" : ""}`;
}

const IS_OF: Readonly<Record<Column["type"], (value: unknown) => boolean>> = {
  STRING: (value) => typeof value === "string",
  INT64: (value) => Number.isSafeInteger(value),
  FLOAT64: (value) => Number.isFinite(value),
  BOOL: (value) => typeof value === "boolean",
  TIMESTAMP: (value) => typeof value === "string" && /^\d{4}-/.test(value) && !Number.isNaN(Date.parse(value)),
};

/**
 * How rows differ from those that are stored, apart from the columns that say when, and salts; undefined if they do not. Names
 * columns and no values: this goes into logs.
 */
export function differenceOf<T extends TableName>(
  table: T,
  stored: readonly Row<T>[],
  rows: readonly Row<T>[],
): string | undefined {
  if (stored.length !== rows.length) return `${stored.length} rows instead of ${rows.length}`;
  const told = columnsOf(table).filter(({ clock, salt }) => !clock && !salt);
  for (const [index, row] of rows.entries()) {
    const value = (of: Row<T> | undefined, { name }: Column) =>
      JSON.stringify((of as Record<string, unknown> | undefined)?.[name] ?? null);
    const columns = told.filter((column) => value(row, column) !== value(stored[index], column));
    if (columns.length > 0) return `row ${index + 1} has another ${columns.map(({ name }) => name).join(", ")}`;
  }
  return undefined;
}

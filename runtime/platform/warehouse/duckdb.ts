import { dirname } from "node:path";
import type { DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { ConfigurationError } from "../config";
import { onDisk } from "../disk";
import { DUCKDB } from "./question";
import { type Column, TABLES, type TableName } from "./tables";

const TYPES: Readonly<Record<Column["type"], string>> = {
  STRING: "VARCHAR",
  INT64: "BIGINT",
  FLOAT64: "DOUBLE",
  BOOL: "BOOLEAN",
  TIMESTAMP: "TIMESTAMP",
};

/** Of what it holds itself; what does not fit goes to its folder. */
const MEMORY = "1GB";

/** A DuckDB that reads tables from files. */
export class DuckDb {
  private constructor(
    private readonly instance: DuckDBInstance,
    private readonly connection: DuckDBConnection,
  ) {}

  /**
   * Loads DuckDB, which takes a moment.
   * @param folder where it may put what does not fit into memory. Without one, all has to.
   */
  static async open(folder?: string): Promise<DuckDb> {
    const { DuckDBInstance } = await import("@duckdb/node-api");
    const bounded = folder === undefined ? {} : { memory_limit: MEMORY, temp_directory: folder };
    const instance = await DuckDBInstance.create(":memory:", { threads: "2", ...bounded });
    return new DuckDb(instance, await instance.connect());
  }

  /** Makes a table a view of a file with a JSON object a line; without a file, of nothing. */
  async view(table: TableName, file: string | undefined): Promise<void> {
    const columns: readonly Column[] = TABLES[table];
    const select =
      file === undefined
        ? `${columns.map((column) => `CAST(NULL AS ${typeOf(column)}) AS ${DUCKDB.column(column.name)}`).join(", ")} WHERE false`
        : `* FROM read_json(${quoted(file)}, format = 'newline_delimited', columns = {${columns
            .map((column) => `"${column.name}": '${typeOf(column)}'`)
            .join(", ")}})`;
    await this.connection.run(`CREATE OR REPLACE VIEW ${DUCKDB.table(table)} AS SELECT ${select}`);
  }

  /** How many rows of a table lack a value that each has. */
  async incomplete(table: TableName): Promise<number> {
    const columns: readonly Column[] = TABLES[table];
    const missing = columns
      .filter(({ mode, superseded }) => mode === "REQUIRED" && !superseded)
      .map(({ name }) => `${DUCKDB.column(name)} IS NULL`);
    const result = await this.connection.runAndReadAll(
      `SELECT COUNT(*) FROM ${DUCKDB.table(table)} WHERE ${missing.join(" OR ")}`,
    );
    return Number(result.getRows()[0]?.[0]);
  }

  /**
   * From now on it reads these files and its own folder, and nothing else of this machine or of a network; it writes nowhere
   * but into that folder, loads no extension, and SQL cannot take that back.
   */
  async confine(files: readonly string[]): Promise<void> {
    await this.connection.run(`SET allowed_paths = [${files.map(quoted).join(", ")}]`);
    await this.connection.run("SET enable_external_access = false");
    await this.connection.run("SET lock_configuration = true");
  }

  /**
   * Only to be asked once {@link confine} has been: DuckDB opens files while it parses some statements.
   * @throws {ConfigurationError} where SQL is anything but one SELECT
   */
  async mustSelect(sql: string): Promise<void> {
    const { StatementType } = await import("@duckdb/node-api");
    const refuse = (problem: string) => new ConfigurationError("The SQL", [problem]);
    // Of text without a statement DuckDB's binding says nothing that a person understands.
    if (sql.replace(/--.*|\/\*[\s\S]*?\*\//g, "").trim() === "") throw refuse("there is no statement in it.");
    const statements = await this.connection.extractStatements(sql);
    if (statements.count !== 1) throw refuse(`it is ${statements.count} statements; ask one SELECT at a time.`);
    const statement = await statements.prepare(0);
    try {
      const { statementType } = statement;
      if (statementType !== StatementType.SELECT)
        throw refuse(`it is ${StatementType[statementType]}; a question is one SELECT, and changes nothing.`);
    } finally {
      statement.destroySync();
    }
  }

  /** Writes what a query gives to a Parquet file. */
  async extract(sql: string, parameters: Readonly<Record<string, string | number>>, file: string): Promise<void> {
    const values = Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, bindable(value)]));
    const target = `${quoted(file)} (FORMAT parquet, COMPRESSION zstd)`;
    await onDisk(file, () => this.connection.run(`COPY (${sql}) TO ${target}`, values));
  }

  /** Some thousand rows at a time: what else the process has to do goes on while many are read. */
  async *query(
    sql: string,
    parameters: Readonly<Record<string, string | number>>,
  ): AsyncGenerator<Record<string, unknown>[]> {
    const values = Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, bindable(value)]));
    const result = await this.connection.stream(sql, values);
    for await (const rows of result.yieldRowObjectJs())
      yield rows.map((row) => Object.fromEntries(Object.entries(row).map(([key, value]) => [key, plain(value)])));
  }

  close(): void {
    this.connection.closeSync();
    this.instance.closeSync();
  }
}

const quoted = (text: string) => `'${text.replaceAll("'", "''")}'`;

const typeOf = ({ type, mode }: Column) => `${TYPES[type]}${mode === "REPEATED" ? "[]" : ""}`;

function bindable(value: string | number): string | number | bigint {
  return typeof value === "number" && Number.isSafeInteger(value) ? BigInt(value) : value;
}

function plain(value: unknown): unknown {
  if (typeof value === "bigint") return Number(value);
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map(plain);
  return value;
}

/**
 * Makes a Parquet file of a file with a JSON object a line, its rows in their order.
 * @param columns DuckDB's types by the names of the columns
 */
export async function parquetOfLines(
  lines: string,
  columns: Readonly<Record<string, string>>,
  file: string,
): Promise<void> {
  const database = await DuckDb.open(dirname(file));
  const types = Object.entries(columns).map(([name, type]) => `"${name}": '${type}'`);
  try {
    await database.extract(
      `SELECT * FROM read_json(${quoted(lines)}, format = 'newline_delimited', columns = {${types.join(", ")}})`,
      {},
      file,
    );
  } finally {
    database.close();
  }
}

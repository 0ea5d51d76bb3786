import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { onDisk } from "../disk";
import type { CreatableStore, ObjectStore, ReadableStore } from "../stores";
import { DirectoryStore } from "../stores";
import { type Column, type Row, TABLES, type TableName } from "./tables";
import type { Warehouse } from "./warehouse";

const SUFFIX = ".jsonl";
/** Objects read at a time. */
const READS = 16;

const DUCKDB_TYPES: Readonly<Record<Column["type"], string>> = {
  STRING: "VARCHAR",
  INT64: "BIGINT",
  FLOAT64: "DOUBLE",
  BOOL: "BOOLEAN",
  TIMESTAMP: "TIMESTAMP",
};

const duckdbType = ({ type, mode }: Column) => `${DUCKDB_TYPES[type]}${mode === "REPEATED" ? "[]" : ""}`;

/**
 * Tables as objects: `<table>/<batch>.jsonl`, a JSON object a line. Each batch is written atomically; readers open
 * nothing exclusively, so any number of processes read while others append. DuckDB is loaded by the first query only.
 */
export class ObjectStoreWarehouse implements Warehouse {
  private database: Promise<{ instance: DuckDBInstance; connection: DuckDBConnection }> | undefined;

  private last: Promise<unknown> = Promise.resolve();

  private readonly store: ObjectStore;

  /** @param store with the methods of the caller's rights: one that cannot be read answers no question */
  constructor(store: ReadableStore | CreatableStore) {
    this.store = store as ObjectStore;
  }

  async append<T extends TableName>(table: T, name: string, rows: readonly Row<T>[]): Promise<void> {
    const content = rows.map((row) => `${JSON.stringify(inOrder(table, row))}\n`).join("");
    const how = { contentType: "application/x-ndjson" };
    if ("write" in this.store) await this.store.write(objectName(table, name), content, how);
    else await (this.store as CreatableStore).create(objectName(table, name), content, how);
  }

  async batches(table: TableName, prefix = ""): Promise<readonly string[]> {
    const names: string[] = [];
    for await (const { name } of this.store.listAll(`${table}/${prefix}`)) {
      if (name.endsWith(SUFFIX)) names.push(name.slice(table.length + 1, -SUFFIX.length));
    }
    // Objects are listed by their names, in which the suffix takes part.
    return names.sort();
  }

  async batch<T extends TableName>(table: T, name: string): Promise<readonly Row<T>[] | undefined> {
    const object = await this.store.stat(objectName(table, name));
    if (!object) return undefined;
    return parse<T>(await this.store.read(object.name, { generation: object.generation }));
  }

  async rows<T extends TableName>(table: T): Promise<readonly { readonly batch: string; readonly row: Row<T> }[]> {
    const names = await this.batches(table);
    const found: { batch: string; row: Row<T> }[] = [];
    for (let start = 0; start < names.length; start += READS) {
      const part = names.slice(start, start + READS);
      const contents = await Promise.all(part.map((name) => this.batch(table, name)));
      for (const [i, rows] of contents.entries()) {
        for (const row of rows ?? []) found.push({ batch: part[i] as string, row });
      }
    }
    return found;
  }

  query<R extends Record<string, unknown>>(sql: string, parameters: readonly (string | number)[] = []): Promise<R[]> {
    // One at a time: they share the views.
    const answer = this.last.then(() => this.run<R>(sql, parameters));
    this.last = answer.catch(() => {});
    return answer;
  }

  private async run<R>(sql: string, parameters: readonly (string | number)[]): Promise<R[]> {
    this.database ??= openDatabase();
    const { connection } = await this.database;
    const needed = (Object.keys(TABLES) as TableName[]).filter((table) => new RegExp(`\\b${table}\\b`, "i").test(sql));
    const folder =
      this.store instanceof DirectoryStore ? undefined : await mkdtemp(join(tmpdir(), `warehouse-${process.pid}-`));
    try {
      for (const table of needed) await connection.run(viewOf(table, await this.files(table, folder)));
      const result = await connection.runAndReadAll(sql, parameters.map(bindable));
      return result.getRowObjectsJS().map((row) => plainRow(row) as R);
    } finally {
      if (folder) await rm(folder, { recursive: true, force: true });
    }
  }

  async close(): Promise<void> {
    await this.last;
    const open = await this.database;
    this.database = undefined;
    open?.connection.closeSync();
    open?.instance.closeSync();
  }

  /** A glob for DuckDB over the table's files on this machine, or undefined where the table is empty. */
  private async files(table: TableName, folder: string | undefined): Promise<string | undefined> {
    // Listing also puts right what a crash left behind, so that the visible files are the live ones.
    const batches = await this.batches(table);
    if (batches.length === 0) return undefined;
    if (folder === undefined) {
      return join(literal((this.store as DirectoryStore).root), table, "**", `*${SUFFIX}`);
    }
    const path = join(folder, `${table}${SUFFIX}`);
    for (let start = 0; start < batches.length; start += READS) {
      const part = batches.slice(start, start + READS);
      const contents = await Promise.all(part.map((name) => this.store.read(objectName(table, name))));
      await onDisk(path, () => writeFile(path, Buffer.concat(contents), { flag: "a" }));
    }
    return path;
  }
}

async function openDatabase() {
  const { DuckDBInstance } = await import("@duckdb/node-api");
  const instance = await DuckDBInstance.create(":memory:", { threads: "2" });
  return { instance, connection: await instance.connect() };
}

function objectName(table: TableName, batch: string): string {
  return `${table}/${batch}${SUFFIX}`;
}

/** The row with its table's columns in their order and nothing else: equal rows are equal bytes. */
function inOrder<T extends TableName>(table: T, row: Row<T>): Record<string, unknown> {
  const values = row as Record<string, unknown>;
  return Object.fromEntries(
    TABLES[table].map(({ name, mode }) => {
      const value = values[name] ?? null;
      if (value === null && mode !== "NULLABLE") throw new TypeError(`A row of ${table} has no ${name}.`);
      return [name, value];
    }),
  );
}

function parse<T extends TableName>(content: Buffer): Row<T>[] {
  return content
    .toString("utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Row<T>);
}

function viewOf(table: TableName, files: string | undefined): string {
  const columns: readonly Column[] = TABLES[table];
  if (files === undefined) {
    const empty = columns.map((column) => `CAST(NULL AS ${duckdbType(column)}) AS "${column.name}"`).join(", ");
    return `CREATE OR REPLACE VIEW "${table}" AS SELECT ${empty} WHERE false`;
  }
  const types = columns.map((column) => `"${column.name}": '${duckdbType(column)}'`).join(", ");
  return `CREATE OR REPLACE VIEW "${table}" AS SELECT * FROM read_json(${quote(files)}, format = 'newline_delimited', columns = {${types}})`;
}

/** A path in which DuckDB sees no pattern. */
function literal(path: string): string {
  return path.replace(/[*?[]/g, "[$&]");
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

function bindable(value: string | number): string | number | bigint {
  return typeof value === "number" && Number.isSafeInteger(value) ? BigInt(value) : value;
}

function plainRow(row: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(row).map(([key, value]) => [key, plain(value)]));
}

function plain(value: unknown): unknown {
  if (typeof value === "bigint") return Number(value);
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map(plain);
  return value;
}

import { appendFile, rm } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { BigQuery } from "@google-cloud/bigquery";
import { onDisk } from "../../disk";
import { parquetOfLines } from "../duckdb";
import { DamagedRowsError, DifferentRowsError } from "../errors";
import type { Question } from "../question";
import { differenceOf, inOrder, withUnknown } from "../rows";
import { columnsOf, type Row, type TableName } from "../tables";
import type { AppendOptions, Warehouse } from "../warehouse";
import { type Endpoints, endpointsOf, restClient, WriteClient } from "./clients";
import { bigQuery, everyPartition, FIRST_ATTEMPTS } from "./dialect";
import { explained, isBusy } from "./errors";
import { allColumns } from "./resources";
import { RowEncoder } from "./row-encoder";
import { NO_BOOK, type StreamBook, StreamFolder } from "./stream-book";
import { TableWriter } from "./table-writer";
import { type ApiColumn, Tables } from "./tables";
import { type DatasetAddress, parseDataset } from "./uri";

export interface BigQueryOptions {
  /** Folder that outlives the process, in which it keeps the names of its streams. @default none */
  readonly streams?: string | undefined;
  /**
   * E-mail address of the account as which everything is asked, and which this process may impersonate. Who may add rows
   * could change them too if he could run jobs: so he asks as somebody else. @default its own
   */
  readonly reader?: string | undefined;
  /** How long rows are tried to be added, in milliseconds. @default 60,000 */
  readonly patienceMs?: number;
  /** @default what the environment says */
  readonly endpoints?: Endpoints;
}

/** What one account may do. */
interface Access {
  readonly client: BigQuery;
  readonly tables: Tables;
}

/** Rows of an answer that are asked for at a time. */
const EXTRACTED_PAGE = 50_000;
/** DuckDB's types by BigQuery's; all else is text. */
const DUCKDB_TYPES: Readonly<Record<string, string>> = {
  ...{ INTEGER: "BIGINT", INT64: "BIGINT", FLOAT: "DOUBLE", FLOAT64: "DOUBLE" },
  ...{ BOOLEAN: "BOOLEAN", BOOL: "BOOLEAN", TIMESTAMP: "TIMESTAMP" },
};
const PATIENCE_MS = 60_000;
const FIRST_PAUSE_MS = 250;

/**
 * Tables of a BigQuery dataset. Rows are added through a committed stream for each process and table, see
 * {@link TableWriter}.
 *
 * BigQuery has no name that only one can have. A batch's name is a column, every attempt to add it has a sign of its own
 * that begins with the time, and whoever reads takes the rows of the least: all readers see one batch of a name, and the
 * same. Where it is not said to be `unique`, `append` looks for the name before and after. Of two processes that add other
 * rows under one name within the seconds that this takes, both may be told that theirs are there; all the same, readers
 * see one of them.
 */
export class BigQueryWarehouse implements Warehouse {
  /** `project.dataset` */
  readonly name: string;

  private readonly endpoints: Endpoints;

  private readonly patienceMs: number;

  private readonly book: StreamBook;

  private readonly writers = new Map<TableName, TableWriter>();

  private readonly reader: string | undefined;

  private own: Access | undefined;

  private asking: Access | undefined;

  private write: WriteClient | undefined;

  private leftovers: Promise<void> | undefined;

  /** @param address or its URI. Makes no request. @throws {ConfigurationError} */
  constructor(address: DatasetAddress | string, options: BigQueryOptions = {}) {
    this.address = typeof address === "string" ? parseDataset(address) : address;
    this.name = `${this.address.project}.${this.address.dataset}`;
    this.endpoints = options.endpoints ?? endpointsOf(process.env);
    this.patienceMs = options.patienceMs ?? PATIENCE_MS;
    this.reader = options.reader;
    this.book = options.streams === undefined ? NO_BOOK : new StreamFolder(options.streams);
  }

  private readonly address: DatasetAddress;

  async append<T extends TableName>(
    table: T,
    name: string,
    rows: readonly Row<T>[],
    options: AppendOptions = {},
  ): Promise<void> {
    if (rows.length === 0) throw new TypeError(`A batch of ${table} has one or more rows.`);
    const checked = rows.map((row) => inOrder(table, row));
    if (!options.unique && (await this.isThere(table, name, checked))) return;
    try {
      await this.writer(table).append(name, checked as readonly Record<string, unknown>[]);
    } catch (error) {
      if (error instanceof RangeError) throw error;
      throw explained(error, `Rows were not added to ${table}`, this.name);
    }
    if (!options.unique) await this.isThere(table, name, checked);
  }

  /** @throws {DifferentRowsError} if there are others */
  private async isThere<T extends TableName>(table: T, name: string, rows: readonly Row<T>[]): Promise<boolean> {
    const stored = await this.batch(table, name);
    if (!stored) return false;
    const difference = differenceOf(table, stored, rows);
    if (difference) throw new DifferentRowsError(table, name, `${this.name}.${table}`, difference);
    return true;
  }

  async batches(table: TableName, prefix = ""): Promise<readonly string[]> {
    const found = await this.query(
      `The batches of ${table} could not be listed`,
      `SELECT DISTINCT batch FROM ${this.raw(table)} AND batch IS NOT NULL AND STARTS_WITH(batch, @prefix)`,
      { prefix },
      [table],
    );
    return found.map(({ batch }) => String(batch)).sort();
  }

  async batch<T extends TableName>(table: T, name: string): Promise<readonly Row<T>[] | undefined> {
    const found = await this.query(
      `A batch of ${table} could not be read`,
      `SELECT ${selected(table)} FROM ${this.raw(table)} AND batch = @name ${FIRST_ATTEMPTS} ORDER BY batch_row`,
      { name },
      [table],
    );
    return found.length === 0 ? undefined : found.map((row) => inOrder(table, row as Row<T>));
  }

  async someBatches<T extends TableName>(
    table: T,
    names: readonly string[],
  ): Promise<ReadonlyMap<string, readonly Row<T>[] | DamagedRowsError>> {
    const unknown = await this.unknownColumns(table);
    const filled = unknown.map(({ name, mode }, at) =>
      mode === "REPEATED" ? `ARRAY_LENGTH(\`${name}\`) > 0 AS filled_${at}` : `\`${name}\` IS NOT NULL AS filled_${at}`,
    );
    const found = await this.query(
      `Batches of ${table} could not be read`,
      `SELECT ${["batch", ...filled, selected(table)].join(", ")} FROM ${this.raw(table)} AND batch IN UNNEST(@names) ${FIRST_ATTEMPTS} ORDER BY batch, batch_row`,
      { names: [...names] },
      [table],
    );
    const batches = new Map<string, Row<T>[] | DamagedRowsError>();
    for (const { batch, ...row } of found) {
      const name = String(batch);
      const rows = batches.get(name) ?? [];
      if (rows instanceof DamagedRowsError) continue;
      const strange = unknown.filter((_, at) => row[`filled_${at}`] === true);
      if (strange.length > 0) {
        const what = `row ${rows.length + 1} of ${name} ${withUnknown(strange.map((column) => column.name))}`;
        batches.set(name, new DamagedRowsError(table, `${this.name}.${table}`, what));
        continue;
      }
      rows.push(inOrder(table, row as Row<T>));
      batches.set(name, rows);
    }
    return batches;
  }

  private async unknownColumns(table: TableName): Promise<readonly ApiColumn[]> {
    try {
      return await this.asReader().tables.unknownColumns(table);
    } catch (error) {
      throw explained(error, `The columns of ${table} could not be looked at`, this.name);
    }
  }

  /** Rows that were loaded by hand belong to no batch: its name is empty. */
  async rows<T extends TableName>(table: T): Promise<readonly { readonly batch: string; readonly row: Row<T> }[]> {
    const found = await this.query(
      `The rows of ${table} could not be read`,
      `SELECT batch, ${selected(table)} FROM ${this.raw(table)} ${FIRST_ATTEMPTS} ORDER BY batch, batch_row`,
      {},
      [table],
    );
    return found.map(({ batch, ...row }) => ({
      batch: typeof batch === "string" ? batch : "",
      row: inOrder(table, row as Row<T>),
    }));
  }

  async ask<P, R>(question: Question<P, R>, parameters: P): Promise<readonly R[]> {
    if (question.foreign)
      throw new TypeError(`"${question.name}" is SQL from outside: a person asks BigQuery it themselves.`);
    const values = question.parameters.parse(parameters) as Readonly<Record<string, string | number>>;
    const rows = await this.query(
      `The question "${question.name}" could not be answered`,
      question.sql(bigQuery(this.name)),
      values,
      question.tables,
    );
    return rows.map((row) => question.row.parse(row));
  }

  /** Page after page: no more of the answer than a page lies in memory. */
  async extract<P, R>(question: Question<P, R>, parameters: P, file: string): Promise<void> {
    const params = question.parameters.parse(parameters) as Readonly<Record<string, string | number>>;
    const lines = `${file}.jsonl`;
    try {
      await this.finaliseLeftovers();
      for (const table of question.tables) await this.asReader().tables.ready(table);
      const [job] = await this.asReader().client.createQueryJob({
        query: question.sql(bigQuery(this.name)),
        params,
        maximumBytesBilled: String(this.address.maximumBytesBilled),
      });
      let columns: Record<string, string> = {};
      let pageToken: string | undefined;
      do {
        const [rows, , answer] = await job.getQueryResults({
          autoPaginate: false,
          maxResults: EXTRACTED_PAGE,
          ...(pageToken === undefined ? {} : { pageToken }),
        });
        columns = Object.fromEntries(
          (answer?.schema?.fields ?? []).map(({ name, type }) => [
            String(name),
            DUCKDB_TYPES[String(type)] ?? "VARCHAR",
          ]),
        );
        const text = rows.map((row) => `${JSON.stringify(plainRow(row as Record<string, unknown>))}\n`).join("");
        await onDisk(lines, () => appendFile(lines, text));
        pageToken = answer?.pageToken ?? undefined;
      } while (pageToken !== undefined);
      await parquetOfLines(lines, columns, file);
    } catch (error) {
      throw explained(error, `The answer to "${question.name}" could not be extracted`, this.name);
    } finally {
      await rm(lines, { force: true });
    }
  }

  /** Loads the client and opens a stream for each table, so that the first rows need not wait for that: some seconds. */
  async warm(tables: readonly TableName[]): Promise<void> {
    await Promise.all(tables.map((table) => this.writer(table).warm()));
  }

  /**
   * Makes the tables that are missing, and adds the columns that they lack. Nothing is changed or dropped.
   * @returns what was done, a sentence each
   * @throws {ConfigurationError}
   */
  async migrate(tables: readonly TableName[]): Promise<readonly string[]> {
    const done: string[] = [];
    for (const table of tables) done.push(...(await this.asItself().tables.ready(table)));
    return done;
  }

  /**
   * Adds the rows of a file with a JSON object a line, with the columns of the table in BigQuery, as a whole or not at all.
   * Parquet, as DuckDB writes it, has no required columns, and BigQuery refuses those for a table that has some.
   *
   * @param job made for these rows: BigQuery takes a job of one name once, so a repeated call loads nothing twice
   */
  async load(table: TableName, file: string, job: string): Promise<void> {
    try {
      await this.asItself().tables.ready(table);
      for (let again = 0; ; again++) {
        const id = again === 0 ? job : `${job}-${again}`;
        if (await this.loaded(table, file, id)) return;
        // It was tried before, and failed: that name is spent.
      }
    } catch (error) {
      throw explained(error, `Rows were not loaded into ${table}`, this.name);
    }
  }

  /** False if a job of this name failed earlier. */
  private async loaded(table: TableName, file: string, jobId: string): Promise<boolean> {
    try {
      await this.asItself()
        .client.dataset(this.address.dataset)
        .table(table)
        .load(file, { jobId, sourceFormat: "NEWLINE_DELIMITED_JSON", writeDisposition: "WRITE_APPEND" });
      return true;
    } catch (error) {
      if ((error as { readonly code?: unknown }).code !== 409) throw error;
      return this.outcome(jobId);
    }
  }

  /** Whether a job that another call started did its work. */
  private async outcome(jobId: string): Promise<boolean> {
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, 5_000)) {
      const [{ status }] = await this.asItself().client.job(jobId).getMetadata();
      if (status?.state === "DONE") return status.errorResult === undefined;
      await sleep(pause);
    }
  }

  /** Waits for rows that are on their way, and finalises the streams. */
  async close(): Promise<void> {
    await this.leftovers;
    await Promise.all([...this.writers.values()].map((writer) => writer.close()));
    this.writers.clear();
    await this.write?.close();
    this.write = undefined;
  }

  private writer(table: TableName): TableWriter {
    const known = this.writers.get(table);
    if (known) return known;
    const { project, dataset } = this.address;
    const parent = `projects/${project}/datasets/${dataset}/tables/${table}`;
    const made = new TableWriter({
      service: {
        createStream: (type) => this.writing().createStream(parent, type),
        commitStream: (stream) => this.writing().commitStream(parent, stream),
        finalizeStream: (stream) => this.writing().finalizeStream(stream),
        appendRows: (stream) => this.writing().appendRows(stream),
      },
      encoder: async () => {
        await this.finaliseLeftovers();
        await this.asItself().tables.ready(table);
        return new RowEncoder(allColumns(table));
      },
      book: this.book,
      stored: (names) => this.storedAmong(table, names),
      patienceMs: this.patienceMs,
    });
    this.writers.set(table, made);
    return made;
  }

  /** Which batches are there; undefined for a process that may not ask. */
  private async storedAmong(table: TableName, names: readonly string[]): Promise<ReadonlySet<string> | undefined> {
    const sql = `SELECT DISTINCT batch FROM ${this.raw(table)} AND batch IN UNNEST(@names)`;
    try {
      const found = await this.run(sql, { names: [...names] });
      return new Set(found.map(({ batch }) => String(batch)));
    } catch (error) {
      if ((error as { readonly code?: unknown }).code === 403) return undefined;
      throw error;
    }
  }

  /** Streams of processes that died: nothing of theirs can arrive late afterwards. */
  private finaliseLeftovers(): Promise<void> {
    this.leftovers ??= (async () => {
      for (const stream of this.book.left()) {
        // BigQuery may have forgotten it.
        await this.writing()
          .finalizeStream(stream)
          .catch(() => {});
        this.book.remove(stream);
      }
    })();
    return this.leftovers;
  }

  /** What stands behind FROM, up to the conditions. */
  private raw(table: TableName): string {
    return `\`${this.name}.${table}\` WHERE ${everyPartition(table)}`;
  }

  private async query(
    what: string,
    sql: string,
    parameters: Readonly<Record<string, unknown>>,
    tables: readonly TableName[],
  ): Promise<Record<string, unknown>[]> {
    try {
      // A dead process's rows that are still on their way would be missed.
      await this.finaliseLeftovers();
      for (const table of tables) await this.asReader().tables.ready(table);
      return await this.run(sql, parameters);
    } catch (error) {
      throw explained(error, what, this.name);
    }
  }

  private async run(sql: string, params: Readonly<Record<string, unknown>>): Promise<Record<string, unknown>[]> {
    const until = Date.now() + this.patienceMs;
    for (let pause = FIRST_PAUSE_MS; ; pause *= 2) {
      try {
        const [rows] = await this.asReader().client.query({
          query: sql,
          params: { ...params },
          maximumBytesBilled: String(this.address.maximumBytesBilled),
        });
        return (rows as Record<string, unknown>[]).map(plainRow);
      } catch (error) {
        if (!isBusy(error) || Date.now() + pause > until) throw error;
        await sleep(pause * (0.5 + Math.random() / 2));
      }
    }
  }

  private asItself(): Access {
    this.own ??= this.access();
    return this.own;
  }

  private asReader(): Access {
    this.asking ??= this.reader === undefined ? this.asItself() : this.access(this.reader);
    return this.asking;
  }

  private access(account?: string): Access {
    const client = restClient(this.address, this.endpoints, account);
    return { client, tables: new Tables(client.dataset(this.address.dataset), this.name) };
  }

  private writing(): WriteClient {
    this.write ??= new WriteClient(this.address, this.endpoints);
    return this.write;
  }
}

const selected = (table: TableName): string =>
  columnsOf(table)
    .map(({ name }) => `\`${name}\``)
    .join(", ");

const plainRow = (row: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(row).map(([name, value]) => [name, plain(value)]));

/** The client wraps times. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  const { value: time } = value as { readonly value?: unknown };
  return typeof time === "string" ? new Date(time).toISOString() : value;
}

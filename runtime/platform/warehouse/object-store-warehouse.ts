import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onDisk } from "../disk";
import {
  ChecksumMismatchError,
  type CreatableStore,
  ObjectNotFoundError,
  PreconditionFailedError,
  type ReadableStore,
} from "../stores";
import { DuckDb } from "./duckdb";
import { DamagedRowsError, DifferentRowsError } from "./errors";
import { DUCKDB, type Question } from "./question";
import { decodeRows, differenceOf, encodeRows } from "./rows";
import type { Row, TableName } from "./tables";
import type { AppendOptions, Warehouse } from "./warehouse";

const SUFFIX = ".jsonl";
/** Objects read at a time. */
const READS = 16;
const LINE_FEED = 10;

/**
 * Tables as objects: `<table>/<batch>.jsonl`, a JSON object a line. Each batch is created atomically and never replaced;
 * readers open nothing exclusively, so any number of processes read while others append. DuckDB is loaded by the first
 * question only, and is given copies: what it reads has been checked, whatever the store is.
 */
export class ObjectStoreWarehouse implements Warehouse {
  private database: Promise<DuckDb> | undefined;

  private last: Promise<unknown> = Promise.resolve();

  private readonly store: ReadableStore & CreatableStore;

  /** @param store with the methods of the caller's rights: one that cannot be read answers no question */
  constructor(store: ReadableStore | CreatableStore) {
    this.store = store as ReadableStore & CreatableStore;
  }

  async append<T extends TableName>(
    table: T,
    name: string,
    rows: readonly Row<T>[],
    options: AppendOptions = {},
  ): Promise<void> {
    if (rows.length === 0) throw new TypeError(`A batch of ${table} has one or more rows.`);
    const content = encodeRows(table, rows);
    for (;;) {
      try {
        await this.store.create(objectName(table, name), content, { contentType: "application/x-ndjson" });
        return;
      } catch (error) {
        if (!(error instanceof PreconditionFailedError)) throw error;
        if (options.unique) return;
        // Whether the rows are equal, who may not read cannot tell.
        if (!("read" in this.store)) throw error;
      }
      const stored = await this.batch(table, name);
      // Somebody took it away meanwhile.
      if (!stored) continue;
      const difference = differenceOf(table, stored, rows);
      if (difference) throw new DifferentRowsError(table, name, this.location(table, name), difference);
      return;
    }
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
    return (await this.read(table, name))?.rows;
  }

  async someBatches<T extends TableName>(
    table: T,
    names: readonly string[],
  ): Promise<ReadonlyMap<string, readonly Row<T>[] | DamagedRowsError>> {
    const found = new Map<string, readonly Row<T>[] | DamagedRowsError>();
    for (const name of names) {
      try {
        const batch = await this.read(table, name, { complete: true });
        if (batch) found.set(name, batch.rows);
      } catch (error) {
        if (!(error instanceof DamagedRowsError)) throw error;
        found.set(name, error);
      }
    }
    return found;
  }

  async rows<T extends TableName>(table: T): Promise<readonly { readonly batch: string; readonly row: Row<T> }[]> {
    const found: { batch: string; row: Row<T> }[] = [];
    for await (const { batch, rows } of this.all(table)) for (const row of rows) found.push({ batch, row });
    return found;
  }

  ask<P, R>(question: Question<P, R>, parameters: P): Promise<readonly R[]> {
    // One at a time: they share the views.
    const answer = this.last.then(() => this.answer(question, parameters));
    this.last = answer.catch(() => {});
    return answer;
  }

  private async answer<P, R>(question: Question<P, R>, parameters: P): Promise<readonly R[]> {
    const values = question.parameters.parse(parameters) as Record<string, string | number>;
    const sql = question.sql(DUCKDB);
    const folder = await mkdtemp(join(tmpdir(), `warehouse-${process.pid}-`));
    let own: DuckDb | undefined;
    try {
      // What is confined stays so, to the files of one question: others have another engine.
      if (question.foreign) own = await DuckDb.open(folder);
      const database = own ?? (await this.shared());
      const files: string[] = [];
      for (const table of question.tables) {
        const file = await this.copy(table, folder);
        await database.view(table, file);
        if (file !== undefined) files.push(file);
      }
      if (question.foreign) {
        await database.confine(files);
        await database.mustSelect(sql);
      }
      const rows: R[] = [];
      for await (const some of database.query(sql, values)) for (const row of some) rows.push(question.row.parse(row));
      return rows;
    } finally {
      own?.close();
      await rm(folder, { recursive: true, force: true });
    }
  }

  private shared(): Promise<DuckDb> {
    this.database ??= DuckDb.open();
    return this.database;
  }

  async extract<P, R>(question: Question<P, R>, parameters: P, file: string): Promise<void> {
    const values = question.parameters.parse(parameters) as Record<string, string | number>;
    const folder = await mkdtemp(join(tmpdir(), `warehouse-${process.pid}-`));
    const database = await DuckDb.open(folder);
    try {
      for (const table of question.tables) await database.view(table, await this.rawCopy(table, folder));
      await this.whole(question.tables, async () => {
        for (const table of question.tables) {
          const incomplete = await database.incomplete(table);
          if (incomplete > 0) throw new Error(`${incomplete} rows of ${table} are incomplete.`);
        }
        await database.extract(question.sql(DUCKDB), values, file);
      });
    } finally {
      database.close();
      await rm(folder, { recursive: true, force: true });
    }
  }

  /** DuckDB says of rows that it cannot read less than a person needs to know: what fails is looked for row by row. */
  private async whole(tables: readonly TableName[], work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      for (const table of tables) for await (const _ of this.all(table));
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.last;
    const open = await this.database;
    this.database = undefined;
    open?.close();
  }

  /** The table as one file on this machine, or undefined where it is empty. */
  private async copy(table: TableName, folder: string): Promise<string | undefined> {
    let path: string | undefined;
    for await (const { content } of this.all(table)) {
      path ??= join(folder, `${table}${SUFFIX}`);
      const file = path;
      await onDisk(file, () => writeFile(file, content, { flag: "a" }));
    }
    return path;
  }

  /** The same without a look at each row: only that the bytes are what was stored, and end with a whole row. */
  private async rawCopy(table: TableName, folder: string): Promise<string | undefined> {
    const path = join(folder, `${table}${SUFFIX}`);
    const names = await this.batches(table);
    let written = false;
    for (let start = 0; start < names.length; start += READS) {
      const part = names.slice(start, start + READS);
      const contents = await Promise.all(part.map((name) => this.content(table, name)));
      for (const content of contents)
        if (content?.at(-1) === LINE_FEED) {
          written = true;
          await onDisk(path, () => writeFile(path, content, { flag: "a" }));
        } else if (content) for await (const _ of this.all(table));
    }
    return written ? path : undefined;
  }

  /** Every batch of a table, by name; some are read ahead. */
  private async *all<T extends TableName>(table: T): AsyncGenerator<StoredBatch<T> & { readonly batch: string }> {
    const names = await this.batches(table);
    for (let start = 0; start < names.length; start += READS) {
      const part = names.slice(start, start + READS);
      const batches = await Promise.all(part.map((name) => this.read(table, name)));
      for (const [i, batch] of batches.entries()) if (batch) yield { ...batch, batch: part[i] as string };
    }
  }

  /** A batch whose rows are all right, or undefined. */
  private async read<T extends TableName>(
    table: T,
    name: string,
    options: { readonly complete?: boolean } = {},
  ): Promise<StoredBatch<T> | undefined> {
    const content = await this.content(table, name);
    return content && { content, rows: decodeRows(table, content, (what) => this.fail(table, name, what), options) };
  }

  /** The bytes of a batch, or undefined. */
  private async content(table: TableName, name: string): Promise<Buffer | undefined> {
    try {
      return await this.store.read(objectName(table, name));
    } catch (error) {
      if (error instanceof ObjectNotFoundError) return undefined;
      if (error instanceof ChecksumMismatchError)
        return this.fail(table, name, "its bytes are not those that were stored", { cause: error });
      throw error;
    }
  }

  private fail(table: TableName, name: string, what: string, options?: ErrorOptions): never {
    throw new DamagedRowsError(table, this.location(table, name), what, options);
  }

  private location(table: TableName, name: string): string {
    return `${this.store.uri}/${objectName(table, name)}`;
  }
}

interface StoredBatch<T extends TableName> {
  readonly content: Buffer;
  readonly rows: readonly Row<T>[];
}

function objectName(table: TableName, batch: string): string {
  return `${tableFolder(table)}${batch}${SUFFIX}`;
}

/** Where the rows of a table lie. */
export const tableFolder = (table: TableName): string => `${table}/`;

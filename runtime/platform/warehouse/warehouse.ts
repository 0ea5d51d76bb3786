import type { DamagedRowsError } from "./errors";
import type { Question } from "./question";
import type { Row, TableName } from "./tables";

export interface AppendOptions {
  /**
   * The name was made for these rows and can be that of no others (the id of a request): if it is taken, an attempt
   * whose answer was lost took it. Nothing is read to see that, so a process that may only add needs no more rights.
   * @default false
   */
  readonly unique?: boolean;
}

/**
 * Tables to which rows are added and in which none is ever changed. Rows arrive in named batches; a name is a stable key
 * of what the rows describe, never a clock, so that a repeated delivery or a resumed step finds its rows there.
 */
export interface Warehouse {
  /**
   * Adds one batch of one or more rows, atomically. Adding equal rows again is success: equal apart from the columns that
   * say when ({@link file://./tables.ts}, `clock`) and their salts, of which the first stay.
   *
   * @throws {DifferentRowsError} if other rows have that name
   * @throws {DamagedRowsError} if what has that name cannot be read
   */
  append<T extends TableName>(table: T, name: string, rows: readonly Row<T>[], options?: AppendOptions): Promise<void>;

  /** Names of a table's batches that start with `prefix`, in ascending order. */
  batches(table: TableName, prefix?: string): Promise<readonly string[]>;

  /** One batch, or undefined. @throws {DamagedRowsError} */
  batch<T extends TableName>(table: T, name: string): Promise<readonly Row<T>[] | undefined>;

  /**
   * Several batches by their names, those that are there: its rows, or what is wrong with one that cannot be read as a
   * whole. A value in a column that this version does not know is wrong here too: whoever vouches for rows has to see all
   * of them. Asked for many at once where a question costs by what it reads.
   */
  someBatches<T extends TableName>(
    table: T,
    names: readonly string[],
  ): Promise<ReadonlyMap<string, readonly Row<T>[] | DamagedRowsError>>;

  /** All rows of a table with the batch each lies in, ordered by batch name. @throws {DamagedRowsError} */
  rows<T extends TableName>(table: T): Promise<readonly { readonly batch: string; readonly row: Row<T> }[]>;

  /**
   * Answers a question over the tables as they are now; see {@link file://./questions.ts}.
   * @throws {DamagedRowsError}
   * @throws {ConfigurationError} where the SQL of a foreign question is anything but one SELECT
   */
  ask<P, R>(question: Question<P, R>, parameters: P): Promise<readonly R[]>;

  /**
   * Writes the answer to a question as a Parquet file, its rows in their order: for answers that do not fit into memory.
   * @param file path of a file that is not there yet
   * @throws {DamagedRowsError}
   */
  extract<P, R>(question: Question<P, R>, parameters: P, file: string): Promise<void>;

  close(): Promise<void>;
}

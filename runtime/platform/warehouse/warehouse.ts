import type { Row, TableName } from "./tables";

/**
 * Append-only tables. Rows arrive in named batches: a batch that is appended again under its name replaces itself, so
 * a repeated delivery or a resumed step never doubles a row.
 */
export interface Warehouse {
  /** Writes one batch, atomically. `name` is a stable key of what the rows describe, never random and never a clock. */
  append<T extends TableName>(table: T, name: string, rows: readonly Row<T>[]): Promise<void>;

  /** Names of a table's batches that start with `prefix`, in ascending order. */
  batches(table: TableName, prefix?: string): Promise<readonly string[]>;

  /** One batch, or undefined. */
  batch<T extends TableName>(table: T, name: string): Promise<readonly Row<T>[] | undefined>;

  /** All rows of a table with the batch each lies in, ordered by batch name. */
  rows<T extends TableName>(table: T): Promise<readonly { readonly batch: string; readonly row: Row<T> }[]>;

  /** Runs SQL in which every table of `tables.ts` is a view. */
  query<R extends Record<string, unknown>>(sql: string, parameters?: readonly (string | number)[]): Promise<R[]>;

  close(): Promise<void>;
}

import type { z } from "zod";
import type { TableName } from "./tables";

/** How an engine writes what SQL leaves open. All else that questions use, both engines read alike. */
export interface Dialect {
  /**
   * The rows of a table, each batch once: what stands behind FROM.
   * @param where which rows, where a table is too long to be read as a whole; says the same of all rows of a batch
   */
  readonly table: (name: TableName, where?: string) => string;
  /** Every column is quoted: some are words of SQL in one engine or the other (`group`, `hash`, `values`, `view`). */
  readonly column: (name: string) => string;
  readonly parameter: (name: string) => string;
}

/** A table is a view of that name. */
export const DUCKDB: Dialect = {
  table: (name, where) => (where === undefined ? `"${name}"` : `(SELECT * FROM "${name}" WHERE ${where})`),
  column: (name) => `"${name}"`,
  parameter: (name) => `$${name}`,
};

/** Something that is asked of the warehouse: one text for every engine, typed on both sides. */
export interface Question<P, R> {
  readonly name: string;
  /** Every table that it reads. */
  readonly tables: readonly TableName[];
  /** Text and numbers, by the names that the SQL has for them. */
  readonly parameters: z.ZodType<P>;
  readonly row: z.ZodType<R>;
  readonly sql: (dialect: Dialect) => string;
  /**
   * Whether its SQL comes from outside this code. It is then asked over files alone, where it can do nothing but read its
   * tables: in BigQuery a person asks such a question as themselves, with their own rights.
   * @default false
   */
  readonly foreign?: boolean;
}

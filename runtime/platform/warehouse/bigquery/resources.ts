import { type Column, type ColumnType, LAYOUTS, TABLES, type TableName } from "../tables";

/*
 * The tables as BigQuery has them: plain data, for the construct that makes them and for the process that fills them.
 */

/** The names under which BigQuery's API answers, so that a second plan finds what the first one wrote. */
const API_TYPES: Readonly<Record<ColumnType, string>> = {
  STRING: "STRING",
  INT64: "INTEGER",
  FLOAT64: "FLOAT",
  BOOL: "BOOLEAN",
  TIMESTAMP: "TIMESTAMP",
};

/**
 * What BigQuery's tables have beside the columns of a row, and rows that were loaded by hand lack. BigQuery knows no name
 * that only one can have, so every attempt to add a batch leaves rows, and of several attempts the first counts.
 */
export const BATCH_COLUMNS = [
  { name: "batch", type: "STRING", mode: "NULLABLE", description: "Name of the batch in which the row was added" },
  { name: "batch_row", type: "INT64", mode: "NULLABLE", description: "Place of the row in its batch, from 0" },
  {
    name: "attempt",
    type: "STRING",
    mode: "NULLABLE",
    description: "Which attempt to add the batch: of several the least counts, and begins with the time",
  },
] as const satisfies readonly Column[];

/** A column as the API takes it. */
export interface ApiField {
  readonly name: string;
  readonly type: string;
  readonly mode: Column["mode"];
  readonly description: string;
  readonly policyTags?: { readonly names: readonly string[] };
}

/** Resource names of policy tags, by what a column holds. */
export interface PolicyTags {
  /** `projects/P/locations/L/taxonomies/T/policyTags/G` */
  readonly pseudonym?: string;
}

/** Every column of a table in BigQuery. */
export function allColumns(table: TableName): readonly Column[] {
  return [...TABLES[table], ...BATCH_COLUMNS];
}

/** Whether a column of a table stands for a person. */
export const hasPseudonyms = (table: TableName): boolean => allColumns(table).some(({ pseudonym }) => pseudonym);

export function tableFields(table: TableName, tags: PolicyTags = {}): readonly ApiField[] {
  return allColumns(table).map(({ description, mode, name, pseudonym, type }) => ({
    description,
    mode,
    name,
    ...(pseudonym && tags.pseudonym ? { policyTags: { names: [tags.pseudonym] } } : {}),
    type: API_TYPES[type],
  }));
}

/** A table's schema as BigQuery's API and the provider write it: keys sorted, no white space. */
export function tableSchema(table: TableName, tags?: PolicyTags): string {
  return JSON.stringify(tableFields(table, tags));
}

/** A table as the API's `tables.insert` takes it. */
export function tableResource(table: TableName) {
  const { description, partition, clusterBy, requirePartitionFilter } = LAYOUTS[table];
  return {
    description,
    schema: { fields: tableFields(table).map((field) => ({ ...field })) },
    ...(partition ? { timePartitioning: { type: partition.granularity, field: partition.by } } : {}),
    ...(requirePartitionFilter ? { requirePartitionFilter } : {}),
    clustering: { fields: [...clusterBy] },
  };
}

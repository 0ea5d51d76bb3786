import type { Dialect } from "../question";
import { LAYOUTS, TABLES, type TableName } from "../tables";

/**
 * How BigQuery is asked.
 * @param dataset `project.dataset`
 */
export const bigQuery = (dataset: string): Dialect => ({
  table: (name, where) => {
    const columns = TABLES[name].map((column) => `\`${column.name}\``).join(", ");
    return `(
  SELECT ${columns}
  FROM \`${dataset}.${name}\`
  WHERE ${where ?? everyPartition(name)}
  ${FIRST_ATTEMPTS}
)`;
  },
  column: (name) => `\`${name}\``,
  parameter: (name) => `@${name}`,
});

/**
 * Of several attempts to add a batch the first counts, for whoever reads. Rows that came without a batch stand for
 * themselves.
 */
export const FIRST_ATTEMPTS =
  "QUALIFY batch IS NULL OR attempt IS NULL OR attempt = MIN(attempt) OVER (PARTITION BY batch)";

/** A condition that all rows meet, and that satisfies a table which demands one on its partitions. */
export function everyPartition(table: TableName): string {
  const { partition, requirePartitionFilter } = LAYOUTS[table];
  return partition && requirePartitionFilter ? `${partition.by} >= TIMESTAMP '1970-01-01 00:00:00+00'` : "TRUE";
}

import { type Column, type ColumnType, TABLES, type TableName } from "../../runtime/platform/warehouse";

/** The names under which BigQuery's API answers, so that a second plan finds what the first one wrote. */
const API_TYPES: Readonly<Record<ColumnType, string>> = {
  STRING: "STRING",
  INT64: "INTEGER",
  FLOAT64: "FLOAT",
  BOOL: "BOOLEAN",
  TIMESTAMP: "TIMESTAMP",
};

/** A table's schema as BigQuery's API and the provider write it: keys sorted, no white space. */
export function tableSchema(table: TableName): string {
  const columns: readonly Column[] = TABLES[table];
  return JSON.stringify(
    columns.map(({ description, mode, name, type }) => ({ description, mode, name, type: API_TYPES[type] })),
  );
}

/** How a table's rows lie: by what they are asked for. */
export interface TableLayout {
  readonly description: string;
  /** @default not at all: its rows have no time */
  readonly partition?: {
    /** Column of type TIMESTAMP. */
    readonly by: string;
    /** https://cloud.google.com/bigquery/docs/partitioned-tables#select_daily_hourly_monthly_or_yearly_partitioning */
    readonly granularity: "DAY" | "MONTH";
  };
  /** In the order of their weight, at most four. */
  readonly clusterBy: readonly string[];
  /** Refuse a query that would read the whole log. */
  readonly requirePartitionFilter: boolean;
}

export const LAYOUTS: Readonly<Record<TableName, TableLayout>> = {
  images: {
    description: "One row a page of every file that ever landed, good or bad",
    partition: { by: "ingested_at", granularity: "MONTH" },
    clusterBy: ["status", "label", "sha256"],
    // The state of the collection is asked for as a whole.
    requirePartitionFilter: false,
  },
  assignments: {
    description: "Group and split of every image: a row each time they change, of which the highest revision counts",
    partition: { by: "assigned_at", granularity: "MONTH" },
    clusterBy: ["id", "group"],
    // What an image was assigned first and what last lie far apart.
    requirePartitionFilter: false,
  },
  predictions: {
    description: "One row for every answer that serve gave: the audit trail",
    partition: { by: "predicted_at", granularity: "DAY" },
    clusterBy: ["model", "decision", "id"],
    requirePartitionFilter: true,
  },
  audit: {
    description: "One row for everything that a caller of serve did or saw",
    partition: { by: "recorded_at", granularity: "DAY" },
    clusterBy: ["who", "action", "subject"],
    requirePartitionFilter: true,
  },
  feedback: {
    description: "What people hold a scan for, beside what the model said: a person's newest row on an answer counts",
    partition: { by: "given_at", granularity: "MONTH" },
    clusterBy: ["request", "id"],
    // What was said of an answer may come weeks after it.
    requirePartitionFilter: false,
  },
  features_pca: {
    description: "One row for every processed image: its scores on the principal components of the training images",
    clusterBy: ["recipe", "pca", "id"],
    requirePartitionFilter: false,
  },
  pca_fits: {
    description: "Which fit of principal components is the current one: of a recipe the highest revision",
    partition: { by: "fitted_at", granularity: "MONTH" },
    clusterBy: ["recipe"],
    requirePartitionFilter: false,
  },
  features_deep: {
    description: "One row for a picture, a pixel recipe and a network: what the network sees in the picture",
    partition: { by: "extracted_at", granularity: "MONTH" },
    clusterBy: ["backbone", "recipe", "sha256"],
    // All pictures are compared, however long they have been there.
    requirePartitionFilter: false,
  },
};

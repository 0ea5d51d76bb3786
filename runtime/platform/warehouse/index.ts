export { BigQueryWarehouse } from "./bigquery/bigquery-warehouse";
export { bigQuery } from "./bigquery/dialect";
export { WarehouseError, WarehouseUnavailableError } from "./bigquery/errors";
export { type Imported, importTables } from "./bigquery/import";
export { hasPseudonyms, type PolicyTags, tableResource, tableSchema } from "./bigquery/resources";
export { BigQueryRows, type Values } from "./bigquery/rows";
export { isDataset } from "./bigquery/uri";
export { VIEWS, type ViewDefinition } from "./bigquery/views";
export { currentImages } from "./definitions";
export { parquetOfLines } from "./duckdb";
export { DamagedRowsError, DifferentRowsError } from "./errors";
export { ObjectStoreWarehouse, tableFolder } from "./object-store-warehouse";
export { openWarehouse } from "./open-warehouse";
export { type Dialect, DUCKDB, type Question } from "./question";
export {
  ANSWERS_BY_REQUEST,
  ANSWERS_OF_ACCESSIONS,
  CANARY_PAIRS,
  CANARY_TIMES,
  CURRENT_ASSIGNMENTS,
  CURRENT_FEATURES,
  CURRENT_FIT,
  CURRENT_IMAGES,
  type CurrentImage,
  DATASET_COUNTS,
  DEEP_BACKBONES,
  DEEP_FEATURES,
  DEEP_PICTURES,
  FEEDBACK_ON_PICTURES,
  IMAGE_FACTS,
  KNOWN_SCANS,
  type KnownScanRow,
  LABELLED_IMAGES,
  LANDED_FEEDBACK,
  MODEL_ANSWERS,
  MONITORED_DAYS,
  MOST_KNOWN_SCANS,
  PAGES_BY_DAY,
  PICTURE_STATISTICS,
  PLANNED_IMAGES,
  QUARANTINED_BY_DAY,
  REFUSED_BY_DAY,
  STANDING_FEEDBACK,
  TORN_GROUPS,
  UNASSIGNED_IMAGES,
} from "./questions";
export {
  type AssignmentRow,
  type AuditRow,
  type Column,
  type ColumnType,
  type FeaturesDeepRow,
  type FeaturesPcaRow,
  type ImageRow,
  type InputStatisticsRow,
  LAYOUTS,
  type MonitoringRow,
  type Named,
  type PredictionRow,
  type Row,
  TABLE_NAMES,
  TABLES,
  type TableLayout,
  type TableName,
} from "./tables";
export type { AppendOptions, Warehouse } from "./warehouse";

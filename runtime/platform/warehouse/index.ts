export { currentFeatures, currentImages } from "./definitions";
export { DamagedRowsError, DifferentRowsError } from "./errors";
export { ObjectStoreWarehouse } from "./object-store-warehouse";
export { bigQuery, type Dialect, DUCKDB, type Question } from "./question";
export {
  CURRENT_ASSIGNMENTS,
  CURRENT_FEATURES,
  CURRENT_FIT,
  CURRENT_IMAGES,
  type CurrentImage,
  DATASET_COUNTS,
  DEEP_FEATURES,
  IMAGE_FACTS,
  LABELLED_IMAGES,
  SPLIT_MEMBERS,
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
  type PredictionRow,
  type Row,
  TABLES,
  type TableName,
} from "./tables";
export type { AppendOptions, Warehouse } from "./warehouse";

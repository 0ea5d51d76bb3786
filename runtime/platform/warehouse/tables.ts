/**
 * The one definition of every warehouse table: the DuckDB reader, the row types and (in the cloud) the BigQuery tables
 * are derived from it.
 */
export type ColumnType = "STRING" | "INT64" | "FLOAT64" | "BOOL" | "TIMESTAMP";

export interface Column {
  readonly name: string;
  readonly type: ColumnType;
  /** REPEATED: any number of values, none of them null. */
  readonly mode: "REQUIRED" | "NULLABLE" | "REPEATED";
  readonly description: string;
}

const required = <const N extends string, const T extends ColumnType>(name: N, type: T, description: string) =>
  ({ name, type, mode: "REQUIRED", description }) as const;
const nullable = <const N extends string, const T extends ColumnType>(name: N, type: T, description: string) =>
  ({ name, type, mode: "NULLABLE", description }) as const;
const repeated = <const N extends string, const T extends ColumnType>(name: N, type: T, description: string) =>
  ({ name, type, mode: "REPEATED", description }) as const;

/** One row a page of every file that ever landed, good or bad. Key: `id`. */
export const IMAGES = [
  required("id", "STRING", "SHA-256 over source, page and bytes of the file: the same scan has the same id everywhere"),
  required("source", "STRING", "Object name below landing; page n of a multi-page file is name#page=n"),
  required("generation", "INT64", "Generation of the landing object that was read"),
  nullable("label", "STRING", "Cancer or Non-Cancer; null where it is not known"),
  required("status", "STRING", "curated or quarantined"),
  nullable("reason", "STRING", "Stable code of why it is in quarantine"),
  nullable("format", "STRING", "What the bytes are: jpeg, png, tiff, bmp, webp; null if unknown"),
  nullable("width", "INT64", "Pixels, after orientation"),
  nullable("height", "INT64", "Pixels, after orientation"),
  required("bytes", "INT64", "Size of the landing object"),
  nullable("sha256", "STRING", "SHA-256 of width, height, depth and the decoded grey pixels; names the curated file"),
  nullable("phash", "STRING", "256-bit perceptual hash, 64 hex digits"),
  nullable("group", "STRING", "Near-duplicates and slices of one patient share it; set by preprocess"),
  nullable("patient", "STRING", "Keyed pseudonym of the patient id in manifest.csv"),
  nullable("duplicate_of", "STRING", "id of the first image with equal pixels"),
  required("ingested_at", "TIMESTAMP", "When the row was first written"),
  nullable("message", "STRING", "The reason as a sentence for a person"),
  nullable("split", "STRING", "train, validation or test; set by preprocess and then kept"),
  nullable("given_split", "STRING", "The split that manifest.csv asks for"),
  nullable("collection", "STRING", "Where the file comes from: column source of manifest.csv"),
  nullable("subtype", "STRING", "Tumour subtype: column subtype of manifest.csv"),
  nullable("view", "STRING", "axial, coronal or sagittal: column view of manifest.csv"),
  nullable("mask", "STRING", "Object name, below landing, of the lesion mask"),
] as const satisfies readonly Column[];

/** One row for every answer that serve gave: the audit trail. Key: `request`. */
export const PREDICTIONS = [
  required("request", "STRING", "Unique id of the request"),
  required("id", "STRING", "SHA-256 over model and pixels: the same image under the same model has the same id"),
  required("model", "STRING", "Model id"),
  required("recipe", "STRING", "Pixel recipe id"),
  required("probability", "FLOAT64", "Probability of Cancer, 0 to 1"),
  required("label", "STRING", "Cancer or Non-Cancer: what the model says"),
  required("decision", "STRING", "Cancer, Non-Cancer or Uncertain"),
  required("threshold", "FLOAT64", "Probability from which the label is Cancer"),
  required("sha256", "STRING", "SHA-256 of the decoded pixels"),
  required("predicted_at", "TIMESTAMP", "When"),
] as const satisfies readonly Column[];

/** One row for every processed image: where it lies among the principal components. Key: `id` and `recipe`. */
export const FEATURES_PCA = [
  required("id", "STRING", "id of the image, as in images"),
  required("recipe", "STRING", "Pixel recipe id"),
  required("pca", "STRING", "Id of the fitted components, which lie in the bucket of models below features/"),
  repeated("values", "FLOAT64", "Score on each component, by descending variance; 8 significant digits"),
] as const satisfies readonly Column[];

export const TABLES = { images: IMAGES, predictions: PREDICTIONS, features_pca: FEATURES_PCA } as const;
export type TableName = keyof typeof TABLES;

type Value<T extends ColumnType> = T extends "INT64" | "FLOAT64" ? number : T extends "BOOL" ? boolean : string;
type RowOf<C extends readonly Column[]> = {
  [K in C[number] as K["name"]]: K["mode"] extends "REPEATED"
    ? readonly Value<K["type"]>[]
    : K["mode"] extends "REQUIRED"
      ? Value<K["type"]>
      : Value<K["type"]> | null;
};
export type Row<T extends TableName> = RowOf<(typeof TABLES)[T]>;
export type ImageRow = Row<"images">;
export type PredictionRow = Row<"predictions">;
export type FeaturesPcaRow = Row<"features_pca">;

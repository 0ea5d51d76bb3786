/**
 * The one definition of every warehouse table: the DuckDB reader, the row types and the tables of BigQuery are derived
 * from it. It is plain data: the construct that makes the tables reads it as the process that fills them does.
 */
export type ColumnType = "STRING" | "INT64" | "FLOAT64" | "BOOL" | "TIMESTAMP";

export interface Column {
  readonly name: string;
  readonly type: ColumnType;
  /** REPEATED: any number of values, none of them null. */
  readonly mode: "REQUIRED" | "NULLABLE" | "REPEATED";
  readonly description: string;
  /** Says when the row was made, and nothing of its subject: rows that differ in it alone are equal. */
  readonly clock?: true;
  /** Stands for a person: BigQuery shows it to those alone whom its policy tag names. */
  readonly pseudonym?: true;
  /** Drawn by chance when the row was made, and nothing of its subject: rows that differ in it alone are equal. */
  readonly salt?: true;
  /** Says something of few rows: of the others it is left out. */
  readonly rare?: true;
  /** Once written here, now elsewhere. Kept so that no table is made anew, readable by SQL, and not part of a row. */
  readonly superseded?: true;
}

const required = <const N extends string, const T extends ColumnType>(name: N, type: T, description: string) =>
  ({ name, type, mode: "REQUIRED", description }) as const;
const nullable = <const N extends string, const T extends ColumnType>(name: N, type: T, description: string) =>
  ({ name, type, mode: "NULLABLE", description }) as const;
const repeated = <const N extends string, const T extends ColumnType>(name: N, type: T, description: string) =>
  ({ name, type, mode: "REPEATED", description }) as const;
const clock = <const N extends string>(name: N, description: string) =>
  ({ name, type: "TIMESTAMP", mode: "REQUIRED", description, clock: true }) as const;
const pseudonym = <const N extends string>(name: N, description: string) =>
  ({ name, type: "STRING", mode: "NULLABLE", description, pseudonym: true }) as const;
/** With it, and not without, can be shown that a row is the one which was sealed; see runtime/audit. */
const salt = () =>
  ({
    name: "salt",
    type: "STRING",
    mode: "NULLABLE",
    description: "32 hex digits drawn by chance, by which the audit log's leaf of the row is hashed",
    salt: true,
  }) as const;
const rare = <const N extends string>(name: N, description: string) =>
  ({ name, type: "STRING", mode: "NULLABLE", description, rare: true }) as const;
const superseded = <const N extends string, const T extends ColumnType>(name: N, type: T, description: string) =>
  ({ name, type, mode: "NULLABLE", description, superseded: true }) as const;

/** One row a page of every file that ever landed, good or bad, written once, by ingest. Key: `id` and `generation`. */
export const IMAGES = [
  required("id", "STRING", "SHA-256 over source, page and bytes of the file: the same scan has the same id everywhere"),
  required(
    "source",
    "STRING",
    "Object name below landing, of DICOM by pseudonyms; page n of a multi-page file is name#page=n",
  ),
  required("generation", "INT64", "Generation of the landing object that was read"),
  nullable("label", "STRING", "Cancer or Non-Cancer; null where it is not known"),
  required("status", "STRING", "curated or quarantined"),
  nullable("reason", "STRING", "Stable code of why it is in quarantine"),
  nullable("format", "STRING", "What the bytes are: jpeg, png, tiff, bmp, webp, dicom, nifti; null if unknown"),
  nullable("width", "INT64", "Pixels, after orientation"),
  nullable("height", "INT64", "Pixels, after orientation"),
  required("bytes", "INT64", "Size of the landing object"),
  nullable("sha256", "STRING", "SHA-256 of width, height, depth and the decoded grey pixels; names the curated file"),
  nullable("phash", "STRING", "256-bit perceptual hash, 64 hex digits"),
  superseded("group", "STRING", "Written by earlier versions; now in assignments"),
  pseudonym("patient", "Keyed pseudonym of the patient id in manifest.csv, else in the DICOM header"),
  nullable("duplicate_of", "STRING", "id of the first image with equal pixels"),
  clock("ingested_at", "When the row was first written"),
  nullable("message", "STRING", "The reason as a sentence for a person"),
  superseded("split", "STRING", "Written by earlier versions; now in assignments"),
  nullable("given_split", "STRING", "The split that manifest.csv asks for"),
  nullable("collection", "STRING", "Where the file comes from: column source of manifest.csv"),
  nullable("subtype", "STRING", "Tumour subtype: column subtype of manifest.csv"),
  nullable("view", "STRING", "axial, coronal or sagittal: column view of manifest.csv, else by the DICOM header"),
  nullable("mask", "STRING", "Object name, below landing, of the lesion mask"),
  nullable("hash", "STRING", "Id of the perceptual hash that phash is by: hashes of two ids are not comparable"),
  nullable("recipe", "STRING", "Pixel recipe id that phash was made with"),
  nullable("landed", "STRING", "Stands for the landing object's name, keyed, where source is not its name"),
  nullable("study", "STRING", "Keyed pseudonym of the DICOM study, as a UID"),
  nullable(
    "series",
    "STRING",
    "Keyed pseudonym of the DICOM series, as a UID; of a file of several pages that names none, the id of its first page",
  ),
  nullable("instance", "STRING", "Keyed pseudonym of the DICOM instance, as a UID"),
  pseudonym("accession", "Keyed pseudonym of the accession number"),
  nullable("sequence", "STRING", "How was scanned, of a closed list: T1, T2, FLAIR, ..., else SE, GR and the like"),
  nullable("body_part", "STRING", "Body part that was scanned, of a closed list"),
  nullable("scanner", "STRING", "Manufacturer, model and field strength, of closed lists"),
  nullable("acquired_on", "STRING", "Day of the scan, YYYY-MM-DD, shifted by an offset of the patient's own"),
  rare(
    "blanked",
    "Where the picture was painted over because text was found there: left,top,width,height in pixels, a blank between two",
  ),
] as const satisfies readonly Column[];

/**
 * Which group and split an image is in. A row for every time that this changes; of an image the highest `revision`
 * counts. Key: `id` and `revision`.
 */
export const ASSIGNMENTS = [
  required("id", "STRING", "id of the image, as in images"),
  required("group", "STRING", "Near-duplicates and slices of one patient share it"),
  required("split", "STRING", "train, validation or test"),
  required("recipe", "STRING", "Pixel recipe id of the run that decided"),
  nullable("hash", "STRING", "Id of the perceptual hash by which it was compared; null if its picture cannot be read"),
  nullable("phash", "STRING", "Its perceptual hash by that, 64 hex digits"),
  required("revision", "INT64", "1 for the image's first row, then one more than the highest that was seen"),
  clock("assigned_at", "When"),
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
  clock("predicted_at", "When"),
  nullable("who", "STRING", "Who asked; null where nobody did: the hospital's own scans are scored"),
  nullable(
    "milliseconds",
    "INT64",
    "From the end of the upload until the answer was ready to be written down; null where nobody waited for it",
  ),
  salt(),
  rare(
    "served_as",
    "pinned: by a process that is bound to the model, as a canary's revision is; null: by one that follows the current model",
  ),
] as const satisfies readonly Column[];

/**
 * One row for every scan that a second model looked at beside the one that answered: the answer is the first one's alone, and
 * nobody was told the second's. Key: `request`.
 */
export const SHADOWS = [
  required(
    "request",
    "STRING",
    "The request that was answered, as in predictions; of a refused scan the request alone",
  ),
  nullable("sha256", "STRING", "SHA-256 of the decoded pixels; null where both refused the scan, or one failed"),
  required("model", "STRING", "Model that answered"),
  required("shadow", "STRING", "Model beside it"),
  required("decision", "STRING", "Cancer, Non-Cancer, Uncertain or Rejected: what was answered"),
  required("shadow_decision", "STRING", "The same of the model beside; Failed where it gave nothing within the time"),
  nullable("probability", "FLOAT64", "Of Cancer, as it was answered; null where the scan was refused"),
  nullable("shadow_probability", "FLOAT64", "Of Cancer, by the model beside"),
  nullable("milliseconds", "INT64", "Decoding and answering alone, without waiting, of the model that answered"),
  nullable("shadow_milliseconds", "INT64", "The same of the model beside"),
  clock("compared_at", "When"),
] as const satisfies readonly Column[];

/**
 * One row for everything that a caller did or saw: every prediction, every look at a scan's pictures, report or history,
 * every act of an administrator. It is there before the caller has the answer. Key: `request`, `action` and `subject`.
 */
export const AUDIT = [
  required("request", "STRING", "Unique id of the request"),
  required("action", "STRING", "What was done: predict, view-original, promote, ..."),
  required("who", "STRING", "Address of who did it; local where nobody is asked to sign in"),
  required("role", "STRING", "viewer, clinician or admin: the role in which it was done"),
  nullable("subject", "STRING", "What it was done to: id of a prediction, of a model or of an image"),
  nullable("sha256", "STRING", "SHA-256 of the decoded pixels that went in"),
  nullable("model", "STRING", "Model id"),
  nullable("recipe", "STRING", "Pixel recipe id"),
  nullable("result", "STRING", "What came of it, such as the decision"),
  clock("recorded_at", "When"),
  salt(),
  rare("served_as", "pinned or shadow, of an answer that no process gave which follows the current model"),
] as const satisfies readonly Column[];

/**
 * How many requests for a prediction serve refused, or failed on, by day and code: each instance adds what it has counted
 * about once a minute. Key: none, the counts are summed.
 */
export const REFUSALS = [
  required("day", "STRING", "YYYY-MM-DD, UTC"),
  required("code", "STRING", "Stable code, as the caller was told"),
  required("status", "INT64", "HTTP status: 500 and above is no fault of the caller's"),
  required("requests", "INT64", "How many requests, or files of a batch, were answered so"),
  clock("counted_at", "Until when"),
] as const satisfies readonly Column[];

/**
 * What people hold a scan for, beside what the model said. A person's newest row on an answer counts, of the scan and of the
 * study each: it names the one before. Key: `feedback`.
 */
export const FEEDBACK = [
  required("feedback", "STRING", "Unique id of this row"),
  required("request", "STRING", "The answer that it is about, as in predictions"),
  required("id", "STRING", "id of the answer, as in predictions"),
  required("label", "STRING", "Cancer or Non-Cancer: what the person says; Withdrawn: nothing any more"),
  nullable("comment", "STRING", "In the person's words"),
  required("who", "STRING", "The person"),
  clock("given_at", "When"),
  nullable("supersedes", "STRING", "feedback of the same person on the same id before"),
  salt(),
  nullable("scope", "STRING", "study: said of the whole study that the scan is a slice of; null: of the scan itself"),
  nullable("confirmed", "BOOL", "True where an administrator confirms: it may be learnt from without a second person"),
] as const satisfies readonly Column[];

/**
 * One row for every processed image and every fit: where it lies among the principal components. Key: `id` and `pca`.
 * The rows that count are those of the current fit, see {@link PCA_FITS}.
 */
export const FEATURES_PCA = [
  required("id", "STRING", "id of the image, as in images"),
  required("recipe", "STRING", "Pixel recipe id"),
  required("pca", "STRING", "Id of the fitted components, which lie in the bucket of models below features/"),
  repeated("values", "FLOAT64", "Score on each component, by descending variance; 8 significant digits"),
] as const satisfies readonly Column[];

/**
 * Which fit of principal components is the current one. A row for every time that another becomes it, once all images
 * have their scores; of a recipe the highest `revision` counts. Key: `recipe` and `revision`.
 */
export const PCA_FITS = [
  required("recipe", "STRING", "Pixel recipe id"),
  required("revision", "INT64", "1 for the recipe's first row, then one more each time"),
  required("pca", "STRING", "Id of the fitted components, as in features_pca"),
  clock("fitted_at", "When it became the current one"),
] as const satisfies readonly Column[];

/**
 * One row for a picture, a pixel recipe and a network: what the network sees in the picture. Neither label nor split nor
 * patient: these are joined from `images` and `assignments` by `sha256`. Key: `id`.
 */
export const FEATURES_DEEP = [
  required("id", "STRING", "SHA-256 over sha256, recipe and backbone"),
  required("sha256", "STRING", "Of the decoded pixels, as in images: pictures that are equal have one row"),
  required("recipe", "STRING", "Pixel recipe id"),
  required(
    "backbone",
    "STRING",
    "Model id where they are the model's own; else the network's name, -, and 12 hex digits of its SHA-256",
  ),
  repeated("features", "FLOAT64", "32-bit floats, exactly; 128 of them where they are the model's own"),
  clock("extracted_at", "When"),
] as const satisfies readonly Column[];

/**
 * One row for a picture and a pixel recipe: how it was made, by numbers, for monitoring. Key: `sha256` and `recipe`. What
 * each number is, `runtime/monitor/picture-statistics.ts` says.
 */
export const INPUT_STATISTICS = [
  required("sha256", "STRING", "Of the decoded pixels, as in images"),
  required("recipe", "STRING", "Pixel recipe id"),
  required("brightness", "FLOAT64", "Mean grey value of the head, 0 to 255"),
  required("contrast", "FLOAT64", "Standard deviation of the head's grey values"),
  required("noise", "FLOAT64", "Standard deviation of the noise, grey values"),
  required("sharpness", "FLOAT64", "Differences of neighbours over those of pixels four apart"),
  required("foreground", "FLOAT64", "Share of the fitted box that is head, 0 to 1"),
  required("background", "FLOAT64", "Mean grey value of the rest of the box"),
  required("scale", "FLOAT64", "log2 of the original's pixels to one of the recipe's"),
  clock("measured_at", "When"),
] as const satisfies readonly Column[];

/**
 * What monitoring says of a day and a model: a row a number. Key: `model`, `day`, `name`, `part` and `revision`; of a
 * day the highest revision counts.
 */
export const MONITORING = [
  required("model", "STRING", "Model id"),
  required("day", "STRING", "YYYY-MM-DD, UTC"),
  required(
    "name",
    "STRING",
    "answers, uncertain, quarantined, refused, failed, latency, drift, alarm, psi, accuracy-estimated, accuracy-feedback",
  ),
  nullable("part", "STRING", "Of what: a watch, a statistic, a reason, a code, or view=axial; null: of all"),
  nullable("value", "FLOAT64", "The number; null where it cannot be known"),
  nullable("low", "FLOAT64", "Lower end of its 95 % interval"),
  nullable("high", "FLOAT64", "Upper end of it"),
  nullable("scans", "INT64", "Scans that it is drawn from"),
  nullable("detail", "STRING", "Why it cannot be known; of an alarm a JSON object: since, drivers, scans, answers"),
  required("revision", "INT64", "1 for a day's first rows, then one more each time that they change"),
  clock("computed_at", "When"),
] as const satisfies readonly Column[];

export const TABLES = {
  images: IMAGES,
  assignments: ASSIGNMENTS,
  predictions: PREDICTIONS,
  shadows: SHADOWS,
  audit: AUDIT,
  refusals: REFUSALS,
  feedback: FEEDBACK,
  features_pca: FEATURES_PCA,
  pca_fits: PCA_FITS,
  features_deep: FEATURES_DEEP,
  input_statistics: INPUT_STATISTICS,
  monitoring: MONITORING,
} as const;
export type TableName = keyof typeof TABLES;

/** How a table's rows lie in BigQuery: by what they are asked for. */
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
  /** What a person can do about rows that cannot be read: a sentence. */
  readonly repair: string;
  /**
   * Whose a row is, by what its columns name: when that is to be forgotten, the row goes. "in part": something of the row
   * stays, and runtime/forget knows what. Null: no row is anybody's.
   */
  readonly of: Readonly<Record<string, Named>> | "in part" | null;
}

/** What can be forgotten, as columns name it: a row of images, pixels by their SHA-256, a request, an answer, a pseudonym. */
export type Named = "image" | "picture" | "request" | "answer" | "patient";

const AUDIT_TRAIL =
  "Restore it from a backup or an earlier generation: it is part of the audit trail, and nothing writes it anew.";

export const LAYOUTS: Readonly<Record<TableName, TableLayout>> = {
  images: {
    description: "One row a page of every file that ever landed, good or bad",
    partition: { by: "ingested_at", granularity: "MONTH" },
    // Whether a file was ingested is asked for every file that lands.
    clusterBy: ["batch", "status", "label", "sha256"],
    // The state of the collection is asked for as a whole.
    requirePartitionFilter: false,
    repair:
      "Restore it from a backup or an earlier generation, or delete it and run npm run ingest again, which writes it anew.",
    of: { id: "image", patient: "patient" },
  },
  assignments: {
    description: "Group and split of every image: a row each time they change, of which the highest revision counts",
    partition: { by: "assigned_at", granularity: "MONTH" },
    clusterBy: ["id", "group"],
    // What an image was assigned first and what last lie far apart.
    requirePartitionFilter: false,
    repair:
      "Restore it from a backup or an earlier generation. Only where there is none, delete it and run npm run preprocess " +
      "again: images in it may change their group and split then, so train again before comparing models.",
    of: { id: "image" },
  },
  predictions: {
    description: "One row for every answer that serve gave: the audit trail",
    partition: { by: "predicted_at", granularity: "DAY" },
    clusterBy: ["model", "decision", "id"],
    requirePartitionFilter: true,
    repair: AUDIT_TRAIL,
    of: { request: "request", id: "answer" },
  },
  shadows: {
    description: "One row for every scan that a second model looked at beside the one that answered",
    partition: { by: "compared_at", granularity: "MONTH" },
    clusterBy: ["shadow", "model"],
    requirePartitionFilter: false,
    repair: "Restore it from a backup or an earlier generation, or delete it: a canary then begins to compare anew.",
    // What refused scans one by one has no row of predictions: the picture says whose it is.
    of: { request: "request", sha256: "picture" },
  },
  audit: {
    description: "One row for everything that a caller of serve did or saw",
    partition: { by: "recorded_at", granularity: "DAY" },
    clusterBy: ["who", "action", "subject"],
    requirePartitionFilter: true,
    repair: AUDIT_TRAIL,
    of: "in part",
  },
  refusals: {
    description: "How many requests for a prediction serve refused or failed on, by day and code",
    partition: { by: "counted_at", granularity: "MONTH" },
    clusterBy: ["day", "code"],
    requirePartitionFilter: false,
    repair: "Restore it from a backup or an earlier generation: what was refused is counted once.",
    of: null,
  },
  feedback: {
    description: "What people hold a scan for, beside what the model said: a person's newest row on an answer counts",
    partition: { by: "given_at", granularity: "MONTH" },
    clusterBy: ["request", "id"],
    // What was said of an answer may come weeks after it.
    requirePartitionFilter: false,
    repair: "Restore it from a backup or an earlier generation: what people said is written once.",
    of: { request: "request", id: "answer" },
  },
  features_pca: {
    description: "One row for every processed image: its scores on the principal components of the training images",
    // The names of its batches begin with recipe and fit.
    clusterBy: ["batch", "id"],
    requirePartitionFilter: false,
    repair: "Delete it and run npm run features again, which writes it anew.",
    of: { id: "image" },
  },
  pca_fits: {
    description: "Which fit of principal components is the current one: of a recipe the highest revision",
    partition: { by: "fitted_at", granularity: "MONTH" },
    clusterBy: ["recipe"],
    requirePartitionFilter: false,
    repair: "Delete it and run npm run features again, which writes it anew.",
    of: null,
  },
  features_deep: {
    description: "One row for a picture, a pixel recipe and a network: what the network sees in the picture",
    partition: { by: "extracted_at", granularity: "MONTH" },
    clusterBy: ["backbone", "recipe", "sha256"],
    // All pictures are compared, however long they have been there.
    requirePartitionFilter: false,
    repair:
      "Delete it and run npm run spark -- score (the model's own features) or npm run features (another network's) again, " +
      "which writes it anew.",
    of: { sha256: "picture" },
  },
  input_statistics: {
    description: "One row for a picture and a pixel recipe: brightness, contrast, noise and the like, for monitoring",
    partition: { by: "measured_at", granularity: "MONTH" },
    clusterBy: ["recipe", "sha256"],
    // A stream is watched from its first day.
    requirePartitionFilter: false,
    repair: "Delete it and run npm run monitor again, which writes it anew.",
    of: { sha256: "picture" },
  },
  monitoring: {
    description: "What monitoring says of a day and a model: a row a number, of which the highest revision counts",
    partition: { by: "computed_at", granularity: "MONTH" },
    clusterBy: ["model", "day", "name"],
    requirePartitionFilter: false,
    repair: "Delete it and run npm run monitor again, which writes it anew.",
    of: "in part",
  },
};

type Value<T extends ColumnType> = T extends "INT64" | "FLOAT64" ? number : T extends "BOOL" ? boolean : string;
type RowOf<C extends Column> = {
  [K in Exclude<
    C,
    { readonly superseded: true } | { readonly salt: true } | { readonly rare: true }
  > as K["name"]]: K["mode"] extends "REPEATED"
    ? readonly Value<K["type"]>[]
    : K["mode"] extends "REQUIRED"
      ? Value<K["type"]>
      : Value<K["type"]> | null;
} & {
  /** Rows that an earlier version wrote have none. */
  [K in Extract<C, { readonly salt: true }> as K["name"]]?: string;
} & {
  [K in Extract<C, { readonly rare: true }> as K["name"]]?: string | null;
};
export type Row<T extends TableName> = RowOf<(typeof TABLES)[T][number]>;
export type ImageRow = Row<"images">;
export type AssignmentRow = Row<"assignments">;
export type PredictionRow = Row<"predictions">;
export type AuditRow = Row<"audit">;
export type FeaturesPcaRow = Row<"features_pca">;
export type FeaturesDeepRow = Row<"features_deep">;
export type InputStatisticsRow = Row<"input_statistics">;
export type MonitoringRow = Row<"monitoring">;

/** The columns that a row of a table has, in their order. */
export function columnsOf(table: TableName): readonly Column[] {
  const columns: readonly Column[] = TABLES[table];
  return columns.filter(({ superseded }) => !superseded);
}

/** Names of all tables, in the order of their definition. */
export const TABLE_NAMES = Object.keys(TABLES) as readonly TableName[];

import { z } from "zod";
import {
  ARE_CURATED,
  currentAssignments,
  currentFeatures,
  currentFits,
  currentImages,
  deepFeatures,
  newestImages,
} from "./definitions";
import type { Question } from "./question";
import { type Column, columnsOf, type Row, type TableName } from "./tables";

/**
 * Everything that is asked of the warehouse. Each text is read by DuckDB and by BigQuery alike;
 * `tests/runtime/platform/warehouse` puts the same rows to both and compares the answers.
 */

function question<P, R>(
  name: string,
  tables: readonly TableName[],
  parameters: z.ZodType<P>,
  row: z.ZodType<R>,
  sql: Question<P, R>["sql"],
): Question<P, R> {
  return { name, tables, parameters, row, sql };
}

const VALUES: Readonly<Record<Column["type"], z.ZodType>> = {
  STRING: z.string(),
  INT64: z.int(),
  FLOAT64: z.number(),
  BOOL: z.boolean(),
  TIMESTAMP: z.string(),
};

function shapeOf(table: TableName): Record<string, z.ZodType> {
  const shape = columnsOf(table).map(({ name, type, mode }) => {
    const value = VALUES[type];
    return [name, mode === "REPEATED" ? z.array(value) : mode === "NULLABLE" ? value.nullable() : value];
  });
  return Object.fromEntries(shape);
}

/** A row of `images` that is curated and current. */
export type CurrentImage = Row<"images"> & {
  readonly sha256: string;
  readonly group: string | null;
  readonly split: string | null;
};

const text = z.string().nullable();
const nothing = z.strictObject({});
const DATASET = ["images", "assignments"] as const;
/** `(...) AS name` */
const as = (sql: string, name: string) => `(\n${sql}\n) AS ${name}`;

/** Every current image with its group and split, ascending by id; see {@link currentImages}. */
export const CURRENT_IMAGES = question(
  "current images",
  DATASET,
  nothing,
  z.object({
    ...shapeOf("images"),
    sha256: z.string(),
    group: text,
    split: text,
  }) as unknown as z.ZodType<CurrentImage>,
  (dialect) => `SELECT * FROM ${as(currentImages(dialect), "images")} ORDER BY id`,
);

/** Group and split of every image that has them; see {@link currentAssignments}. */
export const CURRENT_ASSIGNMENTS = question(
  "current assignments",
  DATASET,
  nothing,
  z.object({
    id: z.string(),
    group: z.string(),
    split: z.string(),
    hash: text,
    phash: text,
    revision: z.int(),
    disputed: z.boolean(),
  }),
  (dialect) => `SELECT * FROM ${as(currentAssignments(dialect), "assigned")} ORDER BY id`,
);

/**
 * What decides the group, split and shard of every current image, ascending by id: what {@link CURRENT_IMAGES} and
 * {@link CURRENT_ASSIGNMENTS} say of it. To be extracted: it is a row an image.
 */
export const PLANNED_IMAGES = question(
  "planned images",
  DATASET,
  nothing,
  z.object({
    ...{ id: z.string(), source: z.string(), generation: z.int(), label: text, sha256: z.string() },
    ...{ phash: text, hash: text, patient: text, study: text, series: text, given_split: text, duplicate_of: text },
    ...{ width: z.int().nullable(), height: z.int().nullable() },
    ...{ group: text, split: text, compared_phash: text, compared_hash: text },
    ...{ revision: z.int().nullable(), disputed: z.boolean().nullable() },
  }),
  (dialect) => {
    const { column } = dialect;
    const of = (name: string) => `newest.${column(name)}`;
    const own = ["id", "source", "generation", "label", "sha256", "phash", "hash", "patient", "study", "series"];
    return `SELECT ${[...own, "given_split", "duplicate_of", "width", "height"].map(of).join(", ")},
  assigned.${column("group")}, assigned.split, assigned.phash AS compared_phash, assigned.${column("hash")} AS compared_hash,
  assigned.revision, assigned.disputed
FROM ${as(newestImages(dialect), "newest")}
LEFT JOIN ${as(currentAssignments(dialect), "assigned")} ON assigned.id = newest.id
WHERE ${ARE_CURATED}
ORDER BY newest.id`;
  },
);

/** What the summary counts: pages of the newest generation of everything that landed, and pictures by split. One row. */
export const DATASET_COUNTS = question(
  "dataset counts",
  DATASET,
  nothing,
  z.object({
    images: z.int(),
    curated: z.int(),
    quarantined: z.int(),
    groups: z.int(),
    train: z.int(),
    validation: z.int(),
    test: z.int(),
  }),
  (dialect) => {
    const pictures = (split: string) =>
      `COUNT(DISTINCT CASE WHEN current_images.split = '${split}' THEN current_images.sha256 END) AS ${split}`;
    return `SELECT
  COUNT(*) AS images,
  COUNT(CASE WHEN newest.status = 'curated' THEN 1 END) AS curated,
  COUNT(CASE WHEN newest.status = 'quarantined' THEN 1 END) AS quarantined,
  COUNT(DISTINCT current_images.${dialect.column("group")}) AS ${dialect.column("groups")},
  ${["train", "validation", "test"].map(pictures).join(",\n  ")}
FROM ${as(newestImages(dialect), "newest")}
LEFT JOIN ${as(currentImages(dialect), "current_images")} ON current_images.source = newest.source`;
  },
);

/** Every current image of a group that stands in several splits, by source, with the hash it was compared by. */
export const TORN_GROUPS = question(
  "torn groups",
  DATASET,
  nothing,
  z.object({
    source: z.string(),
    sha256: z.string(),
    hash: text,
    phash: text,
    patient: text,
    study: text,
    group: z.string(),
    split: z.string(),
  }),
  (dialect) => {
    const { column } = dialect;
    return `SELECT images.source, images.sha256, assigned.${column("hash")}, assigned.phash, images.patient, images.study,
  assigned.${column("group")}, assigned.split
FROM ${as(currentImages(dialect), "images")}
JOIN ${as(currentAssignments(dialect), "assigned")} ON assigned.id = images.id
WHERE assigned.split IN ('train', 'validation', 'test')
QUALIFY MIN(assigned.split) OVER (PARTITION BY assigned.${column("group")}) <>
  MAX(assigned.split) OVER (PARTITION BY assigned.${column("group")})
ORDER BY images.source`;
  },
);

/** How many current images have no group yet. One row. */
export const UNASSIGNED_IMAGES = question(
  "unassigned images",
  DATASET,
  nothing,
  z.object({ images: z.int() }),
  (dialect) =>
    `SELECT COUNT(*) AS images FROM ${as(currentImages(dialect), "images")} WHERE images.${dialect.column("group")} IS NULL`,
);

/** How many current images have a label, and how many of these are of one collection. One row. */
export const LABELLED_IMAGES = question(
  "labelled images",
  DATASET,
  z.strictObject({ collection: z.string() }),
  z.object({ labelled: z.int(), collected: z.int() }),
  (dialect) => `SELECT
  COUNT(*) AS labelled,
  COUNT(CASE WHEN images.collection = ${dialect.parameter("collection")} THEN 1 END) AS collected
FROM ${as(currentImages(dialect), "images")}
WHERE images.label IS NOT NULL`,
);

/** What is known of the files of current images beside their pixels. */
export const IMAGE_FACTS = question(
  "image facts",
  DATASET,
  nothing,
  z.object({
    id: z.string(),
    collection: text,
    subtype: text,
    view: text,
    sequence: text,
    scanner: text,
    study: text,
    width: z.int(),
    height: z.int(),
    bytes: z.int(),
    format: text,
  }),
  (
    dialect,
  ) => `SELECT id, collection, subtype, ${dialect.column("view")}, ${dialect.column("sequence")}, scanner, COALESCE(study, patient) AS study, width, height, ${dialect.column("bytes")}, format
FROM ${as(currentImages(dialect), "images")}
WHERE width IS NOT NULL AND height IS NOT NULL
ORDER BY id`,
);

/** The current fit of a recipe: one row or none; see {@link currentFits}. */
export const CURRENT_FIT = question(
  "current fit",
  ["pca_fits"],
  z.strictObject({ recipe: z.string() }),
  z.object({ pca: z.string(), revision: z.int() }),
  (dialect) =>
    `SELECT pca, revision FROM ${as(currentFits(dialect), "fits")} WHERE recipe = ${dialect.parameter("recipe")}`,
);

/** The scores of a recipe's images on the components of its current fit, ascending by id; see {@link currentFeatures}. */
export const CURRENT_FEATURES = question(
  "current features",
  ["features_pca", "pca_fits"],
  z.strictObject({ recipe: z.string() }),
  z.object(shapeOf("features_pca")) as unknown as z.ZodType<Row<"features_pca">>,
  (dialect) =>
    `SELECT * FROM ${as(currentFeatures(dialect), "features")} WHERE recipe = ${dialect.parameter("recipe")} ORDER BY id`,
);

/** What one network sees in the pictures of a recipe, ascending by the pictures' SHA-256; see {@link deepFeatures}. */
export const DEEP_FEATURES = question(
  "deep features",
  ["features_deep"],
  z.strictObject({ recipe: z.string(), backbone: z.string() }),
  z.object({ sha256: z.string(), features: z.array(z.number()) }),
  (dialect) => `SELECT sha256, features
FROM ${as(deepFeatures(dialect), "deep")}
WHERE recipe = ${dialect.parameter("recipe")} AND backbone = ${dialect.parameter("backbone")}
ORDER BY sha256`,
);

/** The pictures of a recipe of which it is stored what one network sees in them, ascending by their SHA-256. */
export const DEEP_PICTURES = question(
  "pictures with deep features",
  ["features_deep"],
  z.strictObject({ recipe: z.string(), backbone: z.string() }),
  z.object({ sha256: z.string() }),
  ({ table, parameter }) => `SELECT DISTINCT sha256
FROM ${table("features_deep")}
WHERE recipe = ${parameter("recipe")} AND backbone = ${parameter("backbone")}
ORDER BY sha256`,
);

/** The networks of which it is stored what they see in pictures of a recipe, ascending by name. */
export const DEEP_BACKBONES = question(
  "networks with deep features",
  ["features_deep"],
  z.strictObject({ recipe: z.string() }),
  z.object({ backbone: z.string(), pictures: z.int() }),
  ({ table, parameter }) => `SELECT backbone, COUNT(DISTINCT sha256) AS pictures
FROM ${table("features_deep")}
WHERE recipe = ${parameter("recipe")}
GROUP BY backbone
ORDER BY backbone`,
);

/** Most rows of {@link KNOWN_SCANS}: what a process that compares with all of them has room for. */
export const MOST_KNOWN_SCANS = 100_000;

/**
 * Current images with what one network sees in them, and what makes two of them one patient's or one picture: by group
 * (its name, or the image's own id where it has none yet), then by id. Of more than {@link MOST_KNOWN_SCANS} the first: a
 * group is named by a hash, so they are drawn by chance and not by their age, whole groups but for the last. An image
 * without features is among them, with none.
 *
 * `hash`: the perceptual hash that `phash` is to be by; null where an image has none by that.
 */
export const KNOWN_SCANS = question(
  "known scans",
  [...DATASET, "features_deep"],
  z.strictObject({ recipe: z.string(), backbone: z.string(), hash: z.string() }),
  z.object({
    id: z.string(),
    sha256: z.string(),
    label: text,
    group: z.string(),
    split: text,
    patient: text,
    phash: text,
    // An engine has no null in place of a list, the other has.
    features: z
      .array(z.number())
      .nullable()
      .transform((features) => features ?? []),
  }),
  (dialect) => {
    const { column, parameter } = dialect;
    const [group, hash] = [column("group"), column("hash")];
    const hashOf = (table: string) => `WHEN ${table}.${hash} = ${parameter("hash")} THEN ${table}.phash`;
    return `SELECT scans.id, scans.sha256, scans.label, scans.${group}, scans.split, scans.patient, scans.phash, deep.features
FROM (
  SELECT images.id, images.sha256, images.label, COALESCE(images.${group}, images.id) AS ${group}, images.split,
    images.patient, CASE ${hashOf("images")} ${hashOf("assigned")} END AS phash
  FROM ${as(currentImages(dialect), "images")}
  LEFT JOIN ${as(currentAssignments(dialect), "assigned")} ON assigned.id = images.id
  ORDER BY COALESCE(images.${group}, images.id), images.id
  LIMIT ${MOST_KNOWN_SCANS}
) AS scans
LEFT JOIN (
  SELECT sha256, features
  FROM ${as(deepFeatures(dialect), "seen")}
  WHERE recipe = ${parameter("recipe")} AND backbone = ${parameter("backbone")}
) AS deep ON deep.sha256 = scans.sha256
ORDER BY scans.${group}, scans.id`;
  },
);

export type KnownScanRow = z.infer<(typeof KNOWN_SCANS)["row"]>;

/** The first day, YYYY-MM-DD, that a timestamp column lies in: UTC. */
const dayOf = (column: string) => `CAST(CAST(${column} AS DATE) AS STRING)`;

/**
 * Every answer of a model before a day, in the order in which they were given, with what is known of the picture's file
 * where it is curated (of several files with equal pixels the first).
 *
 * `before`: YYYY-MM-DD, which is no longer asked about.
 */
export const MODEL_ANSWERS = question(
  "answers of a model",
  ["predictions", ...DATASET],
  z.strictObject({ model: z.string(), before: z.string() }),
  z.object({
    ...{ request: z.string(), sha256: z.string(), probability: z.number(), decision: z.string(), day: z.string() },
    ...{ group: text, split: text, view: text, sequence: text, scanner: text, subtype: text, collection: text },
    ...{ ingested: text, id: z.string(), who: text, milliseconds: z.int().nullable() },
  }),
  (dialect) => {
    const { column, parameter, table } = dialect;
    const before = `predicted_at < CAST(${parameter("before")} AS TIMESTAMP)`;
    return `SELECT answers.request, answers.sha256, answers.probability, answers.decision,
  ${dayOf("answers.predicted_at")} AS day, images.${column("group")}, images.split, images.${column("view")},
  images.${column("sequence")}, images.scanner, images.subtype, images.collection, ${dayOf("images.ingested_at")} AS ingested,
  answers.id, answers.who, answers.milliseconds
FROM ${table("predictions", before)} AS answers
LEFT JOIN (
  SELECT *
  FROM ${as(currentImages(dialect), "curated")}
  WHERE TRUE
  QUALIFY ROW_NUMBER() OVER (PARTITION BY sha256 ORDER BY ingested_at, id) = 1
) AS images ON images.sha256 = answers.sha256
WHERE answers.model = ${parameter("model")}
ORDER BY answers.predicted_at, answers.request`;
  },
);

/**
 * What each person last said of each answer's scan and did not take back, by when it was said. What was said of a whole study
 * says of no slice whether the model was right. `before`: as of {@link MODEL_ANSWERS}.
 */
export const STANDING_FEEDBACK = question(
  "standing feedback",
  ["feedback"],
  z.strictObject({ before: z.string() }),
  z.object({ request: z.string(), label: z.string(), day: z.string() }),
  ({ table, parameter }) => `SELECT request, label, ${dayOf("given_at")} AS day
FROM (
  SELECT *
  FROM ${table("feedback")} AS said
  WHERE given_at < CAST(${parameter("before")} AS TIMESTAMP) AND scope IS NULL
  QUALIFY ROW_NUMBER() OVER (PARTITION BY id, who ORDER BY given_at DESC, feedback DESC) = 1
) AS standing
WHERE label <> 'Withdrawn'
ORDER BY given_at, request`,
);

/** Every feedback that was ever given, with the picture that it is about, by when it was given. `before`: as of {@link MODEL_ANSWERS}. */
export const FEEDBACK_ON_PICTURES = question(
  "feedback on pictures",
  ["feedback", "predictions"],
  z.strictObject({ before: z.string() }),
  z.object({
    ...{ feedback: z.string(), request: z.string(), id: z.string(), label: z.string(), who: z.string() },
    ...{ given_at: z.string(), scope: text, confirmed: z.boolean().nullable() },
    ...{ sha256: z.string(), predicted_at: z.string() },
  }),
  ({ table, parameter }) => {
    const before = (column: string) => `${column} < CAST(${parameter("before")} AS TIMESTAMP)`;
    return `SELECT said.feedback, said.request, said.id, said.label, said.who, said.given_at, said.scope, said.confirmed,
  answers.sha256, answers.predicted_at
FROM ${table("feedback")} AS said
JOIN ${table("predictions", before("predicted_at"))} AS answers ON answers.request = said.request
WHERE ${before("said.given_at")}
ORDER BY said.given_at, said.feedback`;
  },
);

/** Whether a column's value, which has no space, is among words: neither engine's parameters are lists. */
const isAmong = (column: string, words: string) =>
  `STRPOS(CONCAT(' ', ${words}, ' '), CONCAT(' ', ${column}, ' ')) > 0`;

/** Answers by their requests, in ascending order. `requests`: some, with spaces between. `before`: as of {@link MODEL_ANSWERS}. */
export const ANSWERS_BY_REQUEST = question(
  "answers by request",
  ["predictions"],
  z.strictObject({ requests: z.string(), before: z.string() }),
  z.object({ request: z.string(), id: z.string(), label: z.string(), sha256: z.string() }),
  ({ table, parameter }) => `SELECT request, id, label, sha256
FROM ${table("predictions", `predicted_at < CAST(${parameter("before")} AS TIMESTAMP)`)} AS answers
WHERE ${isAmong("request", parameter("requests"))}
ORDER BY request`,
);

/**
 * The newest answer of each picture of some studies that are curated, ascending by study and picture. `accessions`: the
 * pseudonyms of their accession numbers, with spaces between; `before`: as of {@link MODEL_ANSWERS}.
 */
export const ANSWERS_OF_ACCESSIONS = question(
  "answers of accession numbers",
  ["predictions", ...DATASET],
  z.strictObject({ accessions: z.string(), before: z.string() }),
  z.object({
    ...{ accession: z.string(), request: z.string(), id: z.string(), label: z.string(), sha256: z.string() },
    ...{ probability: z.number(), predicted_at: z.string() },
  }),
  (dialect) => {
    const { parameter, table } = dialect;
    return `SELECT studies.accession, answers.request, answers.id, answers.label, answers.sha256, answers.probability,
  answers.predicted_at
FROM (
  SELECT DISTINCT accession, sha256
  FROM ${as(currentImages(dialect), "images")}
  WHERE accession IS NOT NULL AND ${isAmong("accession", parameter("accessions"))}
) AS studies
JOIN ${table("predictions", `predicted_at < CAST(${parameter("before")} AS TIMESTAMP)`)} AS answers ON answers.sha256 = studies.sha256
WHERE TRUE
QUALIFY ROW_NUMBER() OVER (PARTITION BY studies.accession, answers.sha256 ORDER BY answers.predicted_at DESC, answers.request DESC) = 1
ORDER BY studies.accession, answers.sha256`;
  },
);

/**
 * The newest row of every picture that landed below a folder of its label because of feedback, curated or taken out again,
 * ascending by source; see runtime/dataset/learn-from-feedback.ts.
 */
export const LANDED_FEEDBACK = question(
  "pictures landed by feedback",
  ["images"],
  nothing,
  z.object(shapeOf("images")) as unknown as z.ZodType<Row<"images">>,
  (dialect) => `SELECT *
FROM ${as(newestImages(dialect), "newest")}
WHERE STARTS_WITH(source, 'Cancer/feedback/') OR STARTS_WITH(source, 'Non-Cancer/feedback/')
ORDER BY source`,
);

/** Pages that went into quarantine, by day and reason. `before`: as of {@link MODEL_ANSWERS}. */
export const QUARANTINED_BY_DAY = question(
  "quarantined by day",
  ["images"],
  z.strictObject({ before: z.string() }),
  z.object({ day: z.string(), reason: text, pages: z.int() }),
  ({ table, parameter }) => `SELECT ${dayOf("ingested_at")} AS day, reason, COUNT(*) AS pages
FROM ${table("images")} AS images
WHERE status = 'quarantined' AND ingested_at < CAST(${parameter("before")} AS TIMESTAMP)
GROUP BY 1, 2
ORDER BY 1, COALESCE(reason, '')`,
);

/** Pages that came on each day, refused ones among them. */
export const PAGES_BY_DAY = question(
  "pages by day",
  ["images"],
  z.strictObject({ before: z.string() }),
  z.object({ day: z.string(), pages: z.int() }),
  ({ table, parameter }) => `SELECT ${dayOf("ingested_at")} AS day, COUNT(*) AS pages
FROM ${table("images")} AS images
WHERE ingested_at < CAST(${parameter("before")} AS TIMESTAMP)
GROUP BY 1
ORDER BY 1`,
);

/**
 * Requests for a prediction that were refused (4xx), and those that the service failed on, by day and code.
 * `before`: as of {@link MODEL_ANSWERS}.
 */
export const REFUSED_BY_DAY = question(
  "refused by day",
  ["refusals"],
  z.strictObject({ before: z.string() }),
  z.object({ day: z.string(), outcome: z.enum(["failed", "refused"]), code: z.string(), requests: z.int() }),
  ({ table, column, parameter }) => `SELECT ${column("day")},
  CASE WHEN status >= 500 THEN 'failed' ELSE 'refused' END AS outcome, code, CAST(SUM(requests) AS INT64) AS requests
FROM ${table("refusals")} AS refusals
WHERE ${column("day")} < ${parameter("before")}
GROUP BY 1, 2, 3
ORDER BY 1, 2, 3`,
);

/** How pictures of a recipe were made, ascending by their SHA-256; a row each, also where two runs side by side added two. */
export const PICTURE_STATISTICS = question(
  "picture statistics",
  ["input_statistics"],
  z.strictObject({ recipe: z.string() }),
  z.object(shapeOf("input_statistics")) as unknown as z.ZodType<Row<"input_statistics">>,
  (dialect) => `SELECT ${columnsOf("input_statistics")
    .map(({ name }) => dialect.column(name))
    .join(", ")}
FROM ${dialect.table("input_statistics")} AS measured
WHERE recipe = ${dialect.parameter("recipe")}
QUALIFY ROW_NUMBER() OVER (PARTITION BY sha256 ORDER BY measured_at) = 1
ORDER BY sha256`,
);

/** What monitoring says of a model's days, from the first to the last of the two: the newest of each, by day and name. */
export const MONITORED_DAYS = question(
  "monitored days",
  ["monitoring"],
  z.strictObject({ model: z.string(), from: z.string(), to: z.string() }),
  z.object(shapeOf("monitoring")) as unknown as z.ZodType<Row<"monitoring">>,
  (dialect) => {
    const { column, parameter } = dialect;
    const day = column("day");
    return `SELECT ${columnsOf("monitoring")
      .map(({ name }) => column(name))
      .join(", ")}
FROM ${dialect.table("monitoring")} AS monitored
WHERE model = ${parameter("model")} AND ${day} >= ${parameter("from")} AND ${day} <= ${parameter("to")}
QUALIFY revision = MAX(revision) OVER (PARTITION BY ${day})
  AND ROW_NUMBER() OVER (PARTITION BY ${day}, name, part, revision ORDER BY computed_at) = 1
ORDER BY ${day}, name, COALESCE(part, '')`;
  },
);

/** When a canary, or its present share, began. */
const canarySpan = z.strictObject({ candidate: z.string(), stable: z.string(), since: z.iso.datetime() });
const milliseconds = z.int().nullable();

/**
 * Every scan that both models of a canary looked at, whichever of the two answered, in the order in which they were
 * compared, with the group of the picture where it is curated. Answers that were refused are among them. `since`: a time,
 * ISO 8601 in UTC.
 */
export const CANARY_PAIRS = question(
  "pairs of a canary",
  ["shadows", ...DATASET],
  canarySpan,
  z.object({
    ...{ request: z.string(), sha256: text, group: text },
    ...{ candidate_decision: z.string(), candidate_probability: z.number().nullable() },
    ...{ stable_decision: z.string(), stable_probability: z.number().nullable() },
    ...{ candidate_milliseconds: milliseconds, stable_milliseconds: milliseconds, candidate_answered: z.boolean() },
  }),
  (dialect) => {
    const { column, parameter, table } = dialect;
    const [candidate, stable] = [parameter("candidate"), parameter("stable")];
    const of = (
      name: string,
    ) => `CASE WHEN compared.shadow = ${candidate} THEN compared.shadow_${name} ELSE compared.${name} END AS candidate_${name},
  CASE WHEN compared.shadow = ${candidate} THEN compared.${name} ELSE compared.shadow_${name} END AS stable_${name}`;
    return `SELECT compared.request, compared.sha256, images.${column("group")},
  ${["decision", "probability", "milliseconds"].map(of).join(",\n  ")},
  compared.model = ${candidate} AS candidate_answered
FROM ${table("shadows")} AS compared
LEFT JOIN (
  SELECT *
  FROM ${as(currentImages(dialect), "curated")}
  WHERE TRUE
  QUALIFY ROW_NUMBER() OVER (PARTITION BY sha256 ORDER BY ingested_at, id) = 1
) AS images ON images.sha256 = compared.sha256
WHERE compared.compared_at >= CAST(${parameter("since")} AS TIMESTAMP)
  AND ((compared.model = ${candidate} AND compared.shadow = ${stable})
    OR (compared.model = ${stable} AND compared.shadow = ${candidate}))
ORDER BY compared.compared_at, compared.request`;
  },
);

/** How long each answer of the two models of a canary took for whoever asked, in milliseconds, since a time. */
export const CANARY_TIMES = question(
  "times of a canary",
  ["predictions"],
  canarySpan,
  z.object({ model: z.string(), milliseconds: z.int() }),
  ({ parameter, table }) => `SELECT model, milliseconds
FROM ${table("predictions", `predicted_at >= CAST(${parameter("since")} AS TIMESTAMP)`)} AS answers
WHERE milliseconds IS NOT NULL
  AND ((model = ${parameter("candidate")} AND served_as = 'pinned') OR (model = ${parameter("stable")} AND served_as IS NULL))
ORDER BY predicted_at, request`,
);

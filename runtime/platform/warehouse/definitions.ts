import type { Dialect } from "./question";
import { columnsOf, type TableName } from "./tables";

/**
 * What is current, said once: SELECT statements to be put in parentheses, or saved as views. Lines end without white
 * space: BigQuery keeps the text.
 */

/** Columns of a table, each quoted. */
function selected(table: TableName, { column }: Dialect, of = ""): string {
  return columnsOf(table)
    .map(({ name }) => of + column(name))
    .join(", ");
}

/**
 * The newest state of everything that landed: a row a page, curated or quarantined. The newest generation of an object
 * decides for all its pages, also when it is quarantined or has fewer of them. What has none in `landed` is called as
 * its `source` is.
 */
export function newestImages(dialect: Dialect): string {
  return `SELECT ${selected("images", dialect)}
FROM ${dialect.table("images")}
WHERE TRUE
QUALIFY generation = MAX(generation) OVER (PARTITION BY landed, REGEXP_REPLACE(source, '#page=[0-9]+$', ''))
  AND ROW_NUMBER() OVER (PARTITION BY landed, source ORDER BY generation DESC, ingested_at DESC, id) = 1`;
}

/**
 * Group and split of every image that has them: its highest revision. Two runs side by side may have given an image two
 * rows of one revision; then test comes before validation before train, and `disputed` is true where they contradict, so
 * that the next run compares the image anew. What earlier versions wrote into `images` counts as revision 0.
 */
export function currentAssignments({ table, column }: Dialect): string {
  const [group, hash] = [column("group"), column("hash")];
  const contradicts = (name: string) =>
    `MIN(${name}) OVER (PARTITION BY id, revision) <> MAX(${name}) OVER (PARTITION BY id, revision)`;
  return `SELECT id, ${group}, split, ${hash}, phash, revision,
  ${contradicts(group)} OR ${contradicts("split")} AS disputed
FROM (
  SELECT id, ${group}, split, ${hash}, phash, revision
  FROM ${table("assignments")}
  UNION ALL
  SELECT id, ${group}, split, CAST(NULL AS STRING), CAST(NULL AS STRING), 0
  FROM ${table("images")}
  WHERE ${group} IS NOT NULL AND split IS NOT NULL
)
WHERE TRUE
QUALIFY ROW_NUMBER() OVER (
  PARTITION BY id
  ORDER BY revision DESC, CASE split WHEN 'test' THEN 0 WHEN 'validation' THEN 1 ELSE 2 END, ${group},
    ${hash} IS NULL, ${hash}, phash
) = 1`;
}

/** Of the newest rows, under the name `newest`, those that a data set is made of. */
export const ARE_CURATED = "newest.status = 'curated' AND newest.sha256 IS NOT NULL";

/** The images that a data set is made of: the curated ones among the newest, with group and split where they have them. */
export function currentImages(dialect: Dialect): string {
  const { column } = dialect;
  return `SELECT ${selected("images", dialect, "newest.")}, assigned.${column("group")}, assigned.split
FROM (
${indented(newestImages(dialect))}
) AS newest
LEFT JOIN (
${indented(currentAssignments(dialect))}
) AS assigned ON assigned.id = newest.id
WHERE ${ARE_CURATED}`;
}

/** The current fit of principal components of every recipe. */
export function currentFits(dialect: Dialect): string {
  return `SELECT ${selected("pca_fits", dialect)}
FROM ${dialect.table("pca_fits")}
WHERE TRUE
QUALIFY ROW_NUMBER() OVER (PARTITION BY recipe ORDER BY revision DESC) = 1`;
}

/** Scores on the components of the current fits: a row an image. Images that are no longer current are among them. */
export function currentFeatures(dialect: Dialect): string {
  return `SELECT ${selected("features_pca", dialect, "scored.")}
FROM ${dialect.table("features_pca")} AS scored
JOIN (
${indented(currentFits(dialect))}
) AS fit ON fit.recipe = scored.recipe AND fit.pca = scored.pca
WHERE TRUE
QUALIFY ROW_NUMBER() OVER (PARTITION BY scored.recipe, scored.pca, scored.id ORDER BY scored.id) = 1`;
}

/** What a network sees in each picture: a row an `id`, also where two runs side by side added two. */
export function deepFeatures(dialect: Dialect): string {
  return `SELECT ${selected("features_deep", dialect)}
FROM ${dialect.table("features_deep")}
WHERE TRUE
QUALIFY ROW_NUMBER() OVER (PARTITION BY id ORDER BY extracted_at) = 1`;
}

const indented = (sql: string) => sql.replace(/^/gm, "  ");

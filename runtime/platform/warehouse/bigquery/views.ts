import { currentFeatures, currentImages } from "../definitions";
import { bigQuery } from "./dialect";

/** A saved question over the tables. */
export interface ViewDefinition {
  readonly name: string;
  readonly description: string;
  /** @param dataset `project.dataset` */
  readonly query: (dataset: string) => string;
}

/** Words of SQL among the columns (`group`, `view`) are quoted. Lines end without white space: BigQuery keeps the text. */
export const VIEWS: readonly ViewDefinition[] = [
  {
    name: "current_images",
    description: "Every curated page of the newest generation of what landed, with its group and split",
    query: (dataset) => currentImages(bigQuery(dataset)),
  },
  {
    name: "label_counts",
    description: "Distinct images and groups of each label and split",
    query: (dataset) => `SELECT
  IFNULL(label, 'Unlabelled') AS label,
  IFNULL(split, 'unassigned') AS split,
  COUNT(DISTINCT sha256) AS images,
  COUNT(DISTINCT \`group\`) AS \`groups\`
FROM \`${dataset}.current_images\`
GROUP BY 1, 2`,
  },
  {
    name: "current_features_pca",
    description: "Scores on the current fit of principal components; join it with current_images",
    query: (dataset) => currentFeatures(bigQuery(dataset)),
  },
  {
    name: "quarantine_reasons",
    description: "How many files were refused for which reason, by month",
    query: (dataset) => `SELECT
  DATE(TIMESTAMP_TRUNC(ingested_at, MONTH)) AS month,
  reason,
  COUNT(*) AS files
FROM ${bigQuery(dataset).table("images")}
WHERE status = 'quarantined'
GROUP BY 1, 2`,
  },
  {
    name: "daily_predictions",
    description: "Answers of the last 90 days by day, model and decision",
    query: (dataset) => `SELECT
  DATE(predicted_at) AS day,
  model,
  decision,
  COUNT(*) AS predictions,
  AVG(probability) AS mean_probability
FROM ${bigQuery(dataset).table("predictions", "predicted_at >= TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 90 DAY)")}
GROUP BY 1, 2, 3`,
  },
];

import { DISCLAIMER, type Label } from "../platform/labels";
import type { ModelMetadata } from "../registry";
import { withIntervals } from "./bootstrap";
import {
  type CalibrationBin,
  type Confusion,
  confusionAt,
  curves,
  type Metric,
  type MetricName,
  type PrecisionRecallPoint,
  type RocPoint,
  reliability,
  type Scores,
} from "./metrics";

/** One labelled image with the model's answer. */
export interface ScoredImage {
  /** What a person finds it by: the path below the data folder, or the object's name. */
  readonly path: string;
  readonly label: Label;
  /** Images of one patient, and near-duplicates, share it. */
  readonly group: string;
  /** Where it was collected; results are also given for each. */
  readonly collection?: string | undefined;
  /** Of Cancer. */
  readonly probability: number;
}

/** Metrics of one set of images at the model's threshold. */
export type Measured = {
  /** Labelled images. */
  readonly n: number;
  readonly groups: number;
  readonly cancer: number;
  readonly nonCancer: number;
  readonly threshold: number;
} & Readonly<Record<MetricName, Metric>>;

/** `evaluation.json`. */
export interface Evaluation {
  readonly model: string;
  readonly recipe: string;
  readonly seed: number;
  /** SHA-256 over the images that were measured: path, label, group. */
  readonly dataset: string;
  readonly synthetic: boolean;
  readonly disclaimer: string;
  /** How the 95 % intervals were made. */
  readonly intervals: string;
  readonly test: Measured;
  /** The split that the threshold was chosen on, where it is known. */
  readonly validation: Measured | null;
  /** The test images again, collection by collection, where there is more than one. */
  readonly collections: readonly ({ readonly name: string } & Measured)[];
  readonly confusion: Confusion;
  readonly roc: readonly RocPoint[];
  readonly precisionRecall: readonly PrecisionRecallPoint[];
  readonly reliability: readonly CalibrationBin[];
  /** Files that got no probability, by reason. */
  readonly rejected: Readonly<Record<string, number>>;
  /** Files with a probability but no label to compare with. */
  readonly unlabelled: number;
}

/** Points of a curve that are kept in `evaluation.json` and drawn. */
const CURVE_POINTS = 1000;

export function toScores(images: readonly ScoredImage[]): Scores {
  return {
    labels: Uint8Array.from(images, (image) => (image.label === "Cancer" ? 1 : 0)),
    probabilities: Float64Array.from(images, (image) => image.probability),
    groups: images.map((image) => image.group),
  };
}

export function measure(images: readonly ScoredImage[], threshold: number, seed: number): Measured {
  const scores = toScores(images);
  const cancer = scores.labels.reduce((sum, label) => sum + label, 0);
  return {
    n: images.length,
    groups: new Set(scores.groups).size,
    cancer,
    nonCancer: images.length - cancer,
    threshold,
    ...withIntervals(scores, threshold, { seed }),
  };
}

/** The one computation behind every evaluation: of a workspace's test split and of a folder. */
export function evaluateScored(input: {
  readonly metadata: ModelMetadata;
  readonly dataset: string;
  readonly test: readonly ScoredImage[];
  readonly validation?: readonly ScoredImage[] | undefined;
  readonly seed: number;
  readonly rejected?: Readonly<Record<string, number>>;
  readonly unlabelled?: number;
}): Evaluation {
  const { metadata, test, validation, seed } = input;
  const { threshold } = metadata;
  const scores = toScores(test);
  const { roc, precisionRecall } = curves(scores);
  const names = [...new Set(test.map((image) => image.collection).filter((name) => name !== undefined))].sort();
  return {
    model: metadata.id,
    recipe: metadata.recipe,
    seed,
    dataset: input.dataset,
    synthetic: metadata.synthetic,
    disclaimer: DISCLAIMER,
    intervals: "95 %: percentiles of 2,000 bootstrap resamples of groups",
    test: measure(test, threshold, seed),
    validation: validation && validation.length > 0 ? measure(validation, threshold, seed) : null,
    collections:
      names.length < 2
        ? []
        : names.map((name) => ({
            name,
            ...measure(
              test.filter((image) => image.collection === name),
              threshold,
              seed,
            ),
          })),
    confusion: confusionAt(scores, threshold),
    roc: thin(roc),
    precisionRecall: thin(precisionRecall),
    reliability: reliability(scores),
    rejected: input.rejected ?? {},
    unlabelled: input.unlabelled ?? 0,
  };
}

/** Evenly spaced points, with the first and the last. */
function thin<T>(points: readonly T[]): readonly T[] {
  if (points.length <= CURVE_POINTS) return points;
  return Array.from(
    { length: CURVE_POINTS },
    (_, i) => points[Math.round((i * (points.length - 1)) / (CURVE_POINTS - 1))] as T,
  );
}

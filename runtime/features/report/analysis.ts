import type { Label, Split } from "../../intake";
import { symmetricEigen } from "../../platform/linear-algebra";
import { FeatureSpace } from "../../similar";

/** A picture of the data set with what a network saw in it. */
export interface ReportImage {
  readonly sha256: string;
  /** What a person finds it by. */
  readonly source: string;
  readonly label: Label | null;
  readonly split: Split | null;
  readonly group: string;
  readonly collection: string | null;
  readonly features: readonly number[];
}

/** Two images of different splits and different groups that a network finds alike. */
export interface NearPair {
  readonly image: ReportImage;
  /** The most similar training image. */
  readonly training: ReportImage;
  readonly similarity: number;
}

export interface Outlier {
  readonly image: ReportImage;
  /** Mean similarity to the nearest training images of other groups. */
  readonly similarity: number;
}

export interface Analysis {
  /** Share of the variance of the training images that each principal component explains, descending. */
  readonly explained: readonly number[];
  /** Each image on the first two components. */
  readonly places: readonly { readonly image: ReportImage; readonly x: number; readonly y: number }[];
  /** The most similar first. */
  readonly pairs: readonly NearPair[];
  /** The least similar first. */
  readonly outliers: readonly Outlier[];
}

/** Training images that an outlier is far from. */
const NEIGHBOURS = 10;
/** Pairs and outliers that are listed. */
export const LISTED = 20;

/**
 * What a network's features say of a data set: the principal components of the training images (exact, by the covariance),
 * pairs across splits, and what is like nothing.
 *
 * @throws {RangeError} without two training images
 */
export function analyse(images: readonly ReportImage[]): Analysis {
  const training = images.filter(({ split }) => split === "train");
  if (training.length < 2) throw new RangeError("There are fewer than two training images with features.");
  const { mean, values, axes } = principalAxes(training.map(({ features }) => features));
  const total = values.reduce((sum, value) => sum + value, 0);
  const project = ({ features }: ReportImage, axis: Float64Array | undefined) =>
    axis === undefined
      ? 0
      : axis.reduce((sum, weight, i) => sum + weight * ((features[i] as number) - (mean[i] as number)), 0);
  const space = FeatureSpace.of(training.map(({ features }) => features));
  const pairs: NearPair[] = [];
  const outliers: Outlier[] = [];
  for (const image of images) {
    const nearest = space.nearest(image.features, NEIGHBOURS, (row) => training[row]?.group !== image.group);
    const [first] = nearest;
    if (!first) continue;
    const similarity = nearest.reduce((sum, near) => sum + near.similarity, 0) / nearest.length;
    outliers.push({ image, similarity });
    if (image.split !== "train" && image.split !== null)
      pairs.push({ image, training: training[first.row] as ReportImage, similarity: first.similarity });
  }
  return {
    explained: Array.from(values, (value) => (total > 0 ? value / total : 0)),
    places: images.map((image) => ({ image, x: project(image, axes[0]), y: project(image, axes[1]) })),
    pairs: pairs.sort((a, b) => b.similarity - a.similarity).slice(0, LISTED),
    outliers: outliers.sort((a, b) => a.similarity - b.similarity).slice(0, LISTED),
  };
}

function principalAxes(rows: readonly (readonly number[])[]) {
  const width = rows[0]?.length ?? 0;
  const mean = new Float64Array(width);
  for (const row of rows)
    for (let i = 0; i < width; i++) mean[i] = (mean[i] as number) + (row[i] as number) / rows.length;
  const covariance = new Float64Array(width * width);
  for (const row of rows)
    for (let i = 0; i < width; i++) {
      const value = ((row[i] as number) - (mean[i] as number)) / (rows.length - 1);
      for (let j = 0; j < width; j++)
        covariance[i * width + j] =
          (covariance[i * width + j] as number) + value * ((row[j] as number) - (mean[j] as number));
    }
  const { values, vectors } = symmetricEigen(covariance, width);
  return { mean, values: values.map((value) => Math.max(0, value)), axes: vectors };
}

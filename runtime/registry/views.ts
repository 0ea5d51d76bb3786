import * as tf from "@tensorflow/tfjs-core";
import type { LayersModel } from "@tensorflow/tfjs-layers";
import { SUREST } from "./decision";
import type { ModelMetadata } from "./metadata";

/** One way of showing an image. */
export interface View {
  /** Axes of [n, rows, columns, channels] that it is mirrored along. */
  readonly mirror: readonly (1 | 2)[];
  /** How much of the image's side is seen: below 1 the middle fills the square, above 1 the image has a black margin. */
  readonly extent: number;
}

/** What a model is shown of one image. Its answer is the mean over them. */
export type Views = NonNullable<ModelMetadata["views"]>;

const MIRRORS = [[], [2], [1], [1, 2]] as const;
const at = (extent: number): readonly View[] => MIRRORS.map((mirror) => ({ mirror, extent }));

const VIEWS: Readonly<Record<Views, readonly View[]>> = {
  plain: [{ mirror: [], extent: 1 }],
  /** As it is, left-right, upside-down, and both: the mirror images that training shows too. */
  mirrored: at(1),
  /**
   * These at two sizes that training shows too. Training never shows an image as it is: turned and shifted, its pixels lie
   * between those of the file, so that it is softer. Shown as sharp as the file, it looks different (Touvron et al. 2019,
   * https://arxiv.org/abs/1906.06423).
   */
  "mirrored-two-sizes": [...at(0.9), ...at(1.1)],
};

export const viewsOf = (views: Views = "plain"): readonly View[] => VIEWS[views];

/** Shows images [n, side, side, channels] as a view asks; outside of an image it is black. */
export function showAs({ mirror, extent }: View, x: tf.Tensor4D): tf.Tensor4D {
  return mirrored(mirror, extent === 1 ? x : resized(x, extent, "black"));
}

/**
 * Brings a map of what a view showed, [n, side, side, channels] of any side, back over the image. Where the view did not
 * reach, the nearest value that it has stands in.
 */
export function unshow({ mirror, extent }: View, map: tf.Tensor4D): tf.Tensor4D {
  const upright = mirrored(mirror, map);
  return extent === 1 ? upright : resized(upright, 1 / extent, "nearest");
}

/**
 * Probability of Cancer before calibration: log odds, averaged over the views of an image.
 *
 * @param x [n, 128, 128, 3] in [0, 1]
 * @returns [n]
 */
export function predictViews(network: LayersModel, x: tf.Tensor4D, views?: Views): tf.Tensor1D {
  return tf.tidy(() => {
    const shown = viewsOf(views);
    const answers = shown.map((view) => tf.reshape(network.predict(showAs(view, x)) as tf.Tensor, [-1]));
    if (answers.length === 1) return answers[0] as tf.Tensor1D;
    const logOdds = answers.map((answer) => {
      const p = tf.clipByValue(answer, SUREST, 1 - SUREST);
      return tf.sub(tf.log(p), tf.log1p(tf.neg(p)));
    });
    return tf.sigmoid(tf.div(tf.addN(logOdds), shown.length)) as tf.Tensor1D;
  });
}

const mirrored = (axes: View["mirror"], x: tf.Tensor4D) => (axes.length > 0 ? tf.reverse(x, [...axes]) : x);

/** Bilinear, around the centre, by a matrix for the rows and the same for the columns: every backend has that. */
function resized(x: tf.Tensor4D, extent: number, outside: "black" | "nearest"): tf.Tensor4D {
  return tf.tidy(() => {
    const [n, side, , channels] = x.shape;
    const weights = tf.tensor3d(resamplingMatrix(side, extent, outside), [1, side, side]);
    const rows = (t: tf.Tensor) =>
      tf.reshape(tf.matMul(weights, tf.reshape(t, [n, side, side * channels])), [n, side, side, channels]);
    const swapped = (t: tf.Tensor) => tf.transpose(t, [0, 2, 1, 3]);
    return swapped(rows(swapped(rows(x)))) as tf.Tensor4D;
  });
}

/** What each of the values in a row of the result takes from a row of the source: side x side. */
function resamplingMatrix(side: number, extent: number, outside: "black" | "nearest"): Float32Array {
  const matrix = new Float32Array(side * side);
  const centre = (side - 1) / 2;
  for (let to = 0; to < side; to++) {
    const exact = centre + (to - centre) * extent;
    const from = outside === "nearest" ? Math.min(side - 1, Math.max(0, exact)) : exact;
    const left = Math.floor(from);
    for (const [column, share] of [
      [left, 1 - (from - left)],
      [left + 1, from - left],
    ] as const) {
      if (column >= 0 && column < side) matrix[to * side + column] = share;
    }
  }
  return matrix;
}

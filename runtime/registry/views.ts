import * as tf from "@tensorflow/tfjs-core";
import type { LayersModel } from "@tensorflow/tfjs-layers";
import { SUREST } from "./decision";
import type { ModelMetadata } from "./metadata";

/** Axes of [n, rows, columns, channels] that a view is mirrored along. */
export type View = readonly (1 | 2)[];

/** What a model is shown of one image. Its answer is the mean over them. */
export type Views = NonNullable<ModelMetadata["views"]>;

const PLAIN: readonly View[] = [[]];
/** As it is, left-right, upside-down, and both: the mirror images that training shows too. */
const MIRRORED: readonly View[] = [[], [2], [1], [1, 2]];

export const viewsOf = (views: Views = "plain"): readonly View[] => (views === "mirrored" ? MIRRORED : PLAIN);

/** Mirrors a tensor [n, rows, columns, channels] as a view asks; mirroring twice gives it back. */
export const mirrorAs = (view: View, x: tf.Tensor4D): tf.Tensor4D => (view.length > 0 ? tf.reverse(x, [...view]) : x);

/**
 * Probability of Cancer before calibration: log odds, averaged over the views of an image.
 *
 * @param x [n, 128, 128, 3] in [0, 1]
 * @returns [n]
 */
export function predictViews(network: LayersModel, x: tf.Tensor4D, views?: Views): tf.Tensor1D {
  return tf.tidy(() => {
    const shown = viewsOf(views);
    const answers = shown.map((view) => tf.reshape(network.predict(mirrorAs(view, x)) as tf.Tensor, [-1]));
    if (answers.length === 1) return answers[0] as tf.Tensor1D;
    const logOdds = answers.map((answer) => {
      const p = tf.clipByValue(answer, SUREST, 1 - SUREST);
      return tf.sub(tf.log(p), tf.log1p(tf.neg(p)));
    });
    return tf.sigmoid(tf.div(tf.addN(logOdds), shown.length)) as tf.Tensor1D;
  });
}

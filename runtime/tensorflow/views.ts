import * as tf from "@tensorflow/tfjs-core";
import { SUREST, type View, type Views, viewsOf } from "../model";

/** Shows images [n, side, side, channels] as a view asks; outside of an image it is black. */
export function showAs({ mirror, extent }: View, x: tf.Tensor4D): tf.Tensor4D {
  return mirrored(mirror, extent === 1 ? x : resized(x, extent));
}

/**
 * Brings a map of what a view showed, [n, side, side, channels] of any side, back over the image. Where the view did not
 * reach, its edge stands in.
 */
export function unshow({ mirror, extent }: View, map: tf.Tensor4D): tf.Tensor4D {
  const upright = mirrored(mirror, map);
  if (extent === 1) return upright;
  return tf.tidy(() => {
    const side = map.shape[1];
    const edge = Math.max(1, Math.ceil(((side - 1) / 2) * (1 / extent - 1)));
    const around = [edge, edge] as [number, number];
    const padded = tf.mirrorPad(upright, [[0, 0], around, around, [0, 0]], "symmetric");
    return tf.slice(resized(padded, 1 / extent), [0, edge, edge, 0], upright.shape);
  });
}

/** Whatever gives images [n, side, side, channels] probabilities [n, 1]. */
interface Predicting {
  predict(x: tf.Tensor): tf.Tensor | tf.Tensor[];
}

/**
 * Probability of Cancer before calibration: log odds, averaged over the views of an image.
 *
 * @param x [n, 128, 128, 3] in [0, 1]
 * @returns [n]
 */
export function predictViews(network: Predicting, x: tf.Tensor4D, views?: Views): tf.Tensor1D {
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

/** Bilinear, around the centre; 0 where it reaches past the middle of the outermost pixels. */
function resized(x: tf.Tensor4D, extent: number): tf.Tensor4D {
  return tf.tidy(() => {
    const [n, side] = x.shape;
    const [from, to] = [(1 - extent) / 2, (1 + extent) / 2];
    const boxes = tf.tile(tf.tensor2d([[from, from, to, to]]), [n, 1]) as tf.Tensor2D;
    const all = tf.range(0, n, 1, "int32") as tf.Tensor1D;
    return tf.image.cropAndResize(x, boxes, all, [side, side], "bilinear", 0);
  });
}

import * as tf from "@tensorflow/tfjs-core";
import { type Backbone, fold, fuse, readGraph } from "../../runtime/backbone";
import { ExtractionPool } from "../../runtime/features/backbone/pool";
import { RECIPE } from "../../runtime/imaging";
import { compute, shown } from "../../runtime/train/teacher/compute";
import { headPixels } from "./head";

/**
 * The largest difference between a backbone's features by onnxruntime and by TensorFlow.js on the current backend, with
 * its normalisations and with them folded away, as a part of the largest feature.
 */
export async function featureDifference(backbone: Backbone): Promise<number> {
  const planes = [1, 2, 3].map((at) => headPixels(RECIPE.side, RECIPE.side, { x: 30 * at, y: 64, radius: 6 * at }, at));
  const joined = new Uint8Array(planes.length * RECIPE.side ** 2);
  for (const [i, plane] of planes.entries()) joined.set(plane, i * RECIPE.side ** 2);
  // In a thread, as a step of features does it: onnxruntime does not take arrays of jest's.
  const pool = await ExtractionPool.start("file:///tested", backbone, 1);
  const expected = Float32Array.from((await pool.extract(planes)).flatMap((features) => Array.from(features)));
  await pool.close();
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const graph = readGraph(backbone);
  const differences = [fuse(graph), fold(graph)].map((network) =>
    tf.tidy(() => {
      const grey = tf.tensor4d(
        Float32Array.from(joined, (value) => value / 255),
        [planes.length, RECIPE.side, RECIPE.side, 1],
      );
      const x = shown(
        tf.tile(grey, [1, 1, 1, 3]) as tf.Tensor4D,
        backbone.manifest.input.size,
        backbone.manifest.input,
      );
      const weight = (number: number) => {
        const { values, shape } = network.weights[number] as (typeof network.weights)[number];
        return tf.tensor(values, [...shape]);
      };
      const found = compute(network, weight, x, false).tensors.get(network.output)?.dataSync() as Float32Array;
      if (found.length !== expected.length) return Number.POSITIVE_INFINITY;
      return found.reduce((most, value, i) => Math.max(most, Math.abs(value - (expected[i] as number))), 0);
    }),
  );
  return Math.max(...differences) / largest;
}

import * as tf from "@tensorflow/tfjs-core";
import { replicate } from "../imaging";
import type { Views } from "../model";
import { imagesToTensor, predictViews } from "../tensorflow";
import { inferenceNetwork, MAP_SIDE, PARAMETERS, trainingForward } from "./architecture";
import type { Batch, TrainingImages } from "./batch";
import { installConvolutionGradients } from "./gradients/convolution";
import { installMaxPoolGradient } from "./gradients/max-pool";
import { installReluGradient } from "./gradients/relu";
import { NETWORK_SIZE, splitNetwork } from "./optimizer";

/** Floats that a replica answers with: gradients, the batch's statistics, the loss. */
export const EXCHANGE_SIZE = NETWORK_SIZE + 1;

/** Images that are predicted at once. */
export const PREDICTED = 32;

/** Computes gradients of a part of a batch on the current TensorFlow.js backend. It keeps no state between calls. */
export class Replica {
  constructor(private readonly images: TrainingImages) {
    installConvolutionGradients();
    installMaxPoolGradient();
    installReluGradient();
  }

  /**
   * Gradient of the mean loss of a batch: the weighted binary cross-entropy of the label, and that of the lesion map
   * where a mask is known.
   *
   * @param network weights and statistics, flat
   * @param exchange receives {@link EXCHANGE_SIZE} floats
   */
  gradients(network: Float32Array, batch: Batch, exchange: Float32Array): void {
    const { rows, side } = batch;
    tf.tidy(() => {
      const x = tf.tensor4d(batch.pixels, [rows, side, side, 3]);
      const y = tf.tensor1d(batch.labels);
      const importance = tf.tensor1d(batch.importance);
      const map = tf.tensor3d(batch.lesions, [rows, MAP_SIDE, MAP_SIDE]);
      const known = tf.tensor3d(batch.lesionImportance, [rows, 1, 1]);
      const weights = splitNetwork(network).weights.map((values, i) =>
        tf.tensor(values, [...(PARAMETERS[i] as (typeof PARAMETERS)[number]).shape]),
      );
      let statistics: readonly tf.Tensor[] = [];
      const { value, grads } = tf.valueAndGrads((...parameters: tf.Tensor[]) => {
        const forward = trainingForward(parameters, x);
        statistics = forward.statistics.map((tensor) => tf.keep(tensor));
        const label = tf.mean(tf.mul(importance, binaryCrossEntropy(y, forward.logits)));
        return tf.add(label, tf.mean(tf.mul(known, binaryCrossEntropy(map, forward.lesions))));
      })(weights);
      let offset = 0;
      for (const tensor of [...grads, ...statistics, value]) {
        exchange.set(tensor.dataSync() as Float32Array, offset);
        offset += tensor.size;
      }
      tf.dispose([...statistics]);
    });
  }

  /** Probability of Cancer of each row by a flat network, without augmentation. */
  predict(network: Float32Array, rows: Int32Array, views: Views): Float32Array {
    const { weights, statistics } = splitNetwork(network);
    const model = inferenceNetwork(weights, statistics);
    const { side, pixels } = this.images;
    const area = side * side;
    const probabilities = new Float32Array(rows.length);
    for (let from = 0; from < rows.length; from += PREDICTED) {
      const images = Array.from(rows.subarray(from, from + PREDICTED), (row) =>
        replicate(pixels.subarray(row * area, (row + 1) * area)),
      );
      tf.tidy(() => {
        probabilities.set(predictViews(model, imagesToTensor(images), views).dataSync() as Float32Array, from);
      });
    }
    model.dispose();
    return probabilities;
  }
}

/** Numerically stable binary cross-entropy on logits: max(z, 0) - z y + log(1 + exp(-|z|)). */
function binaryCrossEntropy<T extends tf.Tensor>(labels: T, logits: T): T {
  const tail = tf.log1p(tf.exp(tf.neg(tf.abs(logits))));
  return tf.add(tf.sub(tf.relu(logits), tf.mul(logits, labels)), tail) as T;
}

import * as tf from "@tensorflow/tfjs-core";
import { mixSeed, uniform } from "../platform/random";
import { imagesToTensor } from "../registry/load-classifier";
import { predictViews, type Views } from "../registry/views";
import { inferenceNetwork, MAP_SIDE, PARAMETERS, trainingForward } from "./architecture";
import { AUGMENTATION, augment } from "./augment";
import { installConvolutionGradients } from "./gradients/convolution";
import { installMaxPoolGradient } from "./gradients/max-pool";
import { LESION_WEIGHT, NO_LESION, UNKNOWN_LESION } from "./lesions";
import { NETWORK_SIZE, splitNetwork } from "./optimizer";
import { plantLesion } from "./plant-lesion";

/** Floats that a replica answers with: gradients, the batch's statistics, the loss. */
export const EXCHANGE_SIZE = NETWORK_SIZE + 1;

/** The images that a replica sees. Shared memory, where there are several replicas. */
export interface TrainingImages {
  /** Pixels of a row and of a column. */
  readonly side: number;
  /** Grey recipe pixels of all rows, one after the other: rows x side x side, uint8. */
  readonly pixels: Uint8Array;
  /** 1 Cancer, 0 Non-Cancer. */
  readonly labels: Uint8Array;
  /** Lesion masks after the recipe, one after the other: masks x side x side shares of lesion, 0 to 255. */
  readonly masks: Uint8Array;
  /** Number of each row's mask in {@link masks}, or `NO_LESION`, or `UNKNOWN_LESION`. */
  readonly maskOf: Int32Array;
  /** Importance of a Non-Cancer and of a Cancer row in the loss. */
  readonly classWeights: readonly [number, number];
}

/** Computes gradients of a part of a batch on the current TensorFlow.js backend. It keeps no state between calls. */
export class Replica {
  constructor(private readonly images: TrainingImages) {
    installConvolutionGradients();
    installMaxPoolGradient();
  }

  /**
   * Gradient of the mean loss of some rows, each augmented by its own variation of the epoch: the weighted binary
   * cross-entropy of the label, and that of the lesion map where a mask is known.
   *
   * @param network weights and statistics, flat
   * @param seed of the epoch
   * @param exchange receives {@link EXCHANGE_SIZE} floats
   */
  gradients(network: Float32Array, rows: Int32Array, seed: number, exchange: Float32Array): void {
    const { side, pixels, labels, classWeights, masks, maskOf } = this.images;
    const area = side * side;
    const cells = MAP_SIDE * MAP_SIDE;
    const batch = new Float32Array(rows.length * area * 3);
    const lesions = new Float32Array(rows.length * cells);
    const shown = Float32Array.from(rows, (row) => labels[row] as number);
    rows.forEach((row, i) => {
      const target = batch.subarray(i * area * 3, (i + 1) * area * 3);
      const at = maskOf[row] as number;
      let image = pixels.subarray(row * area, (row + 1) * area);
      let mask = at < 0 ? null : masks.subarray(at * area, (at + 1) * area);
      const variation = mixSeed(seed, row);
      if (at === NO_LESION && uniform(mixSeed(variation, 1))() < AUGMENTATION.lesionChance) {
        const planted = plantLesion(image, side, mixSeed(variation, 2));
        if (planted) {
          image = planted.pixels;
          mask = planted.mask;
          shown[i] = 1;
        }
      }
      const lesion = { mask, target: lesions.subarray(i * cells, (i + 1) * cells) };
      augment(image, target, side, variation, AUGMENTATION, lesion);
    });
    tf.tidy(() => {
      const x = tf.tensor4d(batch, [rows.length, side, side, 3]);
      const y = tf.tensor1d(shown);
      const importance = tf.tensor1d(shown.map((label) => classWeights[label as 0 | 1]));
      const map = tf.tensor3d(lesions, [rows.length, MAP_SIDE, MAP_SIDE]);
      const known = tf.tensor3d(
        Float32Array.from(rows, (row) => (maskOf[row] === UNKNOWN_LESION ? 0 : LESION_WEIGHT)),
        [rows.length, 1, 1],
      );
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
    const batch = 32;
    for (let from = 0; from < rows.length; from += batch) {
      const images = Array.from(rows.subarray(from, from + batch), (row) =>
        replicateChannels(pixels.subarray(row * area, (row + 1) * area)),
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

function replicateChannels(grey: Uint8Array): Uint8Array {
  const pixels = new Uint8Array(grey.length * 3);
  for (let i = 0; i < grey.length; i++) pixels.fill(grey[i] as number, 3 * i, 3 * i + 3);
  return pixels;
}

import * as tf from "@tensorflow/tfjs-core";
import { replicate } from "../imaging";
import type { Views } from "../model";
import { imagesToTensor, predictViews } from "../tensorflow";
import type { Batch, TrainingImages } from "./batch";
import { installConvolutionGradients } from "./gradients/convolution";
import { installMaxPoolGradient } from "./gradients/max-pool";
import { installReluGradient } from "./gradients/relu";
import type { Layout } from "./layout";
import { type Learner, type LearnerSpec, learnerOf, tensorsOf } from "./learner";
import { NETWORK_SIZE } from "./optimizer";

/** Floats that a replica answers with: gradients, the batch's statistics, the loss. */
export const exchangeSize = ({ size }: Layout): number => size + 1;
/** Of the compact network. */
export const EXCHANGE_SIZE = NETWORK_SIZE + 1;

/** Images that are predicted at once. */
export const PREDICTED = 32;

/** Computes gradients of a part of a batch on the current TensorFlow.js backend. It keeps no state between calls. */
export class Replica {
  private readonly learner: Learner;

  constructor(
    private readonly images: TrainingImages,
    spec: LearnerSpec = { kind: "compact" },
  ) {
    this.learner = learnerOf(spec);
    installConvolutionGradients();
    installMaxPoolGradient();
    installReluGradient();
  }

  /**
   * Gradient of the mean loss of a batch.
   *
   * @param network weights and statistics, flat
   * @param exchange receives {@link exchangeSize} floats
   */
  gradients(network: Float32Array, batch: Batch, exchange: Float32Array): void {
    const { layout } = this.learner;
    tf.tidy(() => {
      const tensors = tensorsOf(batch);
      const weights = layout
        .split(network)
        .weights.map((values, i) =>
          tf.tensor(values, [...(layout.parameters[i] as { shape: readonly number[] }).shape]),
        );
      const looked = this.learner.look(tensors);
      let statistics: readonly tf.Tensor[] = [];
      const { value, grads } = tf.valueAndGrads((...parameters: tf.Tensor[]) => {
        const forward = this.learner.loss(parameters, tensors, looked);
        statistics = forward.statistics.map((tensor) => tf.keep(tensor));
        return forward.loss;
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
    const model = this.learner.answering(network);
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

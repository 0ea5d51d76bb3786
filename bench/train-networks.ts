import * as tf from "@tensorflow/tfjs-core";
import { normal, uniform } from "../runtime/platform/random";
import { sizeOf } from "../runtime/train/architecture";
import { batchNormRelu } from "../runtime/train/gradients/batch-norm";
import { installConvolutionGradients } from "../runtime/train/gradients/convolution";
import { installMaxPoolGradient } from "../runtime/train/gradients/max-pool";
import { installReluGradient } from "../runtime/train/gradients/relu";

const SIDE = 128;
const CHANNELS = 3;

/** A network to be timed: not the product's, but on its gradients. */
export interface TimedNetwork {
  readonly shapes: readonly (readonly number[])[];
  /** Logits [n] of x [n, 128, 128, 3]. */
  forward(weights: readonly tf.Tensor[], x: tf.Tensor4D): tf.Tensor1D;
}

const TUTORIAL = [32, 64, 128];
const TUTORIAL_DENSE = 128;
/** Side of the last map: each valid 3 x 3 convolution takes two, each pooling half. */
const TUTORIAL_SIDE = TUTORIAL.reduce((side) => Math.floor((side - 2) / 2), SIDE);
const FLAT = TUTORIAL_SIDE * TUTORIAL_SIDE * (TUTORIAL.at(-1) as number);

/** The network of peers/keras_tutorial_cnn.py. */
export const tutorialNetwork: TimedNetwork = {
  shapes: [
    ...TUTORIAL.flatMap((channels, i) => [[3, 3, TUTORIAL[i - 1] ?? CHANNELS, channels], [channels]]),
    ...[[FLAT, TUTORIAL_DENSE], [TUTORIAL_DENSE], [TUTORIAL_DENSE, 1], [1]],
  ],
  forward(weights, x) {
    let features = x;
    TUTORIAL.forEach((_, i) => {
      const [filter, bias] = weights.slice(2 * i, 2 * i + 2) as [tf.Tensor4D, tf.Tensor1D];
      const activated = tf.relu(tf.add(tf.conv2d(features, filter, 1, "valid"), bias)) as tf.Tensor4D;
      features = tf.maxPool(activated, 2, 2, "valid");
    });
    const [kernel, bias, lastKernel, lastBias] = weights.slice(-4) as [tf.Tensor2D, tf.Tensor, tf.Tensor2D, tf.Tensor];
    const hidden = tf.relu(tf.add(tf.matMul(tf.reshape(features, [-1, FLAT]), kernel), bias)) as tf.Tensor2D;
    return tf.reshape(tf.add(tf.matMul(hidden, lastKernel), lastBias), [-1]);
  },
};

const FIVE = [16, 32, 64, 96, 128];

/** Five 3 x 3 convolutions with batch normalisation, 190,161 parameters: the first with stride 2, pooling in the first three. */
export const fiveConvolutions: TimedNetwork = {
  shapes: [
    ...FIVE.flatMap((channels, i) => [[3, 3, FIVE[i - 1] ?? CHANNELS, channels], [channels], [channels]]),
    ...[[FIVE.at(-1) as number, 1], [1]],
  ],
  forward(weights, x) {
    let features = x;
    FIVE.forEach((_, i) => {
      const [filter, gamma, beta] = weights.slice(3 * i, 3 * i + 3) as [tf.Tensor4D, tf.Tensor1D, tf.Tensor1D];
      const convolved = tf.conv2d(features, filter, i === 0 ? 2 : 1, "same");
      features = batchNormRelu(i < 3 ? tf.maxPool(convolved, 2, 2, "same") : convolved, gamma, beta).y;
    });
    const [kernel, bias] = weights.slice(-2) as [tf.Tensor2D, tf.Tensor1D];
    return tf.reshape(tf.add(tf.matMul(tf.mean(features, [1, 2]) as tf.Tensor2D, kernel), bias), [-1]);
  },
};

export const parametersOf = ({ shapes }: TimedNetwork): number => shapes.reduce((sum, shape) => sum + sizeOf(shape), 0);

/**
 * A function that does one training step on one invented batch: gradients by TensorFlow.js, then Adam over flat vectors, as
 * the product's trainer does.
 *
 * @param rows images of the batch
 */
export function trainingStep(network: TimedNetwork, rows: number): () => void {
  installConvolutionGradients();
  installMaxPoolGradient();
  installReluGradient();
  const random = uniform(0);
  const gaussian = normal(random);
  const weights = network.shapes.map((shape) => {
    const deviation = shape.length > 1 ? Math.sqrt(2 / sizeOf(shape.slice(0, -1))) : 0;
    return Float32Array.from({ length: sizeOf(shape) }, () => (shape.length > 1 ? gaussian() * deviation : 0.1));
  });
  const moments = weights.map(({ length }) => ({ first: new Float32Array(length), second: new Float32Array(length) }));
  const pixels = Float32Array.from({ length: rows * SIDE * SIDE * CHANNELS }, random);
  const labels = Float32Array.from({ length: rows }, (_, i) => i % 2);
  let step = 0;
  return () => {
    let gradients: Float32Array[] = [];
    tf.tidy(() => {
      const x = tf.tensor4d(pixels, [rows, SIDE, SIDE, CHANNELS]);
      const y = tf.tensor1d(labels);
      const { grads } = tf.valueAndGrads((...parameters: tf.Tensor[]) => {
        const logits = network.forward(parameters, x);
        const tail = tf.log1p(tf.exp(tf.neg(tf.abs(logits))));
        return tf.mean(tf.add(tf.sub(tf.relu(logits), tf.mul(logits, y)), tail)) as tf.Scalar;
      })(weights.map((values, i) => tf.tensor(values, [...(network.shapes[i] as readonly number[])])));
      // Not returned: tidy looks for tensors in whatever is, number by number.
      gradients = grads.map((gradient) => gradient.dataSync() as Float32Array);
    });
    step++;
    gradients.forEach((gradient, i) => {
      const { first, second } = moments[i] as (typeof moments)[number];
      adam(weights[i] as Float32Array, gradient, first, second, step);
    });
  };
}

/** Kingma and Ba (2015), with Keras' settings. */
function adam(
  weights: Float32Array,
  gradients: Float32Array,
  first: Float32Array,
  second: Float32Array,
  step: number,
): void {
  const rate = (1e-3 * Math.sqrt(1 - 0.999 ** step)) / (1 - 0.9 ** step);
  for (let i = 0; i < weights.length; i++) {
    const gradient = gradients[i] as number;
    const m = 0.9 * (first[i] as number) + 0.1 * gradient;
    const v = 0.999 * (second[i] as number) + 0.001 * gradient * gradient;
    first[i] = m;
    second[i] = v;
    weights[i] = (weights[i] as number) - (rate * m) / (Math.sqrt(v) + 1e-7);
  }
}

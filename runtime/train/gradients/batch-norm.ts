import * as tf from "@tensorflow/tfjs-core";
import { attributes, floats, type NativeBackend, nativeBackend, relu6Gradient, reluGradient } from "./native";

export const EPSILON = 1e-3;

export interface Normalized {
  readonly y: tf.Tensor4D;
  /** Mean of each channel over the batch, [channels]. */
  readonly mean: tf.Tensor1D;
  /** Biased variance of each channel over the batch, [channels]. */
  readonly variance: tf.Tensor1D;
}

/** What comes behind a normalisation. */
export type Activation = "relu" | "relu6" | "none";

/** What {@link batchNorm} does beside normalising. */
export interface BatchNormOptions {
  /** Added to the variance. */
  readonly epsilon: number;
  readonly activation: Activation;
  /** Added ahead of the activation, [n, h, w, channels]. */
  readonly shortcut?: tf.Tensor4D | undefined;
}

/**
 * Batch normalisation (Ioffe and Szegedy, 2015) by the batch's own statistics, plus a shortcut's values if there is one,
 * then an activation, as one operation.
 *
 * TensorFlow.js differentiates batch normalisation as a chain of broadcasts and tiles, which cost more than the
 * convolutions do. Native TensorFlow has both directions as one operation each; elsewhere the gradient is the closed
 * form.
 *
 * @param x [n, h, w, channels]
 * @param gamma scale, [channels]
 * @param beta shift, [channels]
 */
export function batchNorm(
  x: tf.Tensor4D,
  gamma: tf.Tensor1D,
  beta: tf.Tensor1D,
  options: BatchNormOptions,
): Normalized {
  const native = nativeBackend();
  return native ? byNativeOperations(native, x, gamma, beta, options) : byClosedForm(x, gamma, beta, options);
}

/** {@link batchNorm} as the compact network has it. @param shortcut added ahead of the ReLU, [n, h, w, channels] */
export function batchNormRelu(
  x: tf.Tensor4D,
  gamma: tf.Tensor1D,
  beta: tf.Tensor1D,
  shortcut?: tf.Tensor4D,
): Normalized {
  return batchNorm(x, gamma, beta, { epsilon: EPSILON, activation: "relu", shortcut });
}

function activated(activation: Activation, values: tf.Tensor): tf.Tensor {
  if (activation === "none") return values;
  return activation === "relu" ? tf.relu(values) : tf.relu6(values);
}

/** With dz the gradient ahead of the activation, dx = a dz + b x + c with one a, b, c a channel. */
function byClosedForm(
  x: tf.Tensor4D,
  gamma: tf.Tensor1D,
  beta: tf.Tensor1D,
  { epsilon, activation, shortcut }: BatchNormOptions,
): Normalized {
  const count = x.size / x.shape[3];
  const mean = tf.mean(x, [0, 1, 2]) as tf.Tensor1D;
  const variance = tf.mean(tf.squaredDifference(x, mean), [0, 1, 2]) as tf.Tensor1D;
  const inverse = tf.rsqrt(tf.add(variance, epsilon)) as tf.Tensor1D;

  const operation = tf.customGrad((...inputs: (tf.Tensor | tf.GradSaveFunc)[]) => {
    const [input, scale, shift] = inputs as [tf.Tensor4D, tf.Tensor1D, tf.Tensor1D];
    const save = inputs.at(-1) as tf.GradSaveFunc;
    const slope = tf.mul(scale, inverse);
    const normalized = tf.add(tf.mul(input, slope), tf.sub(shift, tf.mul(mean, slope)));
    const value = activated(activation, shortcut ? tf.add(normalized, inputs[3] as tf.Tensor4D) : normalized);
    save([input, scale, value, mean, inverse]);
    return {
      value,
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => {
        const [savedInput, savedScale, output, savedMean, savedInverse] = saved as [
          tf.Tensor4D,
          tf.Tensor1D,
          tf.Tensor4D,
          tf.Tensor1D,
          tf.Tensor1D,
        ];
        const dz = aheadOf(activation, dy, output);
        const shiftGradient = tf.sum(dz, [0, 1, 2]);
        const scaleGradient = tf.mul(
          savedInverse,
          tf.sub(tf.sum(tf.mul(dz, savedInput), [0, 1, 2]), tf.mul(savedMean, shiftGradient)),
        );
        const a = tf.mul(savedScale, savedInverse);
        const b = tf.mul(tf.mul(a, savedInverse), tf.mul(scaleGradient, -1 / count));
        const c = tf.sub(tf.mul(a, tf.mul(shiftGradient, -1 / count)), tf.mul(b, savedMean));
        const inputGradient = tf.add(tf.mul(dz, a), tf.add(tf.mul(savedInput, b), c));
        return [inputGradient, scaleGradient, shiftGradient, ...(shortcut ? [dz] : [])];
      },
    };
  });
  const y = operation(x, gamma, beta, ...(shortcut ? [shortcut] : [])) as tf.Tensor4D;
  return { y, mean, variance };
}

/** Gradient ahead of an activation, by what came out of it. */
function aheadOf(activation: Activation, dy: tf.Tensor, output: tf.Tensor): tf.Tensor {
  if (activation === "none") return dy;
  const passed = tf.mul(dy, tf.step(output));
  return activation === "relu" ? passed : tf.mul(passed, tf.step(tf.sub(6, output)));
}

function byNativeOperations(
  native: NativeBackend,
  x: tf.Tensor4D,
  gamma: tf.Tensor1D,
  beta: tf.Tensor1D,
  { epsilon, activation, shortcut }: BatchNormOptions,
): Normalized {
  const shared = [
    floats(native, "T"),
    floats(native, "U"),
    ...attributes(native, { data_format: "NHWC", epsilon: { float: epsilon }, is_training: true }),
  ];
  // In training the operation takes no statistics: it makes them.
  const none = tf.tensor1d([]);
  const outputs = native.executeMultipleOutputs("FusedBatchNormV3", shared, [x, gamma, beta, none, none], 6);
  const [normalized, mean, unbiased, ...reserved] = outputs as [tf.Tensor4D, tf.Tensor1D, tf.Tensor1D, ...tf.Tensor[]];
  const count = x.size / x.shape[3];
  const variance = tf.mul(unbiased, Math.max(1, count - 1) / count) as tf.Tensor1D;

  const operation = tf.customGrad((...inputs: (tf.Tensor | tf.GradSaveFunc)[]) => {
    const [input, scale] = inputs as [tf.Tensor4D, tf.Tensor1D];
    const save = inputs.at(-1) as tf.GradSaveFunc;
    const value = activated(activation, shortcut ? tf.add(normalized, inputs[3] as tf.Tensor4D) : normalized);
    save([input, scale, value, ...reserved]);
    return {
      value,
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => {
        const [savedInput, savedScale, output, ...kept] = saved as [tf.Tensor, tf.Tensor, ...tf.Tensor[]];
        const back = { relu: reluGradient, relu6: relu6Gradient, none: () => dy }[activation];
        const dz = back(native, dy, output as tf.Tensor);
        const [inputGradient, scaleGradient, shiftGradient] = native.executeMultipleOutputs(
          "FusedBatchNormGradV3",
          shared,
          [dz, savedInput, savedScale, ...kept],
          5,
        ) as [tf.Tensor, tf.Tensor, tf.Tensor];
        return [inputGradient, scaleGradient, shiftGradient, ...(shortcut ? [dz] : [])];
      },
    };
  });
  const y = operation(x, gamma, beta, ...(shortcut ? [shortcut] : [])) as tf.Tensor4D;
  return { y, mean, variance };
}

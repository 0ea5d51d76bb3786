import * as tf from "@tensorflow/tfjs-core";
import { batchNormRelu } from "../../runtime/train/gradients/batch-norm";

export interface Gradients {
  readonly dx: Float32Array;
  readonly dw: Float32Array;
}

/** Gradient of a projection of conv2d, on the current backend. */
export function convolutionGradients(x: Float32Array, w: Float32Array, c: Case): Gradients {
  return tf.tidy(() => {
    const image = tf.tensor4d(x, [c.n, c.height, c.width, c.input]);
    const filter = tf.tensor4d(w, [c.kernel, c.kernel, c.input, c.output]);
    const projected = (a: tf.Tensor, b: tf.Tensor) => {
      const y = tf.conv2d(a as tf.Tensor4D, b as tf.Tensor4D, c.stride, "same");
      const weights = tf.reshape(tf.sin(tf.range(0, y.size)), y.shape);
      return tf.sum(tf.mul(y, weights)) as tf.Scalar;
    };
    const [dx, dw] = tf.grads(projected)([image, filter]);
    return { dx: (dx as tf.Tensor).dataSync() as Float32Array, dw: (dw as tf.Tensor).dataSync() as Float32Array };
  });
}

export interface Case {
  readonly n: number;
  readonly height: number;
  readonly width: number;
  readonly input: number;
  readonly output: number;
  readonly kernel: number;
  readonly stride: number;
}

export const CASES: Case[] = [
  { n: 2, height: 8, width: 8, input: 3, output: 4, kernel: 3, stride: 1 },
  { n: 2, height: 8, width: 8, input: 3, output: 4, kernel: 3, stride: 2 },
  { n: 1, height: 9, width: 7, input: 2, output: 5, kernel: 3, stride: 2 },
  { n: 3, height: 12, width: 10, input: 4, output: 3, kernel: 5, stride: 2 },
  { n: 2, height: 11, width: 11, input: 3, output: 2, kernel: 5, stride: 1 },
  { n: 2, height: 13, width: 9, input: 3, output: 2, kernel: 3, stride: 3 },
  { n: 2, height: 8, width: 8, input: 6, output: 4, kernel: 1, stride: 1 },
  { n: 2, height: 10, width: 10, input: 2, output: 3, kernel: 2, stride: 2 },
];

export const values = (size: number, phase: number) =>
  Float32Array.from({ length: size }, (_, i) => Math.sin(i * 0.7 + phase));

export function largestDifference(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length);
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - (b[i] as number))), 0);
}

export interface PoolingCase {
  readonly height: number;
  readonly width: number;
  readonly filter: number;
  readonly stride: number;
  readonly padding: "same" | "valid";
}

export const POOLING_CASES: PoolingCase[] = [
  { height: 8, width: 8, filter: 2, stride: 2, padding: "same" },
  { height: 7, width: 9, filter: 2, stride: 2, padding: "same" },
  { height: 9, width: 8, filter: 3, stride: 2, padding: "valid" },
];

/**
 * Gradient of a projection of tf.maxPool, on the current backend. Some windows have no positive value.
 *
 * @param flat make all values of many windows equal: the first one counts, though not on WASM
 */
export function poolingGradient({ height, width, filter, stride, padding }: PoolingCase, flat = false): Float32Array {
  return tf.tidy(() => {
    const x = values(2 * height * width * 3, 0).map((value, i) => (flat && i < height * width ? 0 : value - 0.5));
    const image = tf.tensor4d(x, [2, height, width, 3]);
    const objective = (input: tf.Tensor) => {
      const y = tf.maxPool(input as tf.Tensor4D, filter, stride, padding);
      return tf.sum(tf.mul(y, tf.reshape(tf.sin(tf.range(0, y.size)), y.shape)));
    };
    return tf.grad(objective)(image).dataSync() as Float32Array;
  });
}

/** Values, statistics and gradients of a projection of {@link batchNormRelu}, on the current backend. */
export function normalizationResults(withShortcut: boolean): Float32Array[] {
  return tf.tidy(() => {
    const shape: [number, number, number, number] = [3, 4, 5, 6];
    const size = shape.reduce((product, side) => product * side, 1);
    const x = tf.tensor4d(values(size, 0.3), shape);
    const gamma = tf.tensor1d(values(6, 2).map((value) => 1 + 0.5 * value));
    const beta = tf.tensor1d(values(6, 3));
    const shortcut = withShortcut ? [tf.tensor4d(values(size, 1.1), shape)] : [];
    const run = (inputs: tf.Tensor[]) =>
      batchNormRelu(...(inputs as [tf.Tensor4D, tf.Tensor1D, tf.Tensor1D, tf.Tensor4D?]));
    const { y, mean, variance } = run([x, gamma, beta, ...shortcut]);
    const gradients = tf.grads((...inputs: tf.Tensor[]) => {
      const weights = tf.reshape(tf.sin(tf.range(0, size)), shape);
      return tf.sum(tf.mul(run(inputs).y, weights));
    })([x, gamma, beta, ...shortcut]);
    return [y, mean, variance, ...gradients].map((tensor) => tensor.dataSync() as Float32Array);
  });
}

import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import { useBackend } from "../../../runtime/registry/backend";
import { installConvolutionGradients } from "../../../runtime/train/gradients/convolution";
import { installMaxPoolGradient } from "../../../runtime/train/gradients/max-pool";

interface Gradients {
  readonly dx: Float32Array;
  readonly dw: Float32Array;
}

/** Gradient of a random projection of conv2d, on the current backend. */
function gradients(x: Float32Array, w: Float32Array, c: Case): Gradients {
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

interface Case {
  readonly n: number;
  readonly height: number;
  readonly width: number;
  readonly input: number;
  readonly output: number;
  readonly kernel: number;
  readonly stride: number;
}

const CASES: Case[] = [
  { n: 2, height: 8, width: 8, input: 3, output: 4, kernel: 3, stride: 1 },
  { n: 2, height: 8, width: 8, input: 3, output: 4, kernel: 3, stride: 2 },
  { n: 1, height: 9, width: 7, input: 2, output: 5, kernel: 3, stride: 2 },
  { n: 3, height: 12, width: 10, input: 4, output: 3, kernel: 5, stride: 2 },
  { n: 2, height: 11, width: 11, input: 3, output: 2, kernel: 5, stride: 1 },
  { n: 2, height: 13, width: 9, input: 3, output: 2, kernel: 3, stride: 3 },
  { n: 2, height: 8, width: 8, input: 6, output: 4, kernel: 1, stride: 1 },
  { n: 2, height: 10, width: 10, input: 2, output: 3, kernel: 2, stride: 2 },
];

const values = (size: number, phase: number) =>
  Float32Array.from({ length: size }, (_, i) => Math.sin(i * 0.7 + phase));

function largestDifference(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length);
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - (b[i] as number))), 0);
}

describe("convolution gradients", () => {
  it.each(CASES)("on WASM equal those of the reference backend: %j", async (c) => {
    const x = values(c.n * c.height * c.width * c.input, 0);
    const w = values(c.kernel * c.kernel * c.input * c.output, 1);
    installConvolutionGradients();
    await tf.setBackend("cpu");
    const reference = gradients(x, w, c);
    await useBackend("wasm");
    const actual = gradients(x, w, c);
    expect(largestDifference(actual.dx, reference.dx)).toBeLessThan(2e-4);
    expect(largestDifference(actual.dw, reference.dw)).toBeLessThan(2e-4);
  });

  it("refuses a convolution it is not written for", async () => {
    await useBackend("wasm");
    installConvolutionGradients();
    const gradient = tf.grad((x: tf.Tensor) => tf.sum(tf.conv2d(x as tf.Tensor4D, tf.ones([3, 3, 1, 1]), 1, "valid")));
    expect(() => gradient(tf.ones([1, 8, 8, 1]))).toThrow(/SAME padding/);
  });
});

describe("the gradient of max pooling", () => {
  it.each([
    { height: 8, width: 8 },
    { height: 7, width: 9 },
  ])("on WASM equals that of the reference backend, for windows without a positive value too: %j", async (size) => {
    const x = values(2 * size.height * size.width * 3, 0).map((value) => value - 0.5);
    const gradient = () => {
      const image = tf.tensor4d(x, [2, size.height, size.width, 3]);
      const objective = (input: tf.Tensor) => {
        const y = tf.maxPool(input as tf.Tensor4D, 2, 2, "same");
        return tf.sum(tf.mul(y, tf.reshape(tf.sin(tf.range(0, y.size)), y.shape)));
      };
      return tf.grad(objective)(image).dataSync() as Float32Array;
    };
    installMaxPoolGradient();
    await tf.setBackend("cpu");
    const reference = gradient();
    await useBackend("wasm");
    expect(largestDifference(gradient(), reference)).toBeLessThan(1e-6);
  });
});

import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import { useBackend } from "../../../runtime/tensorflow/backend";
import { installConvolutionGradients } from "../../../runtime/train/gradients/convolution";
import { installMaxPoolGradient } from "../../../runtime/train/gradients/max-pool";
import {
  CASES,
  convolutionGradients,
  largestDifference,
  normalizationResults,
  POOLING_CASES,
  poolingGradient,
  values,
} from "../../support/gradients";

describe("convolution gradients", () => {
  it.each(CASES)("on WASM equal those of the reference backend: %j", async (c) => {
    const x = values(c.n * c.height * c.width * c.input, 0);
    const w = values(c.kernel * c.kernel * c.input * c.output, 1);
    installConvolutionGradients();
    await tf.setBackend("cpu");
    const reference = convolutionGradients(x, w, c);
    await useBackend("wasm");
    const actual = convolutionGradients(x, w, c);
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
  it.each(POOLING_CASES)("on WASM equals that of the reference backend: %j", async (c) => {
    installMaxPoolGradient();
    await tf.setBackend("cpu");
    const reference = poolingGradient(c);
    await useBackend("wasm");
    expect(largestDifference(poolingGradient(c), reference)).toBeLessThan(1e-6);
  });
});

describe("batch normalisation and ReLU", () => {
  it.each([false, true])("on WASM equal those of the reference backend, with a shortcut: %s", async (withShortcut) => {
    await tf.setBackend("cpu");
    const reference = normalizationResults(withShortcut);
    await useBackend("wasm");
    normalizationResults(withShortcut).forEach((values, i) => {
      expect(largestDifference(values, reference[i] as Float32Array)).toBeLessThan(2e-5);
    });
  });
});

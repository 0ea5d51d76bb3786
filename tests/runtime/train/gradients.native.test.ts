import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import { useBackend } from "../../../runtime/tensorflow/backend";
import { installConvolutionGradients } from "../../../runtime/train/gradients/convolution";
import { installMaxPoolGradient } from "../../../runtime/train/gradients/max-pool";
import { nativeBackend } from "../../../runtime/train/gradients/native";
import { installReluGradient } from "../../../runtime/train/gradients/relu";
import {
  CASES,
  convolutionGradients,
  largestDifference,
  normalizationResults,
  POOLING_CASES,
  poolingGradient,
  values,
} from "../../support/gradients";

/** The same on the reference backend and on native TensorFlow. */
async function onBoth<T>(compute: () => T): Promise<{ readonly reference: T; readonly native: T }> {
  await tf.setBackend("cpu");
  const reference = compute();
  await useBackend("tfjs-node");
  return { reference, native: compute() };
}

describe("gradients on native TensorFlow equal those of the reference backend", () => {
  beforeAll(async () => {
    await useBackend("tfjs-node");
    installConvolutionGradients();
    installMaxPoolGradient();
    installReluGradient();
  });

  it.each(CASES)("convolution: %j", async (c) => {
    const x = values(c.n * c.height * c.width * c.input, 0);
    const w = values(c.kernel * c.kernel * c.input * c.output, 1);
    const { reference, native } = await onBoth(() => convolutionGradients(x, w, c));
    expect(largestDifference(native.dx, reference.dx)).toBeLessThan(2e-4);
    expect(largestDifference(native.dw, reference.dw)).toBeLessThan(2e-4);
  });

  it.each(POOLING_CASES)("max pooling: %j", async (c) => {
    const { reference, native } = await onBoth(() => poolingGradient(c, true));
    expect(largestDifference(native, reference)).toBeLessThan(1e-6);
  });

  it("max pooling by oneDNN, where TensorFlow has it", async () => {
    await useBackend("tfjs-node");
    const execute = jest.spyOn(nativeBackend() as NonNullable<ReturnType<typeof nativeBackend>>, "executeSingleOutput");
    poolingGradient(POOLING_CASES[0] as (typeof POOLING_CASES)[number]);
    const operations = execute.mock.calls.map(([operation]) => operation);
    execute.mockRestore();
    expect(operations).toContain("_MklNativeMaxPoolGrad");
    expect(operations).not.toContain("MaxPoolGrad");
  });

  it.each([false, true])("batch normalisation and ReLU, with a shortcut: %s", async (withShortcut) => {
    const { reference, native } = await onBoth(() => normalizationResults(withShortcut));
    native.forEach((result, i) => {
      expect(largestDifference(result, reference[i] as Float32Array)).toBeLessThan(2e-5);
    });
  });

  it("ReLU", async () => {
    const { reference, native } = await onBoth(() =>
      tf.tidy(() => {
        const x = tf.tensor1d([-2, -0, 0, 1e-30, 3, ...values(11, 0)]);
        const objective = (input: tf.Tensor) => tf.sum(tf.mul(tf.relu(input), tf.range(1, x.size + 1)));
        return tf.grad(objective)(x).dataSync() as Float32Array;
      }),
    );
    expect(largestDifference(native, reference)).toBe(0);
  });
});

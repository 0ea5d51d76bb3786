import * as tf from "@tensorflow/tfjs-core";
import { useBackend } from "../../../runtime/tensorflow";

test("the best backend present is native TensorFlow, and it computes", async () => {
  // The package for GPUs comes along without its binding, or finds no GPU.
  await expect(useBackend()).resolves.toBe("tfjs-node");
  expect(tf.getBackend()).toBe("tensorflow");
  expect(Array.from(tf.matMul(tf.tensor2d([[1, 2]]), tf.tensor2d([[3], [4]])).dataSync())).toEqual([11]);
});

test("asked for again, as every step of a process does, it still computes", async () => {
  await useBackend();
  await useBackend("wasm");
  await expect(useBackend()).resolves.toBe("tfjs-node");
  expect(Array.from(tf.matMul(tf.tensor2d([[1, 2]]), tf.tensor2d([[3], [4]])).dataSync())).toEqual([11]);
});

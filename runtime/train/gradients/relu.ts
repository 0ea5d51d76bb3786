import type * as tf from "@tensorflow/tfjs-core";
import { nativeBackend, relu6Gradient, reluGradient } from "./native";
import { replaceGradient } from "./replace";

/**
 * Makes the gradients of `tf.relu` and `tf.relu6` one operation on native TensorFlow: those of TensorFlow.js are eight, among them a search
 * for values that are no number. May be called again.
 */
export function installReluGradient(): void {
  replaceGradient("Relu", (original) => ({
    ...original,
    gradFunc: (dy, saved, attributes) => {
      const native = nativeBackend();
      if (!native) return original.gradFunc(dy, saved, attributes);
      return { x: () => reluGradient(native, dy as tf.Tensor, saved[0] as tf.Tensor) };
    },
  }));
  replaceGradient("Relu6", (original) => ({
    ...original,
    gradFunc: (dy, saved, attributes) => {
      const native = nativeBackend();
      if (!native) return original.gradFunc(dy, saved, attributes);
      return { x: () => relu6Gradient(native, dy as tf.Tensor, saved[0] as tf.Tensor) };
    },
  }));
}

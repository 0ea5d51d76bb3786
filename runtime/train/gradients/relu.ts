import type * as tf from "@tensorflow/tfjs-core";
import { nativeBackend, reluGradient } from "./native";
import { replaceGradient } from "./replace";

/**
 * Makes the gradient of `tf.relu` one operation on native TensorFlow: that of TensorFlow.js is eight, among them a search
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
}

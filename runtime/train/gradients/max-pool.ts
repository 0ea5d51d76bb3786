// In Node the gradients of the core operations are registered by tfjs-layers, not by tfjs-core.
import "@tensorflow/tfjs-layers";
import * as tf from "@tensorflow/tfjs-core";

let installed = false;

/**
 * Corrects the gradient of `tf.maxPool` on the WASM backend.
 *
 * `MaxPoolGrad` of TensorFlow.js 4.22's WASM backend looks for the maximum of a window from zero upwards: a window
 * without a positive value passes nothing back. The place of a maximum does not change when a constant is added to all
 * values, so the kernel is given values that are all positive. May be called again: the second call changes nothing.
 */
export function installMaxPoolGradient(): void {
  if (installed) return;
  installed = true;
  const original = tf.getGradient("MaxPool");
  tf.unregisterGradient("MaxPool");
  tf.registerGradient({
    ...original,
    gradFunc: (dy, saved, attributes) => {
      if (tf.getBackend() !== "wasm") return original.gradFunc(dy, saved, attributes);
      const [x, y] = saved as [tf.Tensor, tf.Tensor];
      const lift = tf.sub(1, tf.min(x));
      return original.gradFunc(dy, [tf.add(x, lift), tf.add(y, lift)], attributes);
    },
  });
}

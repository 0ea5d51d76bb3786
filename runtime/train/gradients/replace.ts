// In Node the gradients of the core operations are registered by tfjs-layers, not by tfjs-core.
import "@tensorflow/tfjs-layers";
import * as tf from "@tensorflow/tfjs-core";

const replacements = new WeakSet<tf.GradConfig>();

/**
 * Puts a gradient in the place of TensorFlow.js' own. May be called again, and has to be after a native package is loaded:
 * that registers TensorFlow.js' own once more.
 *
 * @param kernel name of the forward operation
 * @param replacement is given the gradient of TensorFlow.js
 */
export function replaceGradient(
  kernel: string,
  replacement: (original: tf.GradConfig) => Omit<tf.GradConfig, "kernelName">,
): void {
  const original = tf.getGradient(kernel);
  if (replacements.has(original)) return;
  const config = { ...replacement(original), kernelName: kernel };
  replacements.add(config);
  tf.unregisterGradient(kernel);
  tf.registerGradient(config);
}

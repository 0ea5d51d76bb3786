import * as tf from "@tensorflow/tfjs-core";
import { attributes, floats, type NativeBackend, nativeBackend } from "./native";
import { replaceGradient } from "./replace";

/**
 * Corrects the gradient of `tf.maxPool` on the WASM backend, and makes it quick on native TensorFlow. May be called
 * again.
 *
 * `MaxPoolGrad` of TensorFlow.js 4.22's WASM backend looks for the maximum of a window from zero upwards: a window
 * without a positive value passes nothing back. The place of a maximum does not change when a constant is added to all
 * values, so the kernel is given values that are all positive.
 */
export function installMaxPoolGradient(): void {
  replaceGradient("MaxPool", (original) => ({
    ...original,
    gradFunc: (dy, saved, attributes) => {
      const [x, y] = saved as [tf.Tensor, tf.Tensor];
      const native = nativeBackend();
      if (native) {
        const dx = byOneDnn(native, dy as tf.Tensor, x, attributes as unknown as Pooling);
        return dx ? { x: () => dx } : original.gradFunc(dy, saved, attributes);
      }
      if (tf.getBackend() !== "wasm") return original.gradFunc(dy, saved, attributes);
      const lift = tf.sub(1, tf.min(x));
      return original.gradFunc(dy, [tf.add(x, lift), tf.add(y, lift)], attributes);
    },
  }));
}

/** Attributes of TensorFlow.js' kernel `MaxPool`. */
interface Pooling {
  readonly filterSize: number | readonly [number, number];
  readonly strides: number | readonly [number, number];
  readonly pad: unknown;
}

let hasOneDnn = true;

/**
 * TensorFlow's own gradient of max pooling looks for each maximum again, on one core, and takes as long as a
 * convolution. Its oneDNN operations, which TensorFlow itself puts in the place of the others in a graph but not for
 * single calls, remember the place: pooling again and then going back is some twenty times as fast, with the same result.
 *
 * @returns nothing where TensorFlow is built without oneDNN, computes on a GPU, or the padding is given in numbers
 */
function byOneDnn(native: NativeBackend, dy: tf.Tensor, x: tf.Tensor, pooling: Pooling): tf.Tensor | undefined {
  const { filterSize, strides, pad } = pooling;
  if (!hasOneDnn || native.isUsingGpuDevice || (pad !== "same" && pad !== "valid")) return undefined;
  const sides = (size: number | readonly [number, number]) => [1, ...[size, size].flat().slice(0, 2), 1];
  const shared = [
    floats(native),
    ...attributes(native, {
      ksize: sides(filterSize),
      strides: sides(strides),
      padding: pad.toUpperCase(),
      data_format: "NHWC",
      workspace_enabled: true,
      // TensorFlow's name for kernels that it puts in another's place.
      _kernel: "MklNameChangeOp",
    }),
  ];
  try {
    const [y, places] = native.executeMultipleOutputs("_MklNativeMaxPool", shared, [x], 2) as [tf.Tensor, tf.Tensor];
    return native.executeSingleOutput("_MklNativeMaxPoolGrad", shared, [x, y, dy, places]);
  } catch {
    hasOneDnn = false;
    return undefined;
  }
}

import * as tf from "@tensorflow/tfjs-core";

/** An attribute of an operation, of the type that the binding's constant names. */
export interface Attribute {
  readonly name: string;
  readonly type: number;
  readonly value: unknown;
}

/** The part of tfjs-node's backend that runs any operation of TensorFlow by its name, whether TensorFlow.js knows it or not. */
export interface NativeBackend {
  readonly binding: Readonly<
    Record<"TF_ATTR_TYPE" | "TF_ATTR_INT" | "TF_ATTR_FLOAT" | "TF_ATTR_BOOL" | "TF_ATTR_STRING" | "TF_FLOAT", number>
  >;
  readonly isUsingGpuDevice: boolean;
  executeSingleOutput(operation: string, attributes: readonly Attribute[], inputs: readonly tf.Tensor[]): tf.Tensor;
  executeMultipleOutputs(
    operation: string,
    attributes: readonly Attribute[],
    inputs: readonly tf.Tensor[],
    outputs: number,
  ): tf.Tensor[];
}

/** The name under which both native packages register themselves. */
export const NATIVE = "tensorflow";

/** The current backend if it is native TensorFlow. */
export function nativeBackend(): NativeBackend | undefined {
  return tf.getBackend() === NATIVE ? (tf.backend() as unknown as NativeBackend) : undefined;
}

/** Attributes of an operation. Numbers are integers, but for the named ones. */
export function attributes(
  { binding }: NativeBackend,
  values: Readonly<Record<string, string | boolean | number | readonly number[] | { readonly float: number }>>,
): Attribute[] {
  return Object.entries(values).map(([name, value]) => {
    if (typeof value === "string") return { name, type: binding.TF_ATTR_STRING, value };
    if (typeof value === "boolean") return { name, type: binding.TF_ATTR_BOOL, value };
    if (typeof value === "object" && "float" in value) return { name, type: binding.TF_ATTR_FLOAT, value: value.float };
    return { name, type: binding.TF_ATTR_INT, value };
  });
}

/** The attribute that says that an operation's values are float32. */
export const floats = ({ binding }: NativeBackend, name = "T"): Attribute => ({
  name,
  type: binding.TF_ATTR_TYPE,
  value: binding.TF_FLOAT,
});

/**
 * Gradient behind a ReLU: dy where the value is positive.
 *
 * @param value input or output of the ReLU: the one is positive where the other is
 */
export function reluGradient(native: NativeBackend, dy: tf.Tensor, value: tf.Tensor): tf.Tensor {
  return native.executeSingleOutput("ReluGrad", [floats(native)], [dy, value]);
}

/** The same behind a ReLU that ends at 6. */
export function relu6Gradient(native: NativeBackend, dy: tf.Tensor, value: tf.Tensor): tf.Tensor {
  return native.executeSingleOutput("Relu6Grad", [floats(native)], [dy, value]);
}

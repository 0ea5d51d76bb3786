import * as tf from "@tensorflow/tfjs-core";
import type { Activation, BackboneManifest, FusedGraph, Padding, Step } from "../../backbone";
import { batchNorm } from "../gradients/batch-norm";
import { samePadding } from "../gradients/convolution";

type Input = BackboneManifest["input"];
type Normalization = Extract<Step, { kind: "normalization" }>;

/** What a network makes of a batch: its tensors by name, and the batch's statistics in the order of its normalisations. */
export interface Computed {
  readonly tensors: ReadonlyMap<string, tf.Tensor>;
  /** Mean and variance of each normalisation, [channels] each. */
  readonly statistics: ReadonlyMap<number, tf.Tensor1D>;
}

/**
 * Grey pictures as a backbone wants them: bilinear to a size (half-pixel centres), scaled, a channel each.
 *
 * @param x [n, side, side, 3] in [0, 1], the three channels equal
 * @returns [n, size, size, channels]
 */
export function shown(x: tf.Tensor4D, size: number, { scale, mean, std, channels }: Input): tf.Tensor4D {
  return tf.tidy(() => {
    const depth = channels === "grey" ? 1 : 3;
    const sized = x.shape[1] === size ? x : tf.image.resizeBilinear(x, [size, size], false, true);
    const picked = depth === 3 ? sized : tf.slice(sized, [0, 0, 0, 0], [-1, -1, -1, 1]);
    const each = (values: readonly number[]) =>
      tf.tensor1d(Array.from({ length: depth }, (_, c) => values[c] ?? (values[0] as number)));
    return tf.div(tf.sub(tf.mul(picked, 255 / scale), each(mean)), each(std)) as tf.Tensor4D;
  });
}

/**
 * Computes a network with TensorFlow.js, so that it can be differentiated.
 *
 * @param weights the graph's, by their numbers
 * @param x as {@link shown} gives it
 * @param training normalises by the batch's statistics instead of the stored ones
 */
export function compute(
  { input, steps }: FusedGraph,
  weights: (number: number) => tf.Tensor,
  x: tf.Tensor4D,
  training: boolean,
): Computed {
  const tensors = new Map<string, tf.Tensor>([[input, x]]);
  const statistics = new Map<number, tf.Tensor1D>();
  const map = (name: string) => tensors.get(name) as tf.Tensor4D;
  for (const step of steps) {
    switch (step.kind) {
      case "convolution":
        tensors.set(step.output, convolved(map(step.input), step, weights, training));
        break;
      case "normalization": {
        const normal = training
          ? batchNormalized(map(step.input), step, weights)
          : normalized(map(step.input), step, weights);
        tensors.set(step.output, normal.y);
        if (normal.mean && normal.variance) statistics.set(step.mean, normal.mean).set(step.variance, normal.variance);
        break;
      }
      case "sum":
        tensors.set(step.output, tf.add(map(step.inputs[0]), map(step.inputs[1])));
        break;
      case "maximum": {
        // Beyond the edge there is nothing: no value is smaller.
        const { values, pad } = padded(map(step.input), step.window, step, -3e38);
        tensors.set(step.output, tf.maxPool(values, [...step.window], [...step.strides], pad));
        break;
      }
      case "mean":
        tensors.set(step.output, tf.mean(map(step.input), [1, 2]));
        break;
      case "dense": {
        const product = tf.matMul(map(step.input) as tf.Tensor as tf.Tensor2D, weights(step.kernel) as tf.Tensor2D);
        tensors.set(step.output, step.bias === null ? product : tf.add(product, weights(step.bias)));
        break;
      }
      default:
        tensors.set(step.output, activated(step.kind, map(step.input)));
    }
  }
  return { tensors, statistics };
}

function convolved(
  x: tf.Tensor4D,
  step: Extract<Step, { kind: "convolution" }>,
  weights: (number: number) => tf.Tensor,
  training: boolean,
): tf.Tensor4D {
  const filter = weights(step.filter) as tf.Tensor4D;
  const [height, width] = filter.shape;
  const { values, pad } = padded(x, [height, width], step, 0);
  const strides = [...step.strides] as [number, number];
  if (!training && step.bias !== null) {
    const { bias: number, activation } = step;
    const bias = weights(number);
    const whole = {
      x: values,
      filter,
      strides,
      pad,
      bias,
      activation: activation === "none" ? "linear" : activation,
    } as const;
    return step.depthwise ? tf.fused.depthwiseConv2d(whole) : tf.fused.conv2d(whole);
  }
  const map = step.depthwise
    ? tf.depthwiseConv2d(values, filter, strides, pad)
    : tf.conv2d(values, filter, strides, pad);
  return activated(step.activation, step.bias === null ? map : tf.add(map, weights(step.bias)));
}

function batchNormalized(x: tf.Tensor4D, step: Normalization, weights: (number: number) => tf.Tensor) {
  const [scale, shift] = [step.scale, step.shift].map(weights) as [tf.Tensor1D, tf.Tensor1D];
  const { epsilon, activation } = step;
  return batchNorm(x, scale, shift, { epsilon, activation });
}

function normalized(
  x: tf.Tensor4D,
  step: Normalization,
  weights: (number: number) => tf.Tensor,
): { readonly y: tf.Tensor4D; readonly mean?: tf.Tensor1D; readonly variance?: tf.Tensor1D } {
  const [scale, shift, mean, variance] = [step.scale, step.shift, step.mean, step.variance].map(weights) as [
    tf.Tensor1D,
    tf.Tensor1D,
    tf.Tensor1D,
    tf.Tensor1D,
  ];
  return { y: activated(step.activation, tf.batchNorm(x, mean, variance, shift, scale, step.epsilon)) };
}

function activated<T extends tf.Tensor>(activation: Activation, x: T): T {
  if (activation === "none") return x;
  return activation === "relu" ? tf.relu(x) : tf.relu6(x);
}

/** TensorFlow's own padding where it is the same, for it costs nothing; else a picture with a border. */
function padded(
  x: tf.Tensor4D,
  [height, width]: readonly [number, number],
  { strides, padding }: { readonly strides: readonly [number, number]; readonly padding: Padding },
  border: number,
): { readonly values: tf.Tensor4D; readonly pad: "same" | "valid" } {
  const [top, left, bottom, right] = padding;
  const rows = samePadding(x.shape[1], height, strides[0]);
  const columns = samePadding(x.shape[2], width, strides[1]);
  if (rows.before === top && rows.after === bottom && columns.before === left && columns.after === right)
    return { values: x, pad: "same" };
  if (padding.every((side) => side === 0)) return { values: x, pad: "valid" };
  const values = tf.pad(
    x,
    [
      [0, 0],
      [top, bottom],
      [left, right],
      [0, 0],
    ],
    border,
  );
  return { values, pad: "valid" };
}

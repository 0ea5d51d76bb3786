import * as tf from "@tensorflow/tfjs-core";
import { replaceGradient } from "./replace";

/** Zeros before and after an axis. */
export interface Padding {
  readonly before: number;
  readonly after: number;
}

/** TensorFlow's SAME rule: output = ceil(size / stride), the odd zero goes behind. */
export function samePadding(size: number, kernel: number, stride: number): Padding {
  const total = Math.max(0, (Math.ceil(size / stride) - 1) * stride + kernel - size);
  const before = Math.floor(total / 2);
  return { before, after: total - before };
}

/**
 * Gives `tf.conv2d` (NHWC, SAME padding, no dilation) a gradient on backends that have no kernels for it.
 *
 * Native TensorFlow has both gradients of a convolution. The WASM backend of TensorFlow.js 4.22 lacks
 * `Conv2DBackpropFilter`, and its `Conv2DBackpropInput` is a scalar loop; there both gradients are written as forward
 * convolutions, which run on XNNPACK. May be called again.
 */
export function installConvolutionGradients(): void {
  replaceGradient("Conv2D", (original) => ({
    inputsToSave: ["x", "filter"],
    gradFunc: (dy, saved, attributes) => {
      if (tf.getKernel("Conv2DBackpropFilter", tf.getBackend())) return original.gradFunc(dy, saved, attributes);
      const [x, filter] = saved as [tf.Tensor4D, tf.Tensor4D];
      const stride = strideOf(attributes);
      return {
        x: () => inputGradient(dy as tf.Tensor4D, filter, x.shape, stride),
        filter: () => filterGradient(x, dy as tf.Tensor4D, filter.shape, stride),
      };
    },
  }));
}

function strideOf(attributes: tf.NamedAttrMap): number {
  const { strides, pad, dilations, dataFormat } = attributes as Record<string, unknown>;
  const [vertical, horizontal] = [strides].flat() as number[];
  const undilated = [dilations].flat().every((dilation) => dilation === 1);
  if (pad !== "same" || dataFormat !== "NHWC" || !undilated || (horizontal ?? vertical) !== vertical) {
    throw new RangeError(
      `The WASM gradient of conv2d is written for NHWC, SAME padding, equal strides and no dilation; got ${JSON.stringify(attributes)}.`,
    );
  }
  return vertical as number;
}

/**
 * Gradient of SAME convolution with respect to its filter: the input, batch and channels swapped, convolved with the
 * output's gradient as the filter; the stride becomes a dilation.
 *
 * @param x [n, h, w, in]
 * @param dy [n, oh, ow, out]
 * @param shape of the filter, [k, k, in, out]
 */
export function filterGradient(
  x: tf.Tensor4D,
  dy: tf.Tensor4D,
  shape: [number, number, number, number],
  stride: number,
): tf.Tensor4D {
  return tf.tidy(() => {
    const [kernelHeight, kernelWidth] = shape;
    const rows = samePadding(x.shape[1], kernelHeight, stride);
    const columns = samePadding(x.shape[2], kernelWidth, stride);
    const padded = tf.pad(x, [
      [0, 0],
      [rows.before, rows.after],
      [columns.before, columns.after],
      [0, 0],
    ]);
    const images = tf.transpose(padded, [3, 1, 2, 0]) as tf.Tensor4D;
    const filters = tf.transpose(dy, [1, 2, 0, 3]) as tf.Tensor4D;
    const gradient = tf.conv2d(images, filters, 1, "valid", "NHWC", stride);
    const ordered = tf.transpose(gradient, [1, 2, 0, 3]) as tf.Tensor4D;
    // A stride that does not divide the padded size leaves rows that no output saw.
    return tf.slice(ordered, [0, 0, 0, 0], shape);
  });
}

/**
 * Gradient of SAME convolution with respect to its input.
 *
 * With stride s, the input positions of one phase (position modulo s) see only every s-th tap of the filter. So the
 * taps are sorted by phase, all s x s phases are computed as channels of one small convolution over the output's
 * gradient, and the channels are spread out again: s x s times less work than convolving a gradient stuffed with zeros.
 *
 * @param dy [n, oh, ow, out]
 * @param filter [k, k, in, out]
 * @param shape of the input, [n, h, w, in]
 */
export function inputGradient(
  dy: tf.Tensor4D,
  filter: tf.Tensor4D,
  shape: [number, number, number, number],
  stride: number,
): tf.Tensor4D {
  return tf.tidy(() => {
    const [kernelHeight, kernelWidth, channels, out] = filter.shape;
    const [n, height, width] = shape;
    const rows = phasesOf(height, kernelHeight, dy.shape[1], stride);
    const columns = phasesOf(width, kernelWidth, dy.shape[2], stride);
    const taps = tf.reshape(tf.pad(filter, [rows.lead, columns.lead, [0, 0], [0, 0]]), [
      rows.taps,
      stride,
      columns.taps,
      stride,
      channels,
      out,
    ]);
    const sorted = tf.reverse(tf.transpose(taps, [0, 2, 5, 1, 3, 4]), [0, 1]);
    const filters = tf.reshape(sorted, [rows.taps, columns.taps, out, stride * stride * channels]) as tf.Tensor4D;
    const padded = tf.pad(dy, [[0, 0], rows.padding, columns.padding, [0, 0]]);
    const gradient = tf.conv2d(padded, filters, 1, "valid");
    if (stride === 1) return gradient;
    const spread = tf.depthToSpace(gradient, stride, "NHWC");
    return tf.slice(spread, [0, 0, 0, 0], [n, height, width, channels]);
  });
}

/** How one axis of {@link inputGradient} is sorted by phase. */
function phasesOf(size: number, kernel: number, outputs: number, stride: number) {
  const { before } = samePadding(size, kernel, stride);
  // Leading zero taps that make the padding a multiple of the stride: tap k then serves phase k mod stride.
  const lead = (stride - (before % stride)) % stride;
  const shift = (before + lead) / stride;
  const taps = Math.ceil((kernel + lead) / stride);
  return {
    taps,
    lead: [lead, taps * stride - kernel - lead] as [number, number],
    padding: [taps - 1 - shift, Math.ceil(size / stride) - outputs + shift] as [number, number],
  };
}

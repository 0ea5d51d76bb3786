import * as tf from "@tensorflow/tfjs-core";
import * as layers from "@tensorflow/tfjs-layers";
import type { Views } from "../model";
import { normal, uniform } from "../platform/random";
import { batchNormRelu, EPSILON } from "./gradients/batch-norm";

/** One stage: convolution, batch normalisation, ReLU; somewhere in it perhaps a shortcut and 2 x 2 max pooling. */
export interface Stage {
  readonly channels: number;
  /** Side of the square filter, pixels. */
  readonly kernel: number;
  readonly stride: number;
  /** Adds the features from two stages before, ahead of the ReLU: the two stages are a residual block (He et al. 2016). */
  readonly shortcut?: true;
  /** Max pooling ahead of the normalisation, or behind the ReLU, where a shortcut has joined. */
  readonly pool?: "convolution" | "activation";
}

export const OUTPUT_CHANNELS = 128;

const convolution = (channels: number, more: Partial<Stage> = {}): Stage => ({
  channels,
  kernel: 3,
  stride: 1,
  ...more,
});
const residual = (channels: number, more: Partial<Stage> = {}): Stage[] => [
  convolution(channels),
  convolution(channels, { shortcut: true, ...more }),
];

/**
 * The compact CNN: stages from 128 x 128 x 3 to a map of features; then three kinds of evidence side by side, the
 * features' global average, their global maximum (a lesion is small: it drowns in an average) and the peak of the lesion
 * map, and one sigmoid unit.
 *
 * The lesion map is a weighted sum of the features at each place: a dense layer and not a 1 x 1 convolution, because
 * Grad-CAM differentiates it, and the WebAssembly backend cannot differentiate a convolution layer. Where lesion masks
 * are known it is taught to be the mask, so that the features learn what a lesion looks like and not only what goes with
 * the label.
 *
 * Where it may, pooling comes before normalisation, so that the element-wise work is done on a quarter of the values.
 */
export const STAGES: readonly Stage[] = [
  convolution(16, { kernel: 5, stride: 2 }),
  convolution(16, { pool: "convolution" }),
  convolution(32),
  ...residual(32, { pool: "activation" }),
  convolution(64),
  ...residual(64, { pool: "activation" }),
  convolution(OUTPUT_CHANNELS),
  ...residual(OUTPUT_CHANNELS),
];

/** What the trained network is shown of each image: training mirrors and resizes at random, so no view is foreign to it. */
export const VIEWS: Views = "mirrored-two-sizes";

const SIDE = 128;
const CHANNELS = 3;
/** Side of the map of features and of the lesion map, cells. */
export const MAP_SIDE = STAGES.reduce((side, { stride, pool }) => side / stride / (pool ? 2 : 1), SIDE);
/** First scale of what a residual block adds: it begins close to the identity, so that depth does no harm. */
const RESIDUAL_SCALE = 0.2;
/** Before training, few places are lesions: as a logit. */
export const RARE = -2;
/** First weight of the lesion map's peak in the prediction: evidence for Cancer. */
export const PEAK_WEIGHT = 0.5;
/** The layer whose activations Grad-CAM weighs: the last one that still knows where things are. */
export const GRAD_CAM_LAYER = "features";
/** The layer whose single channel is the logit of a lesion at each place. */
export const LESION_LAYER = "lesions";

export interface Parameter {
  readonly name: string;
  readonly shape: readonly number[];
  /** Weight decay holds for filters and the dense kernel, not for normalisation and bias. */
  readonly decays: boolean;
  /** Standard deviation of the initial normal values; null: constant `initial`. */
  readonly deviation: number | null;
  readonly initial: number;
  /** The initial last value, where it is another. */
  readonly last?: number;
  /** Its share of the learning rate. @default 1 */
  readonly rate?: number;
}

/** Trainable parameters in the order of every flat vector of weights. */
export const PARAMETERS: readonly Parameter[] = STAGES.flatMap((stage, index): Parameter[] => {
  const input = STAGES[index - 1]?.channels ?? CHANNELS;
  const shape = [stage.kernel, stage.kernel, input, stage.channels];
  // He et al. (2015): variance 2 / fan-in keeps the scale of activations behind a ReLU.
  const deviation = Math.sqrt(2 / (stage.kernel * stage.kernel * input));
  return [
    { name: `filter${index}`, shape, decays: true, deviation, initial: 0 },
    {
      name: `gamma${index}`,
      shape: [stage.channels],
      decays: false,
      deviation: null,
      initial: stage.shortcut ? RESIDUAL_SCALE : 1,
    },
    { name: `beta${index}`, shape: [stage.channels], decays: false, deviation: null, initial: 0 },
  ];
}).concat([
  { name: "lesionKernel", shape: [OUTPUT_CHANNELS, 1], decays: true, deviation: 0.02, initial: 0 },
  { name: "lesionBias", shape: [1], decays: false, deviation: null, initial: RARE },
  {
    name: "kernel",
    shape: [2 * OUTPUT_CHANNELS + 1, 1],
    decays: true,
    deviation: Math.sqrt(1 / (2 * OUTPUT_CHANNELS)),
    initial: 0,
    last: PEAK_WEIGHT,
  },
  { name: "bias", shape: [1], decays: false, deviation: null, initial: 0 },
]);

/** Running mean and variance of each stage, in the order of every flat vector of statistics. */
export const STATISTICS: readonly {
  readonly name: string;
  readonly shape: readonly number[];
  readonly initial: number;
}[] = STAGES.flatMap((stage, index) => [
  { name: `mean${index}`, shape: [stage.channels], initial: 0 },
  { name: `variance${index}`, shape: [stage.channels], initial: 1 },
]);

export const sizeOf = (shape: readonly number[]): number => shape.reduce((product, side) => product * side, 1);

/** Initial weights: the same seed gives the same values on every backend. */
export function initialWeights(seed: number, parameters = PARAMETERS): Float32Array[] {
  const gaussian = normal(uniform(seed));
  return parameters.map(({ shape, deviation, initial, last }) => {
    const values = Float32Array.from({ length: sizeOf(shape) }, () =>
      deviation === null ? initial : gaussian() * deviation,
    );
    if (last !== undefined) values[values.length - 1] = last;
    return values;
  });
}

/**
 * The training graph.
 *
 * @param weights in the order of {@link PARAMETERS}
 * @param x [n, 128, 128, 3] in [0, 1]
 * @returns logits [n], logits of the lesion map [n, {@link MAP_SIDE}, {@link MAP_SIDE}], the features' global average
 *   [n, 128], and the batch's statistics in the order of {@link STATISTICS}
 */
export function trainingForward(
  weights: readonly tf.Tensor[],
  x: tf.Tensor4D,
): {
  readonly logits: tf.Tensor1D;
  readonly lesions: tf.Tensor3D;
  readonly features: tf.Tensor2D;
  readonly statistics: readonly tf.Tensor1D[];
} {
  const statistics: tf.Tensor1D[] = [];
  const pool = (values: tf.Tensor4D) => tf.maxPool(values, 2, 2, "same");
  let features = x;
  let before = x;
  STAGES.forEach((stage, index) => {
    const [filter, gamma, beta] = weights.slice(3 * index, 3 * index + 3) as [tf.Tensor4D, tf.Tensor1D, tf.Tensor1D];
    const convolved = tf.conv2d(features, filter, stage.stride, "same");
    const { y, mean, variance } = batchNormRelu(
      stage.pool === "convolution" ? pool(convolved) : convolved,
      gamma,
      beta,
      stage.shortcut && before,
    );
    before = features;
    features = stage.pool === "activation" ? pool(y) : y;
    statistics.push(mean, variance);
  });
  const [lesionKernel, lesionBias, kernel, bias] = weights.slice(-4) as [
    tf.Tensor2D,
    tf.Tensor1D,
    tf.Tensor2D,
    tf.Tensor1D,
  ];
  const places = tf.reshape(features, [-1, OUTPUT_CHANNELS]) as tf.Tensor2D;
  const map = tf.add(tf.matMul(places, lesionKernel), lesionBias);
  const lesions = tf.reshape(map, [-1, MAP_SIDE, MAP_SIDE]) as tf.Tensor3D;
  const peak = tf.max(tf.reshape(lesions, [-1, MAP_SIDE * MAP_SIDE]), 1, true);
  const average = tf.mean(features, [1, 2]) as tf.Tensor2D;
  const evidence = tf.concat([average, tf.max(features, [1, 2]), peak], 1) as tf.Tensor2D;
  const logits = tf.add(tf.matMul(evidence, kernel), bias);
  return { logits: tf.reshape(logits, [-1]), lesions, features: average, statistics };
}

/**
 * The inference graph: stock layers of TensorFlow.js, with running statistics in place of the batch's.
 *
 * @param weights flat values in the order of {@link PARAMETERS}
 * @param statistics flat values in the order of {@link STATISTICS}
 */
export function inferenceNetwork(
  weights: readonly Float32Array[],
  statistics: readonly Float32Array[],
): layers.LayersModel {
  const input = layers.input({ shape: [SIDE, SIDE, CHANNELS], name: "scan" });
  const pool = (index: number) =>
    layers.layers.maxPooling2d({ poolSize: 2, strides: 2, padding: "same", name: `pool${index}` });
  let features = input;
  let before = input;
  STAGES.forEach((stage, index) => {
    const last = index === STAGES.length - 1;
    let values: layers.SymbolicTensor = layers.layers
      .conv2d({
        filters: stage.channels,
        kernelSize: stage.kernel,
        strides: stage.stride,
        padding: "same",
        useBias: false,
        name: `convolution${index}`,
      })
      .apply(features) as layers.SymbolicTensor;
    if (stage.pool === "convolution") values = pool(index).apply(values) as layers.SymbolicTensor;
    values = layers.layers
      .batchNormalization({ epsilon: EPSILON, name: `normalization${index}` })
      .apply(values) as layers.SymbolicTensor;
    if (stage.shortcut) {
      values = layers.layers.add({ name: `sum${index}` }).apply([values, before]) as layers.SymbolicTensor;
    }
    values = layers.layers
      .reLU({ name: last ? GRAD_CAM_LAYER : `activation${index}` })
      .apply(values) as layers.SymbolicTensor;
    if (stage.pool === "activation") values = pool(index).apply(values) as layers.SymbolicTensor;
    before = features;
    features = values;
  });
  const average = layers.layers.globalAveragePooling2d({ name: "average" }).apply(features);
  const maximum = layers.layers.globalMaxPooling2d({ name: "maximum" }).apply(features);
  const lesions = layers.layers.dense({ units: 1, name: LESION_LAYER }).apply(features);
  const peak = layers.layers.globalMaxPooling2d({ name: "peak" }).apply(lesions);
  const evidence = layers.layers
    .concatenate({ name: "evidence" })
    .apply([average, maximum, peak] as layers.SymbolicTensor[]);
  const output = layers.layers.dense({ units: 1, activation: "sigmoid", name: "probability" }).apply(evidence);
  const network = layers.model({ inputs: input, outputs: output as layers.SymbolicTensor, name: "brain_tumor_cnn" });

  tf.tidy(() => {
    STAGES.forEach((_, index) => {
      set(network, `convolution${index}`, [3 * index], [], weights, statistics);
      set(
        network,
        `normalization${index}`,
        [3 * index + 1, 3 * index + 2],
        [2 * index, 2 * index + 1],
        weights,
        statistics,
      );
    });
    set(network, LESION_LAYER, [PARAMETERS.length - 4, PARAMETERS.length - 3], [], weights, statistics);
    set(network, "probability", [PARAMETERS.length - 2, PARAMETERS.length - 1], [], weights, statistics);
  });
  return network;
}

function set(
  network: layers.LayersModel,
  layer: string,
  parameters: readonly number[],
  running: readonly number[],
  weights: readonly Float32Array[],
  statistics: readonly Float32Array[],
): void {
  network
    .getLayer(layer)
    .setWeights([
      ...parameters.map((i) => tf.tensor(weights[i] as Float32Array, [...(PARAMETERS[i] as Parameter).shape])),
      ...running.map((i) => tf.tensor1d(statistics[i] as Float32Array)),
    ]);
}

import * as tf from "@tensorflow/tfjs-core";
import {
  inferenceNetwork,
  initialWeights,
  MAP_SIDE,
  OUTPUT_CHANNELS,
  PARAMETERS,
  type Parameter,
  trainingForward,
} from "./architecture";
import type { Batch } from "./batch";
import { DISTILLATION, distance } from "./distillation";
import { COMPACT, Layout } from "./layout";
import { binaryCrossEntropy } from "./loss";
import { type AnsweringTeacher, type TeacherBackbone, TeacherNetwork } from "./teacher/network";

/** Which network learns, and of whom. Plain data: threads are given it. */
export type LearnerSpec =
  | { readonly kind: "compact" }
  /** The compact network, taught by a teacher too. @param network the teacher's, flat */
  | { readonly kind: "pupil"; readonly teacher: TeacherBackbone; readonly network: Float32Array }
  | { readonly kind: "teacher"; readonly backbone: TeacherBackbone };

/** A network that answers. */
export interface Answering {
  /** @param x [n, side, side, 3] in [0, 1] @returns probability of Cancer, [n, 1] */
  predict(x: tf.Tensor): tf.Tensor | tf.Tensor[];
  dispose(): void;
}

/** A network that is trained: how it lies in a flat vector, what it begins with, what it loses, how it answers. */
export interface Learner {
  readonly layout: Layout;
  /** Its first weights, and perhaps its first statistics, in the layout's order. */
  first(seed: number): readonly Float32Array[];
  /** What is looked at once a batch, outside of what is differentiated; null where there is nothing. */
  look(batch: BatchTensors): unknown;
  loss(
    weights: readonly tf.Tensor[],
    batch: BatchTensors,
    looked: unknown,
  ): { readonly loss: tf.Scalar; readonly statistics: readonly tf.Tensor1D[] };
  answering(network: Float32Array): Answering;
}

/** A {@link Batch} as tensors. */
export interface BatchTensors {
  readonly x: tf.Tensor4D;
  readonly labels: tf.Tensor1D;
  readonly importance: tf.Tensor1D;
  readonly lesions: tf.Tensor3D;
  readonly lesionImportance: tf.Tensor3D;
}

export function tensorsOf({ rows, side, ...batch }: Batch): BatchTensors {
  return {
    x: tf.tensor4d(batch.pixels, [rows, side, side, 3]),
    labels: tf.tensor1d(batch.labels),
    importance: tf.tensor1d(batch.importance),
    lesions: tf.tensor3d(batch.lesions, [rows, MAP_SIDE, MAP_SIDE]),
    lesionImportance: tf.tensor3d(batch.lesionImportance, [rows, 1, 1]),
  };
}

export function learnerOf(spec: LearnerSpec): Learner {
  if (spec.kind === "compact") return compact;
  return spec.kind === "pupil" ? pupil(spec.teacher, spec.network) : teacher(spec.backbone);
}

interface Forward {
  readonly logits: tf.Tensor1D;
  readonly lesions: tf.Tensor3D;
}

/** Weighted cross-entropy of the label, times a share, and of the lesion map where a mask is known. */
function supervised({ logits, lesions }: Forward, batch: BatchTensors, share = 1): tf.Scalar {
  const label = tf.mean(tf.mul(batch.importance, binaryCrossEntropy(batch.labels, logits)));
  const map = tf.mean(tf.mul(batch.lesionImportance, binaryCrossEntropy(batch.lesions, lesions)));
  return tf.add(share === 1 ? label : tf.mul(label, share), map) as tf.Scalar;
}

function answeringCompact(network: Float32Array): Answering {
  const { weights, statistics } = COMPACT.split(network);
  return inferenceNetwork(weights, statistics);
}

const compact: Learner = {
  layout: COMPACT,
  first: (seed) => initialWeights(seed),
  look: () => null,
  loss(weights, batch) {
    const { statistics, ...forward } = trainingForward(weights, batch.x);
    return { loss: supervised(forward, batch), statistics };
  },
  answering: answeringCompact,
};

/** The layout of a pupil: the compact network's, and the projection of its features, which stays behind. */
function pupil(backbone: TeacherBackbone, network: Float32Array): Learner {
  const shape = [OUTPUT_CHANNELS, backbone.length];
  const deviation = Math.sqrt(1 / OUTPUT_CHANNELS);
  const projection: Parameter = { name: "projection", shape, decays: true, deviation, initial: 0 };
  const parameters = [...PARAMETERS, projection];
  const layout = new Layout(parameters, COMPACT.statistics);
  let answering: AnsweringTeacher | undefined;
  return {
    layout,
    first: (seed) => initialWeights(seed, parameters),
    look({ x }) {
      answering ??= new TeacherNetwork(backbone).answering(network);
      return answering.answer(x);
    },
    loss(weights, batch, looked) {
      const { statistics, ...forward } = trainingForward(weights.slice(0, -1), batch.x);
      const label = supervised(forward, batch, 1 - DISTILLATION.answer);
      const taught = looked as ReturnType<AnsweringTeacher["answer"]>;
      return { loss: tf.add(label, distance(forward, taught, weights.at(-1) as tf.Tensor2D)) as tf.Scalar, statistics };
    },
    answering: (flat) => answeringCompact(withoutProjection(layout, flat)),
  };
}

/** The compact network of a pupil's, flat. */
export function withoutProjection(layout: Layout, network: Float32Array): Float32Array {
  const served = new Float32Array(COMPACT.size);
  served.set(network.subarray(0, COMPACT.parameterCount));
  served.set(network.subarray(layout.parameterCount), COMPACT.parameterCount);
  return served;
}

function teacher(backbone: TeacherBackbone): Learner {
  const network = new TeacherNetwork(backbone);
  return {
    layout: network.layout,
    first: (seed) => network.first(seed),
    look: () => null,
    loss(weights, batch) {
      const { statistics, ...forward } = network.train(weights, batch.x);
      return { loss: supervised(forward, batch), statistics };
    },
    answering: (flat) => network.answering(flat),
  };
}

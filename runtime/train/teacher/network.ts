import * as tf from "@tensorflow/tfjs-core";
import {
  type Backbone,
  type BackboneGraph,
  type FusedGraph,
  fold,
  fuse,
  readGraph,
  sidesOf,
  UnusableNetwork,
} from "../../backbone";
import { initialWeights, MAP_SIDE, type Parameter, PEAK_WEIGHT, RARE } from "../architecture";
import { Layout, type Statistic } from "../layout";
import { compute, shown } from "./compute";

/** What is decided of a teacher beside its backbone and its configuration. */
export const TEACHER = {
  /** Grows when other weights come out without a parameter changing. */
  version: 1,
  /** Height and width of what the backbone is shown, pixels. */
  side: 144,
  /** Channels of the layer that the lesion map is read from. */
  hidden: 64,
  /** Share of the learning rate that the backbone's first layer has; it rises evenly to 1 at its last. */
  firstRate: 0.25,
} as const;

/** A backbone as a teacher is made of it. Plain data: threads are given it. */
export interface TeacherBackbone {
  readonly graph: BackboneGraph;
  readonly input: Backbone["manifest"]["input"];
  /** The last map, and the last one that is larger: where a lesion is can be seen in it. */
  readonly maps: { readonly coarse: MapTensor; readonly fine: MapTensor };
  /** Of the features. */
  readonly length: number;
}

interface MapTensor {
  readonly tensor: string;
  readonly side: number;
  readonly channels: number;
}

/** @throws {UnusableNetwork} if an operation is not known, or what it is shown is too small for it */
export function teacherBackbone({ onnx, manifest }: Pick<Backbone, "onnx" | "manifest">): TeacherBackbone {
  const graph = readGraph({ onnx, manifest });
  const sides = sidesOf(graph, TEACHER.side, manifest.input.channels === "grey" ? 1 : 3);
  const { length, tensor } = manifest.features;
  if (sides.get(graph.output)?.[2] !== length)
    throw new UnusableNetwork(
      `has ${sides.get(graph.output)?.[2]} channels in ${tensor}, where ${length} features are due.`,
    );
  // Of those that are there in training and in answering alike.
  const maps = fold(graph).steps.flatMap(({ output }): MapTensor[] => {
    const [height, width, channels] = sides.get(output) as [number, number, number];
    return height > 0 && height === width ? [{ tensor: output, side: height, channels }] : [];
  });
  const coarse = maps.at(-1);
  if (!coarse) throw new UnusableNetwork("has no square map.");
  const fine = maps.findLast(({ side }) => side > coarse.side) ?? coarse;
  return { graph, input: manifest.input, maps: { coarse, fine }, length };
}

/** What a teacher says of pictures. */
export interface Taught {
  readonly logits: tf.Tensor1D;
  /** Logits of the lesion map, [n, {@link MAP_SIDE}, {@link MAP_SIDE}]. */
  readonly lesions: tf.Tensor3D;
  /** [n, length] */
  readonly features: tf.Tensor2D;
}

/** A backbone with a lesion map and one answer: its weights lie flat, as those of the compact network do. */
export class TeacherNetwork {
  readonly layout: Layout;
  private readonly fused: FusedGraph;
  /** Of each of the graph's weights its place among parameters or statistics. */
  private readonly places: readonly { readonly list: "weights" | "statistics"; readonly at: number }[];
  private readonly heads: number;

  constructor(readonly backbone: TeacherBackbone) {
    this.fused = fuse(backbone.graph);
    const parameters: Parameter[] = [];
    const statistics: Statistic[] = [];
    const ranks = ranksOf(backbone.graph);
    const running = runningOf(backbone.graph);
    this.places = backbone.graph.weights.map(({ name, shape }, number) => {
      if (running.has(number)) return { list: "statistics", at: statistics.push({ name, shape, initial: 0 }) - 1 };
      const rate = TEACHER.firstRate + (1 - TEACHER.firstRate) * (ranks.get(number) ?? 1);
      // Filters and kernels have more than one side; scales, shifts and biases do not decay.
      return {
        list: "weights",
        at: parameters.push({ name, shape, decays: shape.length > 1, deviation: null, initial: 0, rate }) - 1,
      };
    });
    this.heads = parameters.length;
    this.layout = new Layout([...parameters, ...headOf(backbone)], statistics);
  }

  /** The backbone's own weights and statistics with a head that has learnt nothing, in the layout's order. */
  first(seed: number): readonly Float32Array[] {
    const imported = (list: "weights" | "statistics") =>
      this.places.flatMap((place, i) =>
        place.list === list ? [(this.backbone.graph.weights[i] as { values: Float32Array }).values] : [],
      );
    return [
      ...imported("weights"),
      ...initialWeights(seed, this.layout.parameters.slice(this.heads)),
      ...imported("statistics"),
    ];
  }

  /**
   * The training graph.
   *
   * @param weights in the layout's order
   * @param x [n, side, side, 3] in [0, 1], the three channels equal
   * @returns also the batch's statistics in the layout's order
   */
  train(weights: readonly tf.Tensor[], x: tf.Tensor4D): Taught & { readonly statistics: readonly tf.Tensor1D[] } {
    const at = (number: number) => weights[this.places[number]?.at as number] as tf.Tensor;
    const { tensors, statistics } = compute(this.fused, at, this.shown(x), true);
    const ordered = this.places.flatMap(({ list }, number) =>
      list === "statistics" ? [statistics.get(number) as tf.Tensor1D] : [],
    );
    return { ...this.head(weights.slice(this.heads), tensors), statistics: ordered };
  }

  /**
   * The network as it answers, in numbers: the backbone without its normalisations, and the head's weights.
   *
   * @param network flat, in the layout's order
   */
  folded(network: Float32Array): { readonly backbone: FusedGraph; readonly head: readonly Float32Array[] } {
    const { weights, statistics } = this.layout.split(network);
    const values = this.places.map(({ list, at }) => (list === "weights" ? weights : statistics)[at] as Float32Array);
    return { backbone: fold(this.backbone.graph, values), head: weights.slice(this.heads) };
  }

  /** The network as it answers. @param network flat, in the layout's order */
  answering(network: Float32Array): AnsweringTeacher {
    const { backbone: folded, head: values } = this.folded(network);
    const kept = new Map<number, tf.Tensor>();
    const head = this.layout.parameters
      .slice(this.heads)
      .map(({ shape }, i) => tf.keep(tf.tensor(values[i] as Float32Array, [...shape])));
    const weight = (number: number) => {
      const { shape, values: own } = folded.weights[number] as (typeof folded.weights)[number];
      const there = kept.get(number) ?? tf.keep(tf.tensor(own, [...shape]));
      kept.set(number, there);
      return there;
    };
    const seen = (x: tf.Tensor4D) => compute(folded, weight, this.shown(x), false).tensors;
    const answer = (x: tf.Tensor4D) => this.head(head, seen(x));
    return {
      answer,
      look: (x, whole) => {
        const tensors = seen(x);
        return { whole: tensors.get(whole) as tf.Tensor4D, hidden: this.hidden(head, tensors) };
      },
      conclude: ({ whole, hidden }, maximum) =>
        this.conclude(head, tf.mean(whole, [1, 2]), maximum(hidden), maximum(this.lesionMap(head, hidden))),
      predict: (x) => tf.tidy(() => tf.reshape(tf.sigmoid(answer(x as tf.Tensor4D).logits), [-1, 1])),
      dispose: () => tf.dispose([...kept.values(), ...head]),
    };
  }

  private shown(x: tf.Tensor4D): tf.Tensor4D {
    return shown(x, TEACHER.side, this.backbone.input);
  }

  private head(weights: readonly tf.Tensor[], tensors: ReadonlyMap<string, tf.Tensor>): Taught {
    const { maps, graph } = this.backbone;
    const hidden = this.hidden(weights, tensors);
    const map = this.lesionMap(weights, hidden);
    const lesions = tf.reshape(resized(map, MAP_SIDE), [-1, MAP_SIDE, MAP_SIDE]) as tf.Tensor3D;
    const peak = tf.max(tf.reshape(map, [-1, maps.fine.side ** 2]), 1, true);
    const output = tensors.get(graph.output) as tf.Tensor;
    const features = (output.rank === 4 ? tf.mean(output, [1, 2]) : output) as tf.Tensor2D;
    return { logits: this.conclude(weights, features, tf.max(hidden, [1, 2]), peak), lesions, features };
  }

  /** What the lesion map is read from, [n, side, side, {@link TEACHER.hidden}]. */
  private hidden(weights: readonly tf.Tensor[], tensors: ReadonlyMap<string, tf.Tensor>): tf.Tensor4D {
    const { maps } = this.backbone;
    const [fine, coarse, hiddenBias] = weights as [tf.Tensor2D, tf.Tensor2D, tf.Tensor1D];
    const seen = (map: MapTensor, filter: tf.Tensor2D) =>
      tf.reshape(
        tf.matMul(tf.reshape(tensors.get(map.tensor) as tf.Tensor, [-1, map.channels]) as tf.Tensor2D, filter),
        [-1, map.side, map.side, TEACHER.hidden],
      ) as tf.Tensor4D;
    const both = tf.add(seen(maps.fine, fine), resized(seen(maps.coarse, coarse), maps.fine.side));
    return tf.relu(tf.add(both, hiddenBias)) as tf.Tensor4D;
  }

  /** Logits of a lesion at each place, [n, side, side, 1]. */
  private lesionMap(weights: readonly tf.Tensor[], hidden: tf.Tensor4D): tf.Tensor4D {
    const { side } = this.backbone.maps.fine;
    const [lesionKernel, lesionBias] = weights.slice(3, 5) as [tf.Tensor2D, tf.Tensor1D];
    const places = tf.reshape(hidden, [-1, TEACHER.hidden]) as tf.Tensor2D;
    return tf.reshape(tf.add(tf.matMul(places, lesionKernel), lesionBias), [-1, side, side, 1]) as tf.Tensor4D;
  }

  private conclude(weights: readonly tf.Tensor[], features: tf.Tensor, maxima: tf.Tensor, peak: tf.Tensor) {
    const [kernel, bias] = weights.slice(-2) as [tf.Tensor2D, tf.Tensor1D];
    const evidence = tf.concat([features, maxima, peak], 1) as tf.Tensor2D;
    return tf.reshape(tf.add(tf.matMul(evidence, kernel), bias), [-1]) as tf.Tensor1D;
  }
}

/** What an answer is drawn from: it depends on the picture through these two maps alone. */
export interface Evidence {
  /** The map whose means are the features, [n, rows, columns, length]. */
  readonly whole: tf.Tensor4D;
  /** What the lesion map is read from, [n, side, side, channels]. */
  readonly hidden: tf.Tensor4D;
}

export interface AnsweringTeacher {
  /** @param x [n, side, side, 3] in [0, 1]; call it within `tf.tidy` */
  answer(x: tf.Tensor4D): Taught;
  /** @param whole the tensor whose means are the features */
  look(x: tf.Tensor4D, whole: string): Evidence;
  /** Logits, [n]. @param maximum over the places of [n, rows, columns, channels] */
  conclude(evidence: Evidence, maximum: (map: tf.Tensor4D) => tf.Tensor): tf.Tensor1D;
  /** Probability of Cancer, [n, 1]. */
  predict(x: tf.Tensor): tf.Tensor;
  dispose(): void;
}

function headOf({ maps, length }: TeacherBackbone): Parameter[] {
  const { hidden } = TEACHER;
  const { fine, coarse } = maps;
  const evidence = length + hidden + 1;
  const filter = (name: string, shape: readonly number[], deviation: number): Parameter => ({
    ...{ name, shape, decays: true, deviation, initial: 0 },
  });
  const bias = (name: string, size: number, initial: number): Parameter => ({
    ...{ name, shape: [size], decays: false, deviation: null, initial },
  });
  return [
    filter("fine", [fine.channels, hidden], Math.sqrt(1 / fine.channels)),
    filter("coarse", [coarse.channels, hidden], Math.sqrt(1 / coarse.channels)),
    bias("hiddenBias", hidden, 0),
    filter("lesionKernel", [hidden, 1], 0.02),
    bias("lesionBias", 1, RARE),
    { ...filter("kernel", [evidence, 1], Math.sqrt(1 / evidence)), last: PEAK_WEIGHT },
    bias("bias", 1, 0),
  ];
}

/** How deep in the network each of its weights is first used, 0 to 1. */
function ranksOf({ operations }: BackboneGraph): ReadonlyMap<number, number> {
  const ranks = new Map<number, number>();
  operations.forEach((operation, i) => {
    const used =
      operation.kind === "convolution"
        ? [operation.filter, operation.bias]
        : operation.kind === "normalization"
          ? [operation.scale, operation.shift]
          : operation.kind === "dense"
            ? [operation.kernel, operation.bias]
            : [];
    for (const number of used)
      if (number !== null && !ranks.has(number)) ranks.set(number, i / Math.max(1, operations.length - 1));
  });
  return ranks;
}

/** The weights that are running statistics. */
function runningOf({ operations }: BackboneGraph): ReadonlySet<number> {
  return new Set(operations.flatMap((one) => (one.kind === "normalization" ? [one.mean, one.variance] : [])));
}

/**
 * Maps of another side, bilinear with half-pixel centres, as two products with one matrix: every backend can differentiate it.
 *
 * @param x [n, from, from, channels]
 * @returns [n, side, side, channels]
 */
export function resized(x: tf.Tensor4D, side: number): tf.Tensor4D {
  const [, from, , channels] = x.shape;
  if (from === side) return x;
  const matrix = tf.tensor2d(blendOf(from, side), [from, side]);
  // The last side is replaced, and comes first: twice, and both are replaced and in their order.
  const once = (values: tf.Tensor4D, first: number) =>
    tf.transpose(
      tf.reshape(tf.matMul(tf.reshape(values, [-1, from]) as tf.Tensor2D, matrix), [-1, channels, first, side]),
      [0, 1, 3, 2],
    ) as tf.Tensor4D;
  const upright = tf.transpose(x, [0, 3, 1, 2]) as tf.Tensor4D;
  return tf.transpose(once(once(upright, from), side), [0, 2, 3, 1]) as tf.Tensor4D;
}

/** [from, to]: of which cells each new cell is made. */
export function blendOf(from: number, to: number): Float32Array {
  const blend = new Float32Array(from * to);
  for (let cell = 0; cell < to; cell++) {
    const at = Math.min(from - 1, Math.max(0, ((cell + 0.5) * from) / to - 0.5));
    const first = Math.floor(at);
    const second = Math.min(from - 1, first + 1);
    blend[first * to + cell] = (blend[first * to + cell] as number) + 1 - (at - first);
    blend[second * to + cell] = (blend[second * to + cell] as number) + (at - first);
  }
  return blend;
}

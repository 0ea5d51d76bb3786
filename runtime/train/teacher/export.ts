import type { BackboneGraph, FusedGraph, Step } from "../../backbone";
import { RECIPE } from "../../imaging";
import { SIGNATURE } from "../../model";
import { identityOf } from "../../platform/identity";
import { uniform } from "../../platform/random";
import { filtersOf, OnnxGraph, OPSET } from "../../tensorflow";
import { blendOf, TEACHER, type TeacherBackbone } from "./network";

/** What a served teacher gives beside what it was taught. */
export const SERVED = {
  /** Grows when something else comes out without a parameter changing. */
  version: 1,
  /**
   * Most features of a picture: with more, comparing pictures and watching how their features drift would take ten and a
   * thousand times as long. A longer list is projected on random signs (Achlioptas, Database-friendly random projections,
   * 2003): angles between pictures stay as they are, to about a tenth.
   */
  features: { most: 128, seed: 1280 },
} as const;

/** How a teacher is written as ONNX. */
export const TEACHER_EXPORT = identityOf("w", {
  ...{ opset: OPSET, signature: SIGNATURE },
  ...SERVED,
});

/**
 * The map whose means are the features.
 *
 * @returns undefined where the features are something else: how much they owe to each place depends on the picture then
 */
export function wholeOf({ graph, maps }: TeacherBackbone): TeacherBackbone["maps"]["coarse"] | undefined {
  const last = graph.operations.at(-1);
  const name = last?.kind === "mean" ? last.input : last?.output;
  return name === maps.coarse.tensor ? maps.coarse : undefined;
}

/** By what features are multiplied, [length, most], row by row; undefined where they are few. */
export function projectionOf(length: number): Float32Array | undefined {
  const { most, seed } = SERVED.features;
  if (length <= most) return undefined;
  const random = uniform(seed);
  const size = 1 / Math.sqrt(most);
  return Float32Array.from({ length: length * most }, () => (random() < 0.5 ? size : -size));
}

/**
 * A teacher as ONNX; see {@link SIGNATURE}. It is given the recipe's picture and makes it larger itself. The same network
 * gives the same bytes.
 *
 * The map is Grad-CAM over the two maps that an answer is drawn from, on the finer one's grid. Means and maxima over n
 * places both have a gradient whose mean is 1 / n at every place, so its weights are the answer's own, whatever the picture;
 * the coarser map's cells count as if each were cut into cells of the finer one.
 */
export function exportTeacher(
  backbone: TeacherBackbone & { readonly whole: TeacherBackbone["maps"]["coarse"] },
  { backbone: folded, head }: { readonly backbone: FusedGraph; readonly head: readonly Float32Array[] },
): Buffer {
  const graph = new OnnxGraph();
  const { maps, whole, length, input } = backbone;
  const { fine, coarse } = maps;
  const seen = steps(graph, folded, shown(graph, input));
  const at = (tensor: string) => seen.get(tensor) as string;
  const { hidden } = TEACHER;
  const [fineKernel, coarseKernel, hiddenBias, lesionKernel, lesionBias, kernel, bias] = head as [
    ...[Float32Array, Float32Array, Float32Array, Float32Array],
    ...[Float32Array, Float32Array, Float32Array],
  ];
  const pointwise = (name: string, values: Float32Array, channels: number) =>
    graph.weights(`${name}/kernel`, [hidden, channels, 1, 1], filtersOf(values, [1, 1, channels, hidden]));
  const places = graph.node(
    "Conv",
    [at(fine.tensor), pointwise("fine", fineKernel, fine.channels), graph.weights("hidden/bias", [hidden], hiddenBias)],
    "fine",
  );
  const around = graph.node("Conv", [at(coarse.tensor), pointwise("coarse", coarseKernel, coarse.channels)], "coarse");
  const sum = graph.node("Add", [places, resize(graph, around, coarse.side, fine.side)], "hidden/sum");
  const rectified = graph.node("Relu", [sum], "hidden");

  const lesionFilter = graph.weights("lesions/kernel", [1, hidden, 1, 1], lesionKernel);
  const lesions = graph.node(
    "Conv",
    [rectified, lesionFilter, graph.weights("lesions/bias", [1], lesionBias)],
    "lesions",
  );
  const over = (operator: string, map: string, name: string) =>
    graph.node(operator, [map], name, { axes: [2, 3], keepdims: 0 });
  const projection = projectionOf(length);
  const means = over("ReduceMean", at(whole.tensor), projection ? "means" : "features");
  if (projection)
    graph.node(
      "MatMul",
      [means, graph.constant("features/signs", [length, SERVED.features.most], projection)],
      "features",
    );
  const evidence = [
    { name: "means", from: means, size: length },
    { name: "maxima", from: over("ReduceMax", rectified, "maxima"), size: hidden },
    { name: "peak", from: over("ReduceMax", lesions, "peak"), size: 1 },
  ];
  let offset = 0;
  const terms = evidence.map(({ name, from, size }) => {
    const weights = graph.weights(`answer/${name}`, [size, 1], kernel.subarray(offset, offset + size));
    offset += size;
    return { weights, term: graph.node("MatMul", [from, weights], `answer/${name}/term`) };
  });
  graph.node("Sum", [...terms.map(({ term }) => term), graph.weights("answer/bias", [1], bias)], "logit");

  const [ofMeans, ofMaxima, ofPeak] = terms.map(({ weights }) => weights) as [string, string, string];
  const share = graph.constant("map/share", [1], [1 / fine.side ** 2]);
  const filter = (weights: string, channels: number, name: string) =>
    graph.node(
      "Reshape",
      [
        graph.node("Mul", [weights, share], `map/${name}/mean-gradient`),
        graph.shape(`map/${name}/shape`, [1, channels, 1, 1]),
      ],
      `map/${name}/filter`,
    );
  const alongLesions = graph.node(
    "Mul",
    [graph.node("Reshape", [lesionFilter, graph.shape("map/lesions/shape", [hidden, 1])], "map/lesions"), ofPeak],
    "map/through-peak",
  );
  const alongHidden = graph.node("Add", [ofMaxima, alongLesions], "map/hidden/gradient");
  const ofWhole = graph.node("Conv", [at(whole.tensor), filter(ofMeans, length, "whole")], "map/whole");
  const ofHidden = graph.node("Conv", [rectified, filter(alongHidden, hidden, "hidden")], "map/hidden");
  graph.node("Add", [resize(graph, ofWhole, whole.side, fine.side), ofHidden], "map");
  return graph.bytes(
    "brain-tumor-teacher",
    { [SIGNATURE.input]: [1, RECIPE.side, RECIPE.side] },
    { logit: [1], map: [1, fine.side, fine.side], features: [Math.min(length, SERVED.features.most)] },
  );
}

/** The scan in the backbone's size, scale and channels. @returns the tensor's name */
function shown(graph: OnnxGraph, { scale, mean, std, channels }: TeacherBackbone["input"]): string {
  const depth = channels === "grey" ? 1 : 3;
  const each = (value: (channel: number) => number) => Array.from({ length: depth }, (_, channel) => value(channel));
  const of = (values: readonly number[], channel: number) => values[channel] ?? (values[0] as number);
  const dims = [1, depth, 1, 1];
  const factor = graph.constant(
    "shown/factor",
    dims,
    each((c) => 255 / scale / of(std, c)),
  );
  const term = graph.constant(
    "shown/term",
    dims,
    each((c) => -of(mean, c) / of(std, c)),
  );
  const sized = resize(graph, SIGNATURE.input, RECIPE.side, TEACHER.side);
  return graph.node("Add", [graph.node("Mul", [sized, factor], "shown/scaled"), term], "shown");
}

/** Bilinear, half-pixel centres: each side times one matrix. @returns the tensor's name */
function resize(graph: OnnxGraph, map: string, from: number, to: number): string {
  if (from === to) return map;
  const blend = blendOf(from, to);
  const turned = Float32Array.from(
    { length: from * to },
    (_, i) => blend[(i % from) * to + Math.floor(i / from)] as number,
  );
  const across = graph.node("MatMul", [map, graph.constant(`${map}/across`, [from, to], blend)], `${map}/wide`);
  return graph.node("MatMul", [graph.constant(`${map}/down`, [to, from], turned), across], `${map}/sized`);
}

/** Every map of the backbone. @returns the tensors' names by those of the file that it came in */
function steps(
  graph: OnnxGraph,
  { input, steps: all, weights }: FusedGraph,
  from: string,
): ReadonlyMap<string, string> {
  const names = new Map([[input, from]]);
  const limits = () => {
    if (!names.has("6")) {
      names.set("0", graph.constant("zero", [], [0]));
      names.set("6", graph.constant("six", [], [6]));
    }
    return [names.get("0"), names.get("6")] as string[];
  };
  const activated = (activation: Step["activation"], name: string) => {
    if (activation === "none") return name;
    return activation === "relu"
      ? graph.node("Relu", [name], `${name}/relu`)
      : graph.node("Clip", [name, ...limits()], `${name}/relu6`);
  };
  all.forEach((step, i) => {
    const name = `backbone/${i}`;
    const given = (tensor: string) => names.get(tensor) as string;
    switch (step.kind) {
      case "convolution":
        names.set(step.output, activated(step.activation, convolution(graph, step, weights, given(step.input), name)));
        break;
      case "normalization": {
        const of = (number: number) => weights[number]?.values as Float32Array;
        const [scale, shift, mean, variance] = [step.scale, step.shift, step.mean, step.variance].map(of) as [
          ...[Float32Array, Float32Array],
          ...[Float32Array, Float32Array],
        ];
        const factor = Float64Array.from(
          scale,
          (value, c) => value / Math.sqrt((variance[c] as number) + step.epsilon),
        );
        const term = factor.map((value, c) => (shift[c] as number) - (mean[c] as number) * value);
        const dims = [1, factor.length, 1, 1];
        const scaled = graph.node(
          "Mul",
          [given(step.input), graph.weights(`${name}/scale`, dims, factor)],
          `${name}/scaled`,
        );
        const normal = graph.node("Add", [scaled, graph.weights(`${name}/shift`, dims, term)], name);
        names.set(step.output, activated(step.activation, normal));
        break;
      }
      case "relu":
      case "relu6":
        names.set(step.output, activated(step.kind, given(step.input)));
        break;
      case "sum":
        names.set(step.output, graph.node("Add", step.inputs.map(given), name));
        break;
      case "maximum":
        names.set(
          step.output,
          graph.node("MaxPool", [given(step.input)], name, {
            kernel_shape: step.window,
            strides: step.strides,
            pads: step.padding,
          }),
        );
        break;
      case "mean":
        // The features: the head's.
        break;
      case "dense":
        throw new Error("A dense layer lies behind a mean, and nothing of a teacher that is served does.");
    }
  });
  return names;
}

function convolution(
  graph: OnnxGraph,
  step: Extract<Step, { kind: "convolution" }>,
  weights: BackboneGraph["weights"],
  input: string,
  name: string,
): string {
  const { shape, values } = weights[step.filter] as BackboneGraph["weights"][number];
  const [height = 0, width = 0, channels = 0, made = 0] = shape;
  const dims = step.depthwise ? [channels * made, 1, height, width] : [made, channels, height, width];
  const filter = graph.weights(
    `${name}/filter`,
    dims,
    filtersOf(values, step.depthwise ? [height, width, 1, channels * made] : shape),
  );
  const bias = step.bias === null ? undefined : (weights[step.bias]?.values as Float32Array);
  const terms = bias ? [graph.weights(`${name}/bias`, [bias.length], bias)] : [];
  return graph.node("Conv", [input, filter, ...terms], name, {
    kernel_shape: [height, width],
    strides: step.strides,
    pads: step.padding,
    group: step.depthwise ? channels : 1,
  });
}

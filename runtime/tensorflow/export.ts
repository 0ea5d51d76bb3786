import type { LayersModel } from "@tensorflow/tfjs-layers";
import { RECIPE } from "../imaging";
import { SIGNATURE } from "../model";
import { identityOf } from "../platform/identity";
import { filtersOf, OnnxGraph, OPSET } from "./onnx-graph";
import { inputsOf, outputOf } from "./wiring";

/** How a network is written as ONNX. Up to the second version the map followed averages beside maxima, too. */
export const EXPORT = {
  id: identityOf("o", { version: 2, opset: OPSET, signature: SIGNATURE } as { readonly version: number }),
} as const;

/** A network that has something in it for which there is no rule here. */
export class UnexportableNetworkError extends Error {
  constructor(layer: string, problem: string) {
    super(`The network cannot be written as ONNX: layer "${layer}" ${problem}.`);
    this.name = "UnexportableNetworkError";
  }
}

/**
 * A trained network as ONNX, read layer by layer from its layers format, with the map of Grad-CAM and the features as
 * further outputs; see {@link SIGNATURE}. The same network gives the same bytes.
 *
 * It is given one channel: the recipe's three are equal, so the filters that see them are added up. Batch normalisation
 * that follows a convolution is folded into it.
 *
 * The map needs no gradient. Between the layer that is explained and the logit lie means and maxima over its n places, of
 * its channels or of sums of them (the lesion map), and one dense unit. The gradient of a maximum is 1 in all, so its
 * spatial mean is 1 / n: the spatial mean of the logit's gradient by a channel is (weight of its maximum + weight of the
 * peak x its weight in the lesion map) / n, whatever the image. The map is one more 1 x 1 convolution, whose weights the
 * graph makes of the others. What goes through means is held constant where there are maxima, see {@link judge}.
 *
 * @param gradCamLayer the layer that is explained
 * @throws {UnexportableNetworkError}
 */
export function exportNetwork(network: LayersModel, gradCamLayer: string): Buffer {
  return new Export(network, gradCamLayer).bytes();
}

type Layer = LayersModel["layers"][number];
type Config = Readonly<Record<string, unknown>>;

/** What a layer gives, beside the first side of every tensor. */
interface Value {
  readonly layer: string;
  readonly name: string;
  /** [channels, rows, columns], or [channels]. */
  readonly shape: readonly number[];
  readonly from?: Origin;
}

/** How a value depends on the places of another, as far as the map needs to know. */
type Origin =
  | { readonly kind: "mean" | "maximum" | "same"; readonly of: Value }
  /** Sums of channels at each place, by weights [sums, channels, 1, 1]. */
  | { readonly kind: "sums"; readonly of: Value; readonly weights: string }
  | { readonly kind: "beside"; readonly of: readonly Value[] };

class Export {
  private readonly graph = new OnnxGraph();
  private readonly values = new Map<number, Value>();
  private readonly readers = new Map<number, Layer[]>();
  private readonly folded = new Set<string>();

  constructor(
    private readonly network: LayersModel,
    private readonly gradCamLayer: string,
  ) {
    for (const layer of network.layers)
      for (const id of this.inputIds(layer)) this.readers.set(id, [...(this.readers.get(id) ?? []), layer]);
  }

  bytes(): Buffer {
    const { layers } = this.network;
    const last = layers.at(-1) as Layer;
    // A sigmoid of its own stands behind the dense unit.
    const unit = last.getClassName() === "Activation" ? this.soleInputLayer(last) : last;
    for (const layer of layers) {
      if (layer === last || layer === unit || this.folded.has(layer.name)) continue;
      this.values.set(outputOf(this.network, layer.name), this.write(layer));
    }
    const explained = this.explained();
    this.head(unit, last, explained);
    const [channels = 0, rows = 0, columns = 0] = explained.shape;
    return this.graph.bytes(
      "brain-tumor-network",
      { [SIGNATURE.input]: [1, RECIPE.side, RECIPE.side] },
      { logit: [1], map: [1, rows, columns], features: [channels] },
    );
  }

  private write(layer: Layer): Value {
    const config = layer.getConfig() as Config;
    switch (layer.getClassName()) {
      case "InputLayer":
        return { layer: layer.name, name: SIGNATURE.input, shape: [RECIPE.channels, RECIPE.side, RECIPE.side] };
      case "Conv2D":
        return this.convolution(layer, config);
      case "BatchNormalization":
        return this.normalization(layer);
      case "ReLU":
        if (config.maxValue != null) throw this.problem(layer, `has a largest value, ${config.maxValue}`);
        return this.activated(layer, this.input(layer), "relu");
      case "Activation":
        return this.activated(layer, this.input(layer), config.activation);
      case "Dropout":
        return this.same(layer, this.input(layer));
      case "Add":
        return this.sum(layer);
      case "MaxPooling2D":
        return this.maxPooling(layer, config);
      case "GlobalAveragePooling2D":
        return this.overPlaces(layer, "ReduceMean");
      case "GlobalMaxPooling2D":
        return this.overPlaces(layer, "ReduceMax");
      case "Concatenate":
        return this.beside(layer, config);
      case "Dense":
        return this.denseAtPlaces(layer, config);
      default:
        throw this.problem(layer, `is a ${layer.getClassName()}, for which there is no rule`);
    }
  }

  private convolution(layer: Layer, config: Config): Value {
    const [input] = this.inputIds(layer) as [number];
    const given = this.values.get(input) as Value;
    const [kernel, bias] = layer.getWeights();
    const [height = 0, width = 0, , filters = 0] = kernel?.shape ?? [];
    this.requireChannelsLast(layer, config);
    if ([config.dilationRate].flat().some((rate) => rate != null && rate !== 1))
      throw this.problem(layer, "is a dilated convolution");
    const strides = pair(config.strides);
    const window = this.window(layer, given, [height, width], strides, config.padding);
    const values = filtersOf(kernel?.dataSync() as Float32Array, kernel?.shape as number[]);
    const channels = given.name === SIGNATURE.input ? 1 : (given.shape[0] as number);
    const weights = given.name === SIGNATURE.input ? addedUp(values, filters, height * width) : values;
    const offsets = Float64Array.from({ length: filters }, (_, i) => bias?.dataSync()[i] ?? 0);
    const normalization = config.activation === "linear" ? this.normalizationBehind(layer) : undefined;
    const { scale, shift } = normalization
      ? this.affine(normalization)
      : { scale: new Float64Array(filters).fill(1), shift: new Float64Array(filters) };
    const size = weights.length / filters;
    const name = `${this.label(layer)}`;
    const kernelName = this.graph.weights(
      `${this.label(layer)}/kernel`,
      [filters, channels, height, width],
      weights.map((value, i) => value * (scale[Math.floor(i / size)] as number)),
    );
    const biasName = this.graph.weights(
      `${this.label(layer)}/bias`,
      [filters],
      offsets.map((value, i) => value * (scale[i] as number) + (shift[i] as number)),
    );
    this.graph.node("Conv", [given.name, kernelName, biasName], name, {
      kernel_shape: [height, width],
      strides,
      pads: window.pads,
    });
    const places = height * width * strides[0] * strides[1] === 1 && given.name !== SIGNATURE.input;
    const value: Value = {
      layer: layer.name,
      name,
      shape: [filters, ...window.sides],
      ...(places && !normalization ? { from: { kind: "sums", of: given, weights: kernelName } } : {}),
    };
    if (!normalization) return this.activated(layer, value, config.activation);
    this.folded.add(normalization.name);
    this.values.set(outputOf(this.network, normalization.name), { ...value, layer: normalization.name });
    return value;
  }

  /** The normalisation that alone reads a convolution; undefined where something else needs what lies between. */
  private normalizationBehind(layer: Layer): Layer | undefined {
    const readers = this.readers.get(outputOf(this.network, layer.name)) ?? [];
    const [reader] = readers;
    const alone = readers.length === 1 && reader?.getClassName() === "BatchNormalization";
    return alone && layer.name !== this.gradCamLayer ? reader : undefined;
  }

  private normalization(layer: Layer): Value {
    const given = this.input(layer);
    const { scale, shift } = this.affine(layer);
    const dims = [scale.length, ...given.shape.slice(1).map(() => 1)];
    const scaled = this.graph.node(
      "Mul",
      [given.name, this.graph.weights(`${this.label(layer)}/scale`, dims, scale)],
      `${this.label(layer)}/scaled`,
    );
    const shifted = this.graph.weights(`${this.label(layer)}/shift`, dims, shift);
    return {
      layer: layer.name,
      name: this.graph.node("Add", [scaled, shifted], `${this.label(layer)}`),
      shape: given.shape,
    };
  }

  /** Batch normalisation with its running statistics: a factor and a term for each channel. */
  private affine(layer: Layer): { readonly scale: Float64Array; readonly shift: Float64Array } {
    const config = layer.getConfig() as Config;
    if (config.axis !== -1 && config.axis !== 3) throw this.problem(layer, `normalises axis ${String(config.axis)}`);
    const weights = layer.getWeights().map((tensor) => tensor.dataSync());
    const gamma = config.scale === false ? undefined : weights.shift();
    const beta = config.center === false ? undefined : weights.shift();
    const [mean, variance] = weights as [Float32Array, Float32Array];
    const scale = Float64Array.from(
      variance,
      (value, i) => (gamma?.[i] ?? 1) / Math.sqrt(value + (config.epsilon as number)),
    );
    const shift = scale.map((factor, i) => (beta?.[i] ?? 0) - (mean[i] as number) * factor);
    return { scale, shift };
  }

  private activated(layer: Layer, value: Value, activation: unknown): Value {
    if (activation === "linear") return this.same(layer, value);
    if (activation !== "relu") throw this.problem(layer, `has the activation ${String(activation)}`);
    return {
      layer: layer.name,
      name: this.graph.node("Relu", [value.name], `${this.label(layer)}/relu`),
      shape: value.shape,
    };
  }

  private same(layer: Layer, value: Value): Value {
    return value.layer === layer.name ? value : { ...value, layer: layer.name, from: { kind: "same", of: value } };
  }

  private sum(layer: Layer): Value {
    const parts = this.inputs(layer);
    const [first] = parts as [Value];
    if (parts.some(({ shape }) => shape.join() !== first.shape.join()))
      throw this.problem(layer, "adds unequal shapes");
    const names = parts.map(({ name }) => name);
    return { layer: layer.name, name: this.graph.node("Sum", names, `${this.label(layer)}`), shape: first.shape };
  }

  private maxPooling(layer: Layer, config: Config): Value {
    const given = this.input(layer);
    this.requireChannelsLast(layer, config);
    const size = pair(config.poolSize);
    const strides = pair(config.strides ?? config.poolSize);
    const { pads, sides } = this.window(layer, given, size, strides, config.padding);
    const name = this.graph.node("MaxPool", [given.name], `${this.label(layer)}`, {
      kernel_shape: size,
      strides,
      pads,
    });
    return { layer: layer.name, name, shape: [given.shape[0] as number, ...sides] };
  }

  private overPlaces(layer: Layer, operator: "ReduceMean" | "ReduceMax"): Value {
    const given = this.input(layer);
    const name = this.graph.node(operator, [given.name], `${this.label(layer)}`, { axes: [2, 3], keepdims: 0 });
    return {
      layer: layer.name,
      name,
      shape: [given.shape[0] as number],
      from: { kind: operator === "ReduceMean" ? "mean" : "maximum", of: given },
    };
  }

  private beside(layer: Layer, config: Config): Value {
    const parts = this.inputs(layer);
    const [first] = parts as [Value];
    if (config.axis !== -1 && config.axis !== first.shape.length)
      throw this.problem(layer, `joins along axis ${String(config.axis)}`);
    const names = parts.map(({ name }) => name);
    const channels = parts.reduce((sum, { shape }) => sum + (shape[0] as number), 0);
    return {
      layer: layer.name,
      name: this.graph.node("Concat", names, `${this.label(layer)}`, { axis: 1 }),
      shape: [channels, ...first.shape.slice(1)],
      from: { kind: "beside", of: parts },
    };
  }

  /** A dense layer over the channels of each place is a 1 x 1 convolution. */
  private denseAtPlaces(layer: Layer, config: Config): Value {
    const given = this.input(layer);
    if (given.shape.length !== 3) throw this.problem(layer, "is a dense layer before the last one");
    const [kernel, bias] = layer.getWeights();
    const [channels = 0, units = 0] = kernel?.shape ?? [];
    const values = kernel?.dataSync() as Float32Array;
    const weights = this.graph.weights(
      `${this.label(layer)}/kernel`,
      [units, channels, 1, 1],
      Array.from(
        { length: units * channels },
        (_, i) => values[(i % channels) * units + Math.floor(i / channels)] as number,
      ),
    );
    const terms = bias ? [this.graph.weights(`${this.label(layer)}/bias`, [units], bias.dataSync())] : [];
    const name = this.graph.node("Conv", [given.name, weights, ...terms], `${this.label(layer)}`);
    const value: Value = {
      layer: layer.name,
      name,
      shape: [units, ...given.shape.slice(1)],
      from: { kind: "sums", of: given, weights },
    };
    return this.activated(layer, value, config.activation);
  }

  /** Logit, map and features. */
  private head(unit: Layer, last: Layer, explained: Value): void {
    const config = unit.getConfig() as Config;
    const sigmoid = (last.getConfig() as Config).activation === "sigmoid";
    if (unit.getClassName() !== "Dense" || !sigmoid || (unit !== last && config.activation !== "linear"))
      throw this.problem(last, "is no single unit with a sigmoid");
    const evidence = flat(this.input(unit));
    const [kernel, bias] = unit.getWeights();
    const values = kernel?.dataSync() as Float32Array;
    let at = 0;
    const holdsMeans = evidence.some(({ from }) => from?.kind === "maximum");
    const parts = evidence.map((value, i) => {
      const [size = 0] = value.shape;
      if (value.shape.length !== 1) throw this.problem(unit, "reads more than one value a channel");
      const weights = this.graph.weights(`${this.label(unit)}/kernel${i}`, [size, 1], values.slice(at, at + size));
      at += size;
      return {
        term: this.graph.node("MatMul", [value.name, weights], `${this.label(unit)}/term${i}`),
        gradients: holdsMeans && value.from?.kind === "mean" ? [] : [this.gradient(value, weights, explained)],
      };
    });
    const offset = this.graph.weights(`${this.label(unit)}/bias`, [1], bias?.dataSync() ?? [0]);
    const [channels = 0, rows = 0, columns = 0] = explained.shape;
    const gradient = this.graph.node(
      "Sum",
      parts.flatMap((part) => part.gradients),
      "map/gradient",
    );
    const share = this.graph.weights("map/share", [1], [1 / (rows * columns)]);
    const weights = this.graph.node(
      "Reshape",
      [
        this.graph.node("Mul", [gradient, share], "map/mean-gradient"),
        this.graph.shape("map/filter-shape", [1, channels, 1, 1]),
      ],
      "map/filter",
    );
    this.graph.node("Sum", [...parts.map(({ term }) => term), offset], "logit");
    this.graph.node("Conv", [explained.name, weights], "map");
    this.graph.node("ReduceMean", [explained.name], "features", { axes: [2, 3], keepdims: 0 });
  }

  /**
   * The logit's gradient by the channels of the layer that is explained, added up over its places, through one value.
   *
   * @param weights name of the gradient by the value's channels, [channels, 1]
   */
  private gradient(value: Value, weights: string, explained: Value): string {
    if (value.layer === explained.layer) return weights;
    const { from } = value;
    if (from?.kind === "mean" || from?.kind === "maximum" || from?.kind === "same")
      return this.gradient(from.of, weights, explained);
    if (from?.kind !== "sums") {
      throw new UnexportableNetworkError(
        value.layer,
        `stands between the layer "${explained.layer}", which Grad-CAM explains, and the answer, and there is no rule for its gradient`,
      );
    }
    const [sums = 0] = value.shape;
    const [channels = 0] = from.of.shape;
    const shape = this.graph.shape(`map/through/${value.name}/shape`, [sums, channels]);
    const matrix = this.graph.node("Reshape", [from.weights, shape], `map/through/${value.name}/matrix`);
    const turned = this.graph.node("Transpose", [matrix], `map/through/${value.name}/transposed`, { perm: [1, 0] });
    return this.gradient(
      from.of,
      this.graph.node("MatMul", [turned, weights], `map/through/${value.name}/gradient`),
      explained,
    );
  }

  private explained(): Value {
    const layer = this.network.layers.find(({ name }) => name === this.gradCamLayer);
    const value = layer && this.values.get(outputOf(this.network, layer.name));
    if (!value) throw new UnexportableNetworkError(this.gradCamLayer, "is not there, and Grad-CAM is to explain it");
    if (value.shape.length !== 3 || value.shape[1] !== value.shape[2])
      throw new UnexportableNetworkError(this.gradCamLayer, `gives no square map, but [${value.shape}]`);
    return value;
  }

  /** Sides of what a sliding window gives, and TensorFlow's padding written out: the odd pixel lies below and on the right. */
  private window(
    layer: Layer,
    { shape }: Value,
    size: readonly number[],
    strides: readonly number[],
    padding: unknown,
  ): { readonly pads: readonly number[]; readonly sides: readonly number[] } {
    if (padding !== "same" && padding !== "valid") throw this.problem(layer, `has the padding ${String(padding)}`);
    const axes = [0, 1].map((axis) => {
      const [side, length, stride] = [shape[axis + 1], size[axis], strides[axis]] as [number, number, number];
      if (padding === "valid") return { before: 0, after: 0, out: Math.floor((side - length) / stride) + 1 };
      const out = Math.ceil(side / stride);
      const missing = Math.max(0, (out - 1) * stride + length - side);
      const before = Math.floor(missing / 2);
      return { before, after: missing - before, out };
    });
    return {
      pads: [...axes.map(({ before }) => before), ...axes.map(({ after }) => after)],
      sides: axes.map(({ out }) => out),
    };
  }

  private inputIds(layer: Layer): readonly number[] {
    return layer.getClassName() === "InputLayer" ? [] : inputsOf(this.network, layer.name);
  }

  private soleInputLayer(layer: Layer): Layer {
    const [id] = this.inputIds(layer);
    const found = this.network.layers.find(({ name }) => outputOf(this.network, name) === id);
    if (!found) throw this.problem(layer, "reads nothing");
    return found;
  }

  private inputs(layer: Layer): readonly Value[] {
    return this.inputIds(layer).map((id) => {
      const value = this.values.get(id) as Value;
      return value.name === SIGNATURE.input ? this.threeChannels(value) : value;
    });
  }

  private input(layer: Layer): Value {
    return this.inputs(layer)[0] as Value;
  }

  /** What is no convolution sees the scan's equal channels side by side. */
  private threeChannels(scan: Value): Value {
    const name = `${SIGNATURE.input}/channels`;
    if (!this.folded.has(name)) {
      this.graph.node("Concat", [scan.name, scan.name, scan.name], name, { axis: 1 });
      this.folded.add(name);
    }
    return { ...scan, name };
  }

  /** Of its place and kind: how a layer happens to be called changes no byte. */
  private label(layer: Layer): string {
    return `${this.network.layers.indexOf(layer)}-${layer.getClassName()}`;
  }

  private requireChannelsLast(layer: Layer, config: Config): void {
    if (config.dataFormat === "channelsFirst") throw this.problem(layer, "has its channels first");
  }

  private problem(layer: Layer, problem: string): UnexportableNetworkError {
    return new UnexportableNetworkError(layer.name, problem);
  }
}

const flat = (value: Value): readonly Value[] =>
  value.from?.kind === "beside" ? value.from.of.flatMap(flat) : [value];

function pair(value: unknown): readonly [number, number] {
  const [first, second = first] = [value].flat() as number[];
  return [first as number, second as number];
}

/** Filters that see three equal channels as filters that see one. */
function addedUp(values: Float64Array, filters: number, places: number): Float64Array {
  const channels = values.length / (filters * places);
  return Float64Array.from({ length: filters * places }, (_, i) => {
    const first = Math.floor(i / places) * channels * places + (i % places);
    return Array.from({ length: channels }, (_, c) => values[first + c * places] as number).reduce((a, b) => a + b, 0);
  });
}

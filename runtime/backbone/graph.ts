import { onnx } from "onnx-proto";
import type { Backbone } from "./load";
import { UnusableNetwork } from "./onnx";

/** Zeros above, left, below and right of a picture. */
export type Padding = readonly [top: number, left: number, bottom: number, right: number];

/** Numbers of a network, laid out as TensorFlow wants them. */
export interface GraphWeights {
  readonly name: string;
  /** Filters are [height, width, in, out], of a depthwise convolution [height, width, in, multiplier]; kernels [in, out]. */
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/**
 * One step of a network over NHWC tensors, by their names in the file. Weights are given by their number in
 * {@link BackboneGraph.weights}; null where there are none.
 */
export type Operation =
  | {
      readonly kind: "convolution";
      readonly input: string;
      readonly output: string;
      readonly filter: number;
      readonly bias: number | null;
      /** Each channel is filtered alone. */
      readonly depthwise: boolean;
      readonly strides: readonly [number, number];
      readonly padding: Padding;
    }
  | {
      readonly kind: "normalization";
      readonly input: string;
      readonly output: string;
      readonly scale: number;
      readonly shift: number;
      readonly mean: number;
      readonly variance: number;
      readonly epsilon: number;
    }
  | { readonly kind: "relu" | "relu6"; readonly input: string; readonly output: string }
  | { readonly kind: "sum"; readonly inputs: readonly [string, string]; readonly output: string }
  | {
      readonly kind: "maximum";
      readonly input: string;
      readonly output: string;
      readonly window: readonly [number, number];
      readonly strides: readonly [number, number];
      readonly padding: Padding;
    }
  /** Mean over the places of a map: [n, channels]. */
  | { readonly kind: "mean"; readonly input: string; readonly output: string }
  | {
      readonly kind: "dense";
      readonly input: string;
      readonly output: string;
      readonly kernel: number;
      readonly bias: number | null;
    };

/** A network whose every operation is known, from its input to its features. Plain data. */
export interface BackboneGraph {
  readonly input: string;
  /** The features: [n, length], or a map of so many channels. */
  readonly output: string;
  /** In an order in which they can be computed. */
  readonly operations: readonly Operation[];
  readonly weights: readonly GraphWeights[];
}

/** The operators of ONNX that are known. */
const KNOWN =
  "Conv (also depthwise), BatchNormalization, Relu, Clip from 0 to 6, Add of two maps, MaxPool, GlobalAveragePool, ReduceMean over places, Flatten, Gemm, Identity and Dropout";

/**
 * The operations of a backbone, so that it can be computed by something else than onnxruntime, and trained.
 *
 * @throws {UnusableNetwork} naming the first operation that is not known; the message is the end of a sentence that
 *   begins with the network's file
 */
export function readGraph({ onnx: content, manifest }: Pick<Backbone, "onnx" | "manifest">): BackboneGraph {
  if (manifest.input.layout !== "NCHW")
    throw new UnusableNetwork(
      "takes its channels last, and ONNX computes with channels first: export it without that.",
    );
  const graph = onnx.ModelProto.decode(content).graph as onnx.IGraphProto;
  return new Reader(graph).read(manifest.input.name, manifest.features.tensor);
}

const ORDERS = {
  filter: [2, 3, 1, 0],
  depthwise: [2, 3, 0, 1],
  kernel: [1, 0],
  asIs: [0],
} as const;

class Reader {
  private readonly made = new Map<string, onnx.INodeProto>();
  private readonly constants = new Map<string, onnx.ITensorProto>();
  private readonly operations: Operation[] = [];
  private readonly weights: GraphWeights[] = [];
  private readonly numbers = new Map<string, number>();
  /** Tensors that are another by a new name, and which are [n, channels]. */
  private readonly names = new Map<string, string>();
  private readonly flat = new Set<string>();

  constructor({ node, initializer }: onnx.IGraphProto) {
    for (const one of node ?? []) for (const output of one.output ?? []) this.made.set(output, one);
    for (const tensor of initializer ?? []) this.constants.set(tensor.name as string, tensor);
    for (const { opType, output, attribute } of node ?? []) {
      const value = attribute?.find(({ name }) => name === "value")?.t;
      if (opType === "Constant" && value) this.constants.set(output?.[0] as string, value);
    }
  }

  read(input: string, output: string): BackboneGraph {
    this.names.set(input, input);
    // Depth first without recursion: a network may be thousands of operations deep.
    const waiting = [output];
    const begun = new Set<string>();
    while (waiting.length > 0) {
      const name = waiting.at(-1) as string;
      if (this.names.has(name)) {
        waiting.pop();
        continue;
      }
      const node = this.made.get(name);
      if (!node) throw new UnusableNetwork(`has nothing that makes the tensor ${name}.`);
      const missing = this.inputsOf(node).filter((needed) => !this.names.has(needed));
      if (missing.length > 0) {
        begun.add(name);
        if (missing.some((needed) => begun.has(needed))) throw new UnusableNetwork("goes round in a circle.");
        waiting.push(...missing.reverse());
        continue;
      }
      this.names.set(name, this.add(node, name));
      waiting.pop();
    }
    return { input, output: this.name(output), operations: this.operations, weights: this.weights };
  }

  private inputsOf({ input }: onnx.INodeProto): string[] {
    return (input ?? []).filter((name) => name !== "" && !this.constants.has(name));
  }

  private name(given: string | undefined): string {
    return this.names.get(given ?? "") as string;
  }

  /** @returns the tensor that it makes, which is another one where it does nothing */
  private add(node: onnx.INodeProto, output: string): string {
    const [first, second] = node.input ?? [];
    const input = this.name(first);
    switch (node.opType) {
      case "Identity":
      case "Dropout":
        return input;
      case "Conv":
        this.operations.push(this.convolution(node, input, output));
        return output;
      case "BatchNormalization": {
        const [scale, shift, mean, variance] = (node.input ?? []).slice(1).map((name) => this.weight(name, "asIs")) as [
          number,
          number,
          number,
          number,
        ];
        const epsilon = attributeOf(node, "epsilon")?.f ?? 1e-5;
        this.operations.push({ kind: "normalization", input, output, scale, shift, mean, variance, epsilon });
        return output;
      }
      case "Relu":
        return this.keeping({ kind: "relu", input, output });
      case "Clip":
        if (this.scalar(node, 1, "min") !== 0 || this.scalar(node, 2, "max") !== 6) throw unknown(node, "other limits");
        return this.keeping({ kind: "relu6", input, output });
      case "Add":
        if (this.inputsOf(node).length !== 2) throw unknown(node, "a constant");
        this.operations.push({ kind: "sum", inputs: [input, this.name(second)], output });
        return output;
      case "MaxPool":
        if (integer(node, "ceil_mode", 0) !== 0) throw unknown(node, "ceil_mode");
        this.operations.push({ kind: "maximum", input, output, window: pair(node, "kernel_shape"), ...placed(node) });
        return output;
      case "GlobalAveragePool":
      case "ReduceMean":
        if (node.opType === "ReduceMean" && !this.isOverPlaces(node)) throw unknown(node, "other axes");
        this.flat.add(output);
        this.operations.push({ kind: "mean", input, output });
        return output;
      case "Flatten":
        if (!this.flat.has(input)) throw unknown(node, "a map that is not pooled");
        return input;
      case "Gemm": {
        if (!this.flat.has(input)) throw unknown(node, "a map that is not pooled");
        if (["alpha", "beta"].some((name) => (attributeOf(node, name)?.f ?? 1) !== 1) || integer(node, "transA", 0))
          throw unknown(node, "a factor");
        const kernel = this.weight(second, integer(node, "transB", 0) ? "kernel" : "asIs");
        const bias = this.optional(node.input?.[2]);
        this.flat.add(output);
        this.operations.push({ kind: "dense", input, output, kernel, bias });
        return output;
      }
      default:
        throw unknown(node);
    }
  }

  private keeping(operation: Operation & { readonly kind: "relu" | "relu6" }): string {
    this.operations.push(operation);
    if (this.flat.has(operation.input)) this.flat.add(operation.output);
    return operation.output;
  }

  private convolution(node: onnx.INodeProto, input: string, output: string): Operation {
    const [, filter, bias] = node.input ?? [];
    const dims = (this.constants.get(filter ?? "")?.dims ?? []).map(Number);
    const groups = integer(node, "group", 1);
    const depthwise = groups > 1;
    if (dims.length !== 4) throw unknown(node, "a filter that is not stored");
    if (depthwise && (dims[1] !== 1 || (dims[0] as number) % groups !== 0)) throw unknown(node, `${groups} groups`);
    if (list(node, "dilations").some((step) => step !== 1)) throw unknown(node, "dilation");
    const kernel = this.weight(filter, depthwise ? "depthwise" : "filter", groups);
    const biases = this.optional(bias);
    return { kind: "convolution", input, output, filter: kernel, bias: biases, depthwise, ...placed(node) };
  }

  private optional(name: string | undefined): number | null {
    return name ? this.weight(name, "asIs") : null;
  }

  /** The number of a tensor's values in the order that TensorFlow wants. */
  private weight(name: string | undefined, order: keyof typeof ORDERS, groups = 1): number {
    const key = `${order} ${name}`;
    const known = this.numbers.get(key);
    if (known !== undefined) return known;
    const tensor = this.constants.get(name ?? "");
    if (!tensor) throw new UnusableNetwork(`has weights ${name} that are not stored in it.`);
    const dims = (tensor.dims ?? []).map(Number);
    // [channels x multiplier, 1, h, w]: of each channel its filters one after the other.
    const sides = order === "depthwise" ? [groups, (dims[0] as number) / groups, dims[2] ?? 1, dims[3] ?? 1] : dims;
    const values = valuesOf(tensor);
    const axes = order === "asIs" ? sides.map((_, i) => i) : ORDERS[order];
    this.weights.push({
      name: name as string,
      shape: axes.map((axis) => sides[axis] as number),
      values: transposed(values, sides, axes),
    });
    this.numbers.set(key, this.weights.length - 1);
    return this.weights.length - 1;
  }

  /** An operand that is a number: an input since opset 11, an attribute before. */
  private scalar(node: onnx.INodeProto, at: number, name: string): number | undefined {
    const tensor = this.constants.get(node.input?.[at] ?? "");
    return tensor ? valuesOf(tensor)[0] : (attributeOf(node, name)?.f ?? undefined);
  }

  private isOverPlaces(node: onnx.INodeProto): boolean {
    const tensor = this.constants.get(node.input?.[1] ?? "");
    const axes = tensor ? integersOf(tensor) : list(node, "axes");
    return axes.length === 2 && [2, 3].every((axis) => axes.includes(axis) || axes.includes(axis - 4));
  }
}

const unknown = (node: onnx.INodeProto, what?: string) =>
  new UnusableNetwork(
    `computes ${node.output?.[0]} by ${node.opType}${what ? ` with ${what}` : ""}. Known are ${KNOWN}.`,
  );

const attributeOf = ({ attribute }: onnx.INodeProto, wanted: string) => attribute?.find(({ name }) => name === wanted);
const integer = (node: onnx.INodeProto, name: string, otherwise: number) =>
  Number(attributeOf(node, name)?.i ?? otherwise);
const list = (node: onnx.INodeProto, name: string) => (attributeOf(node, name)?.ints ?? []).map(Number);

function pair(node: onnx.INodeProto, name: string): readonly [number, number] {
  const [vertical = 1, horizontal = vertical] = list(node, name);
  return [vertical, horizontal];
}

function placed(node: onnx.INodeProto) {
  const automatic = Buffer.from(attributeOf(node, "auto_pad")?.s ?? []).toString();
  if (automatic !== "" && automatic !== "NOTSET") throw unknown(node, `padding ${automatic}`);
  const [top = 0, left = 0, bottom = 0, right = 0] = list(node, "pads");
  return { strides: pair(node, "strides"), padding: [top, left, bottom, right] as const };
}

function valuesOf({ name, dataType, rawData, floatData, dims }: onnx.ITensorProto): Float32Array {
  if (dataType !== onnx.TensorProto.DataType.FLOAT)
    throw new UnusableNetwork(`has weights ${name} that are no 32-bit floats.`);
  const values =
    rawData && rawData.length > 0
      ? new Float32Array(Uint8Array.from(rawData).buffer)
      : Float32Array.from(floatData ?? []);
  if (values.length !== (dims ?? []).reduce<number>((product, side) => product * Number(side), 1))
    throw new UnusableNetwork(`has weights ${name} that are not as many as their sides say.`);
  if (!values.every(Number.isFinite)) throw new UnusableNetwork(`has weights ${name} that are no numbers.`);
  return values;
}

function integersOf({ rawData, int64Data }: onnx.ITensorProto): number[] {
  if (!rawData || rawData.length === 0) return (int64Data ?? []).map(Number);
  return Array.from(new BigInt64Array(Uint8Array.from(rawData).buffer), Number);
}

function transposed(values: Float32Array, sides: readonly number[], axes: readonly number[]): Float32Array {
  const strides = sides.map((_, axis) => sides.slice(axis + 1).reduce((product, side) => product * side, 1));
  const shape = axes.map((axis) => sides[axis] as number);
  const steps = axes.map((axis) => strides[axis] as number);
  const turned = new Float32Array(values.length);
  const at = shape.map(() => 0);
  let from = 0;
  for (let to = 0; to < values.length; to++) {
    turned[to] = values[from] as number;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const [index, step, side] = [(at[axis] as number) + 1, steps[axis] as number, shape[axis] as number];
      from += step;
      if (index < side) {
        at[axis] = index;
        break;
      }
      at[axis] = 0;
      from -= step * side;
    }
  }
  return turned;
}

/** Height, width and channels of a tensor; a vector has height and width 0. */
export type Sides = readonly [height: number, width: number, channels: number];

/**
 * The sides of every tensor where pictures of another size than the network was made for go in.
 *
 * @param size height and width of the pictures
 * @throws {UnusableNetwork} if they are too small, or the weights do not fit together
 */
export function sidesOf(
  { input, operations, weights }: BackboneGraph,
  size: number,
  depth: number,
): ReadonlyMap<string, Sides> {
  const sides = new Map<string, Sides>([[input, [size, size, depth]]]);
  const of = (name: string) => sides.get(name) as Sides;
  const shape = (number: number) => weights[number]?.shape as readonly number[];
  const check = (holds: boolean, output: string) => {
    if (!holds)
      throw new UnusableNetwork(
        `has weights that do not fit the tensor ${output}, or takes larger pictures than ${size} x ${size}.`,
      );
  };
  for (const operation of operations) {
    const { output } = operation;
    switch (operation.kind) {
      case "convolution": {
        const [height = 0, width = 0, channels, out = 0] = shape(operation.filter);
        const [, , given] = of(operation.input);
        check(channels === given, output);
        const made = operation.depthwise ? given * out : out;
        const map = slid(of(operation.input), [height, width], operation);
        check(map.every((side) => side > 0) && (operation.bias === null || shape(operation.bias)[0] === made), output);
        sides.set(output, [...map, made]);
        break;
      }
      case "maximum": {
        const map = slid(of(operation.input), operation.window, operation);
        check(
          map.every((side) => side > 0),
          output,
        );
        sides.set(output, [...map, of(operation.input)[2]]);
        break;
      }
      case "sum": {
        const [one, other] = operation.inputs.map(of) as [Sides, Sides];
        check(one.join() === other.join(), output);
        sides.set(output, one);
        break;
      }
      case "mean":
        sides.set(output, [0, 0, of(operation.input)[2]]);
        break;
      case "dense": {
        const [taken, made = 0] = shape(operation.kernel);
        check(taken === of(operation.input)[2], output);
        sides.set(output, [0, 0, made]);
        break;
      }
      case "normalization":
        check(shape(operation.scale)[0] === of(operation.input)[2], output);
        sides.set(output, of(operation.input));
        break;
      default:
        sides.set(output, of(operation.input));
    }
  }
  return sides;
}

function slid(
  [height, width]: Sides,
  window: readonly [number, number],
  {
    strides,
    padding: [top, left, bottom, right],
  }: { readonly strides: readonly [number, number]; readonly padding: Padding },
): [number, number] {
  return [
    Math.floor((height + top + bottom - window[0]) / strides[0]) + 1,
    Math.floor((width + left + right - window[1]) / strides[1]) + 1,
  ];
}

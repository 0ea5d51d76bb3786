import { createHash } from "node:crypto";
import { onnx } from "onnx-proto";
import type { Backbone, BackboneManifest } from "../../runtime/backbone";
import { mixSeed, normal, uniform } from "../../runtime/platform/random";
import { writeBackbone } from "./tiny-backbone";

const SIZE = 48;
const FEATURES = 12;

/** Ways in which the network may be written down. */
export interface Written {
  /** Limits of the activation as attributes, as before opset 11. */
  readonly oldClip?: boolean;
  /** Another operator in the place of the first ReLU. */
  readonly operator?: string;
  /** A last layer behind the mean, as classifiers have it. */
  readonly dense?: boolean;
  /** @default 12 */
  readonly features?: number;
  /** A normalisation that stands behind no convolution. */
  readonly normalSum?: boolean;
}

/**
 * A backbone with everything that a real one has, in little: strided and depthwise convolutions, one of them padded on one
 * side, normalisations, ReLU and ReLU6, a residual sum, max pooling, the mean over places.
 */
export function residualNetwork({
  oldClip = false,
  operator = "Relu",
  dense = false,
  features = FEATURES,
  normalSum = false,
}: Written = {}): Buffer {
  const { INT, INTS, FLOAT } = onnx.AttributeProto.AttributeType;
  const gaussian = normal(uniform(mixSeed(4, 2)));
  const random = uniform(mixSeed(4, 3));
  const initializer: onnx.ITensorProto[] = [];
  const put = (name: string, dims: number[], value: () => number) => {
    const values = Float32Array.from({ length: dims.reduce((product, side) => product * side, 1) }, value);
    const rawData = Buffer.from(values.buffer);
    initializer.push({ name, dims, dataType: onnx.TensorProto.DataType.FLOAT, rawData });
    return name;
  };
  const node: onnx.INodeProto[] = [];
  const add = (opType: string, input: string[], output: string, values: Record<string, number | number[]> = {}) => {
    const attribute = Object.entries(values).map(([name, value]) => {
      if (Array.isArray(value)) return { name, type: INTS, ints: value };
      return name === "epsilon" || name === "min" || name === "max"
        ? { name, type: FLOAT, f: value }
        : { name, type: INT, i: value };
    });
    node.push({ opType, input, output: [output], attribute });
    return output;
  };
  const convolution = (
    input: string,
    name: string,
    [inner, out]: [number, number],
    { kernel = 1, stride = 1, pads = [0, 0, 0, 0], groups = 1 } = {},
  ) => {
    const taps = kernel * kernel * (inner / groups);
    const filter = put(`${name}.weight`, [out, inner / groups, kernel, kernel], () => gaussian() * Math.sqrt(2 / taps));
    return add("Conv", [input, filter], name, {
      kernel_shape: [kernel, kernel],
      strides: [stride, stride],
      pads,
      group: groups,
    });
  };
  const normalised = (input: string, channels: number) => {
    const parts = [
      put(`${input}.scale`, [channels], () => 0.8 + 0.4 * random()),
      put(`${input}.shift`, [channels], () => 0.2 * gaussian()),
      put(`${input}.mean`, [channels], () => 0.1 * gaussian()),
      put(`${input}.variance`, [channels], () => 0.5 + random()),
    ];
    return add("BatchNormalization", [input, ...parts], `${input}.normal`, { epsilon: 1e-3 });
  };
  put("zero", [], () => 0);
  put("six", [], () => 6);
  const six = (input: string) =>
    oldClip
      ? add("Clip", [input], `${input}.six`, { min: 0, max: 6 })
      : add("Clip", [input, "zero", "six"], `${input}.six`);

  const stem = { kernel: 3, stride: 2, pads: [0, 0, 1, 1] };
  let map = add(operator, [normalised(convolution("pixels", "stem", [3, 6], stem), 6)], "stem.active");
  map = add("MaxPool", [map], "pooled", { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] });
  const expanded = six(normalised(convolution(map, "expand", [6, 12]), 12));
  const alone = { kernel: 3, pads: [1, 1, 1, 1], groups: 12 };
  const depthwise = six(normalised(convolution(expanded, "depthwise", [12, 12], alone), 12));
  map = add("Add", [normalised(convolution(depthwise, "project", [12, 6]), 6), map], "sum");
  if (normalSum) map = normalised(map, 6);
  // The padding that TensorFlow's SAME would not give here.
  const strided = { kernel: 5, stride: 2, pads: [1, 1, 2, 2], groups: 6 };
  map = six(normalised(convolution(map, "strided", [6, 6], strided), 6));
  map = add("Relu", [normalised(convolution(map, "head", [6, features]), features)], "last");
  map = add("Flatten", [add("GlobalAveragePool", [map], "mean")], "flat", { axis: 1 });
  if (dense) {
    const kernel = put("dense.weight", [features, features], () => gaussian() * 0.3);
    map = add("Gemm", [map, kernel, put("dense.bias", [features], gaussian)], "dense", { transB: 1 });
  }
  const { FLOAT: floats } = onnx.TensorProto.DataType;
  const value = (name: string, sides: number[]) => ({
    name,
    type: {
      tensorType: {
        elemType: floats,
        shape: { dim: [{ dimParam: "n" }, ...sides.map((dimValue) => ({ dimValue }))] },
      },
    },
  });
  const model = onnx.ModelProto.create({
    irVersion: 8,
    opsetImport: [{ domain: "", version: oldClip ? 9 : 17 }],
    graph: {
      ...{ name: "residual", node, initializer },
      input: [value("pixels", [3, SIZE, SIZE])],
      output: [value(map, [features])],
    },
  });
  return Buffer.from(onnx.ModelProto.encode(model).finish());
}

export function residualManifest(network: Buffer, tensor = "flat", length = FEATURES): BackboneManifest {
  return {
    name: "residual",
    network: "tiny.onnx",
    sha256: createHash("sha256").update(network).digest("hex"),
    licence: "MIT",
    source: "drawn by chance",
    input: {
      ...{ name: "pixels", layout: "NCHW", size: SIZE, channels: "RGB" },
      ...{ scale: 255, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
    },
    features: { tensor, length },
  };
}

export function residualBackbone(written: Written = {}): Backbone {
  const onnxFile = residualNetwork(written);
  const manifest = residualManifest(onnxFile, written.dense ? "dense" : "flat", written.features);
  return { id: `residual-${manifest.sha256.slice(0, 12)}`, manifest, onnx: onnxFile, batch: 16 };
}

/** Writes it where a command finds it. @returns the folder */
export function writeResidual(folder: string, written: Written = {}): string {
  const { onnx: content, manifest } = residualBackbone(written);
  return writeBackbone(folder, Buffer.from(content), manifest);
}

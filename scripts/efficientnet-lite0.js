/**
 * EfficientNet-Lite0 up to the mean over its last map, as ONNX: 1,280 features a picture. The classes that come after it are
 * left out.
 *
 * Layers: https://github.com/tensorflow/tpu/blob/master/models/official/efficientnet/lite/efficientnet_lite_builder.py;
 * names of the weights: https://pypi.org/project/efficientnet-lite-pytorch/0.1.0/.
 */
const { onnx } = require("onnx-proto");

const SIDE = 224;
const FEATURES = 1280;
const EPSILON = 1e-3;
/** Repeats, kernel, stride of the first, expansion, channels. */
const STAGES = [
  [1, 3, 1, 1, 16],
  [2, 3, 2, 6, 24],
  [2, 5, 2, 6, 40],
  [3, 3, 2, 6, 80],
  [3, 5, 1, 6, 112],
  [4, 5, 2, 6, 192],
  [1, 3, 1, 6, 320],
];

/**
 * @param weights gives of a name its shape and its little-endian 32-bit floats, and throws where there is none
 * @returns the same bytes for the same weights
 */
function efficientNetLite0(weights) {
  const graph = new Graph(weights);
  let side = SIDE;
  let channels = 32;
  const strided = (stride) => {
    const before = side;
    side = Math.ceil(side / stride);
    return before;
  };
  let map = graph.convolution("input", "_conv_stem", "_bn0", { kernel: 3, stride: 2, side: strided(2) });
  map = graph.relu6(map);
  let index = 0;
  for (const [repeats, kernel, first, expansion, filters] of STAGES) {
    for (let repeat = 0; repeat < repeats; repeat++) {
      const name = `_blocks.${index++}`;
      const stride = repeat === 0 ? first : 1;
      const inner = channels * expansion;
      const given = map;
      if (expansion > 1) map = graph.relu6(graph.convolution(map, `${name}._expand_conv`, `${name}._bn0`));
      const depthwise = { kernel, stride, side: strided(stride), groups: inner };
      map = graph.relu6(graph.convolution(map, `${name}._depthwise_conv`, `${name}._bn1`, depthwise));
      map = graph.convolution(map, `${name}._project_conv`, `${name}._bn2`);
      if (stride === 1 && channels === filters) map = graph.node("Add", [map, given], `${name}.sum`);
      channels = filters;
    }
  }
  map = graph.relu6(graph.convolution(map, "_conv_head", "_bn1"));
  graph.node("Flatten", [graph.node("GlobalAveragePool", [map], "mean")], "features", { axis: 1 });
  return graph.bytes();
}

class Graph {
  constructor(weights) {
    this.weights = weights;
    this.nodes = [];
    this.initializers = [];
    for (const [name, value] of [
      ["zero", 0],
      ["six", 6],
    ]) {
      const rawData = Buffer.alloc(4);
      rawData.writeFloatLE(value);
      this.initializers.push({ name, dims: [], dataType: onnx.TensorProto.DataType.FLOAT, rawData });
    }
  }

  node(operator, inputs, output, attributes = {}) {
    const { INT, INTS, FLOAT } = onnx.AttributeProto.AttributeType;
    const attribute = Object.entries(attributes).map(([name, value]) => {
      if (Array.isArray(value)) return { name, type: INTS, ints: value };
      return Number.isInteger(value) ? { name, type: INT, i: value } : { name, type: FLOAT, f: value };
    });
    this.nodes.push({ opType: operator, name: output, input: inputs, output: [output], attribute });
    return output;
  }

  /** A convolution without bias, padded as TensorFlow's SAME, and its batch normalisation. */
  convolution(input, name, normalisation, { kernel = 1, stride = 1, side = 0, groups = 1 } = {}) {
    const total = Math.max(0, (Math.ceil(side / stride) - 1) * stride + kernel - side);
    const before = kernel === 1 ? 0 : Math.floor(total / 2);
    const after = kernel === 1 ? 0 : total - before;
    const attributes = {
      kernel_shape: [kernel, kernel],
      strides: [stride, stride],
      pads: [before, before, after, after],
      group: groups,
    };
    const convolved = this.node("Conv", [input, this.weight(`${name}.weight`)], name, attributes);
    const parts = ["weight", "bias", "running_mean", "running_var"].map((part) =>
      this.weight(`${normalisation}.${part}`),
    );
    return this.node("BatchNormalization", [convolved, ...parts], normalisation, { epsilon: EPSILON });
  }

  relu6(input) {
    return this.node("Clip", [input, "zero", "six"], `${input}.relu6`);
  }

  weight(name) {
    const { shape, bytes } = this.weights(name);
    this.initializers.push({ name, dims: shape, dataType: onnx.TensorProto.DataType.FLOAT, rawData: bytes });
    return name;
  }

  bytes() {
    const value = (name, ...shape) => ({
      name,
      type: {
        tensorType: {
          elemType: onnx.TensorProto.DataType.FLOAT,
          shape: { dim: [{ dimParam: "pictures" }, ...shape.map((dimValue) => ({ dimValue }))] },
        },
      },
    });
    const model = onnx.ModelProto.create({
      irVersion: 8,
      opsetImport: [{ domain: "", version: 17 }],
      producerName: "brain-tumor-stack",
      graph: {
        name: "efficientnet-lite0",
        node: this.nodes,
        initializer: this.initializers,
        input: [value("input", 3, SIDE, SIDE)],
        output: [value("features", FEATURES)],
      },
    });
    return Buffer.from(onnx.ModelProto.encode(model).finish());
  }
}

module.exports = { FEATURES, SIDE, efficientNetLite0 };

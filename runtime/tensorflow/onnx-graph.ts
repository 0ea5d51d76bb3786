import { onnx } from "onnx-proto";

/** ONNX operators as of https://github.com/onnx/onnx/blob/v1.12.0/docs/Operators.md. */
export const OPSET = 17;
/** The format's version that came with it. */
const IR_VERSION = 8;

export type Attributes = Readonly<Record<string, number | readonly number[]>>;

/** An ONNX graph of single-precision tensors, put together node by node. The same calls give the same bytes. */
export class OnnxGraph {
  private readonly nodes: onnx.INodeProto[] = [];
  private readonly initializers: onnx.ITensorProto[] = [];

  /** @returns the name of the node's output */
  node(operator: string, inputs: readonly string[], output: string, attributes: Attributes = {}): string {
    this.nodes.push({
      opType: operator,
      name: output,
      input: [...inputs],
      output: [output],
      attribute: Object.entries(attributes).map(([name, value]) =>
        typeof value === "number"
          ? { name, type: onnx.AttributeProto.AttributeType.INT, i: value }
          : { name, type: onnx.AttributeProto.AttributeType.INTS, ints: [...value] },
      ),
    });
    return output;
  }

  /** @returns its name */
  weights(name: string, dims: readonly number[], values: ArrayLike<number>): string {
    return this.initializer(name, dims, onnx.TensorProto.DataType.FLOAT, floatsOf(values));
  }

  /**
   * Numbers that no training decides: a node and no weights, so that whoever draws other weights leaves them as they are.
   *
   * @returns its name
   */
  constant(name: string, dims: readonly number[], values: ArrayLike<number>): string {
    const t = { dims: [...dims], dataType: onnx.TensorProto.DataType.FLOAT, rawData: floatsOf(values) };
    this.nodes.push({
      ...{ opType: "Constant", name, output: [name] },
      attribute: [{ name: "value", type: onnx.AttributeProto.AttributeType.TENSOR, t }],
    });
    return name;
  }

  /** @returns the name of a list of whole numbers */
  shape(name: string, values: readonly number[]): string {
    const bytes = Buffer.alloc(values.length * 8);
    for (const [i, value] of values.entries()) bytes.writeBigInt64LE(BigInt(value), i * 8);
    return this.initializer(name, [values.length], onnx.TensorProto.DataType.INT64, bytes);
  }

  /** @param shapes of input and outputs by name; the first side, the number of views, is left open */
  bytes(name: string, input: Shapes, outputs: Shapes): Buffer {
    const model = onnx.ModelProto.create({
      irVersion: IR_VERSION,
      opsetImport: [{ domain: "", version: OPSET }],
      producerName: "brain-tumor-stack",
      graph: {
        name,
        node: this.nodes,
        initializer: this.initializers,
        input: valuesOf(input),
        output: valuesOf(outputs),
      },
    });
    return Buffer.from(onnx.ModelProto.encode(model).finish());
  }

  private initializer(name: string, dims: readonly number[], dataType: number, rawData: Buffer): string {
    this.initializers.push({ name, dims: [...dims], dataType, rawData });
    return name;
  }
}

function floatsOf(values: ArrayLike<number>): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (let i = 0; i < values.length; i++) bytes.writeFloatLE(values[i] as number, i * 4);
  return bytes;
}

type Shapes = Readonly<Record<string, readonly number[]>>;

function valuesOf(shapes: Shapes): onnx.IValueInfoProto[] {
  return Object.entries(shapes).map(([name, shape]) => ({
    name,
    type: {
      tensorType: {
        elemType: onnx.TensorProto.DataType.FLOAT,
        shape: { dim: [{ dimParam: "views" }, ...shape.map((side) => ({ dimValue: side }))] },
      },
    },
  }));
}

/** Filters from [rows, columns, channels, filters], as TensorFlow has them, to [filters, channels, rows, columns]. */
export function filtersOf(
  values: Float32Array,
  [rows = 0, columns = 0, channels = 0, filters = 0]: readonly number[],
): Float64Array {
  const places = rows * columns;
  return Float64Array.from({ length: values.length }, (_, i) => {
    const place = i % places;
    const channel = Math.floor(i / places) % channels;
    const filter = Math.floor(i / (places * channels));
    return values[(place * channels + channel) * filters + filter] as number;
  });
}

import type { InferenceSession } from "onnxruntime-node";

/** Numbers of one precision. */
export type Values = Float32Array<ArrayBuffer> | Float64Array<ArrayBuffer>;

/** Row by row. */
export interface Matrix<V extends Values = Float64Array<ArrayBuffer>> {
  readonly rows: number;
  readonly columns: number;
  readonly values: V;
}

export interface Transposed {
  readonly left?: boolean;
  readonly right?: boolean;
}

/**
 * The product of two matrices, each of them transposed or not, by the kernels of onnxruntime for this kind of processor, in
 * the precision of the given values. On one thread, so that the sums are the same however many cores there are; on another
 * kind of processor they can differ by rounding. It blocks its thread while it computes.
 *
 * @throws {RangeError} if the sides do not fit
 */
export async function multiply<V extends Values>(
  left: Matrix<V>,
  right: Matrix<V>,
  transposed: Transposed = {},
): Promise<Matrix<V>> {
  const [rows, inner] = sidesOf(left, transposed.left);
  const [other, columns] = sidesOf(right, transposed.right);
  if (inner !== other)
    throw new RangeError(`Matrices of ${rows} x ${inner} and ${other} x ${columns} cannot be multiplied.`);
  const isSingle = left.values instanceof Float32Array;
  const values = (isSingle ? new Float32Array(rows * columns) : new Float64Array(rows * columns)) as V;
  const product = { rows, columns, values };
  if (rows * inner * columns === 0) return product;
  const { Tensor } = await import("onnxruntime-node");
  const tensorOf = ({ values, rows, columns }: Matrix<V>) =>
    values instanceof Float32Array
      ? new Tensor("float32", values, [rows, columns])
      : new Tensor("float64", values, [rows, columns]);
  const session = await sessionOf(isSingle ? "float32" : "float64", transposed);
  // It writes into the array of the tensor that it is given.
  await session.run({ left: tensorOf(left), right: tensorOf(right) }, { product: tensorOf(product) });
  return product;
}

function sidesOf({ rows, columns, values }: Matrix<Values>, isTransposed = false): readonly [number, number] {
  if (values.length !== rows * columns)
    throw new RangeError(`${values.length} numbers are no matrix of ${rows} x ${columns}.`);
  return isTransposed ? [columns, rows] : [rows, columns];
}

const sessions = new Map<string, Promise<InferenceSession>>();

function sessionOf(precision: "float32" | "float64", { left = false, right = false }: Transposed) {
  const key = `${precision} ${left} ${right}`;
  const known = sessions.get(key);
  if (known) return known;
  const opening = open(precision, left, right);
  sessions.set(key, opening);
  // What failed once, for want of memory say, is tried again.
  opening.catch(() => sessions.delete(key));
  return opening;
}

/** A graph of one node. Its libraries are loaded with the first product: who multiplies nothing starts without them. */
async function open(precision: "float32" | "float64", left: boolean, right: boolean): Promise<InferenceSession> {
  const {
    default: { onnx },
  } = await import("onnx-proto");
  const { InferenceSession } = await import("onnxruntime-node");
  const elemType = onnx.TensorProto.DataType[precision === "float32" ? "FLOAT" : "DOUBLE"];
  const side = (dimParam: string) => ({ dimParam });
  const value = (name: string) => ({
    name,
    type: { tensorType: { elemType, shape: { dim: [side(`rows of ${name}`), side(`columns of ${name}`)] } } },
  });
  const flag = (name: string, i: boolean) => ({ name, type: onnx.AttributeProto.AttributeType.INT, i: Number(i) });
  const model = onnx.ModelProto.create({
    irVersion: 8,
    opsetImport: [{ domain: "", version: 17 }],
    graph: {
      name: "product",
      node: [
        {
          opType: "Gemm",
          input: ["left", "right"],
          output: ["product"],
          attribute: [flag("transA", left), flag("transB", right)],
        },
      ],
      input: [value("left"), value("right")],
      output: [value("product")],
    },
  });
  return InferenceSession.create(onnx.ModelProto.encode(model).finish(), {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    executionMode: "sequential",
  });
}

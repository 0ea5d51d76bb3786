import { InferenceSession } from "onnxruntime-node";
import { type Matrix, multiply, type Values } from "../../../runtime/platform/matrix";
import { uniform } from "../../../runtime/platform/random";

const random = uniform(12);

function drawn<V extends Values>(rows: number, columns: number, made: (length: number) => V): Matrix<V> {
  const values = made(rows * columns);
  for (let i = 0; i < values.length; i++) values[i] = random() - 0.5;
  return { rows, columns, values };
}

function turned<V extends Values>({ rows, columns, values }: Matrix<V>): Matrix<V> {
  const other = values.slice() as V;
  for (let i = 0; i < rows; i++)
    for (let k = 0; k < columns; k++) other[k * rows + i] = values[i * columns + k] as number;
  return { rows: columns, columns: rows, values: other };
}

// First: what is open already is not opened again.
it("that could not be computed once can be the next time", async () => {
  const one = drawn(2, 3, (n) => new Float64Array(n));
  const create = jest.spyOn(InferenceSession, "create").mockRejectedValueOnce(new Error("no memory"));
  await expect(multiply(one, turned(one))).rejects.toThrow("no memory");
  expect((await multiply(one, turned(one))).rows).toBe(2);
  expect(create).toHaveBeenCalledTimes(2);
  create.mockRestore();
});

describe.each([
  ["single", (length: number) => new Float32Array(length), 1e-6],
  ["double", (length: number) => new Float64Array(length), 1e-15],
] as const)("a product in %s precision", (_, made: (length: number) => Values, precision) => {
  const left = drawn(7, 1000, made);
  const right = drawn(1000, 5, made);

  it.each([
    [{}, left, right],
    [{ left: true }, turned(left), right],
    [{ right: true }, left, turned(right)],
    [{ left: true, right: true }, turned(left), turned(right)],
  ])("with %j transposed is the sums of products", async (transposed, one, other) => {
    const { rows, columns, values } = await multiply(one, other, transposed);
    expect([rows, columns, values.length]).toEqual([7, 5, 35]);
    expect(values.constructor).toBe(left.values.constructor);
    for (let i = 0; i < rows; i++)
      for (let k = 0; k < columns; k++) {
        let sum = 0;
        for (let j = 0; j < 1000; j++)
          sum += (left.values[i * 1000 + j] as number) * (right.values[j * 5 + k] as number);
        expect(Math.abs((values[i * 5 + k] as number) - sum)).toBeLessThan(20 * precision);
      }
  });

  it("of nothing is nothing", async () => {
    expect(await multiply(drawn(0, 3, made), drawn(3, 2, made))).toEqual({ rows: 0, columns: 2, values: made(0) });
    expect(await multiply(drawn(2, 0, made), drawn(0, 2, made))).toEqual({ rows: 2, columns: 2, values: made(4) });
  });
});

it("sides that do not fit are a sentence", async () => {
  const [one, other] = [drawn(2, 3, (n) => new Float64Array(n)), drawn(2, 3, (n) => new Float64Array(n))];
  await expect(multiply(one, other)).rejects.toThrow("Matrices of 2 x 3 and 2 x 3 cannot be multiplied.");
  await expect(multiply({ ...one, rows: 3 }, other)).rejects.toThrow("6 numbers are no matrix of 3 x 3.");
});

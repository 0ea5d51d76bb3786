import {
  cholesky,
  dot,
  matrixOf,
  orthonormalize,
  rowOfTriangle,
  rowsOf,
  symmetricEigen,
} from "../../../runtime/platform/linear-algebra";
import { uniform } from "../../../runtime/platform/random";

describe("linear algebra", () => {
  const random = uniform(3);
  const n = 30;
  const half = Float64Array.from({ length: n * n }, () => random() - 0.5);
  const matrix = Float64Array.from(half, (value, i) => value + (half[(i % n) * n + Math.floor(i / n)] as number));

  test("eigenvectors are orthonormal, descending, and what the matrix only stretches", () => {
    const { values, vectors } = symmetricEigen(matrix, n);
    expect([...values]).toEqual([...values].sort((a, b) => b - a));
    for (const [i, vector] of vectors.entries()) {
      for (const [j, other] of vectors.entries()) expect(dot(vector, other)).toBeCloseTo(i === j ? 1 : 0, 12);
      for (let p = 0; p < n; p++)
        expect(dot(matrix.subarray(p * n, (p + 1) * n), vector)).toBeCloseTo(
          (values[i] as number) * (vector[p] as number),
          10,
        );
    }
  });

  test("a basis leaves out what adds nothing", async () => {
    const [a, b] = [Float64Array.from([1, 2, 2]), Float64Array.from([0, 3, 4])];
    const given = [a, new Float64Array(3), b, a.map((value, i) => value - 2 * (b[i] as number))];
    const basis = rowsOf(await orthonormalize(matrixOf(given, 3)));
    expect(basis).toHaveLength(2);
    expect(dot(basis[0] as Float64Array, basis[1] as Float64Array)).toBeCloseTo(0, 15);
  });

  test.each([
    ["far from dependent, of an odd width", 1, 37],
    ["nearly dependent", 1e-3, 400],
    ["too nearly dependent for their products", 1e-9, 400],
  ])("a basis of vectors that are %s is orthonormal, and spans them", async (_, apart, width) => {
    const common = Float64Array.from({ length: width }, () => random() - 0.5);
    const vectors = Array.from({ length: 19 }, (_, i) =>
      common.map((value) => 10 ** ((i % 5) - 2) * (value + apart * (random() - 0.5))),
    );
    const basis = rowsOf(await orthonormalize(matrixOf(vectors, width)));
    expect(basis).toHaveLength(vectors.length);
    for (const [i, vector] of basis.entries())
      for (const [j, other] of basis.entries()) expect(dot(vector, other)).toBeCloseTo(i === j ? 1 : 0, 12);
    for (const vector of vectors) {
      const rest = Float64Array.from(vector);
      for (const direction of basis) {
        const along = dot(vector, direction);
        for (let j = 0; j < width; j++) rest[j] = (rest[j] as number) - along * (direction[j] as number);
      }
      expect(Math.sqrt(dot(rest, rest) / dot(vector, vector))).toBeLessThan(1e-12);
    }
  });

  test("the factor of a positive definite matrix, times itself, is the matrix", () => {
    // half' half + 1: lower triangle, row by row.
    const triangle = new Float64Array(rowOfTriangle(n));
    const entry = (row: number, column: number) => {
      let sum = row === column ? 1 : 0;
      for (let k = 0; k < n; k++) sum += (half[k * n + row] as number) * (half[k * n + column] as number);
      return sum;
    };
    for (let row = 0; row < n; row++) {
      for (let column = 0; column <= row; column++) triangle[rowOfTriangle(row) + column] = entry(row, column);
    }
    const factor = cholesky(triangle, n);
    for (let row = 0; row < n; row++) {
      for (let column = 0; column <= row; column++) {
        let product = 0;
        for (let k = 0; k <= column; k++)
          product += (factor[rowOfTriangle(row) + k] as number) * (factor[rowOfTriangle(column) + k] as number);
        expect(product).toBeCloseTo(entry(row, column), 9);
      }
    }
    expect(factor[rowOfTriangle(3)]).toBeCloseTo(entry(3, 0) / Math.sqrt(entry(0, 0)), 12);
    expect([...cholesky(Float64Array.of(0), 1)]).toEqual([1e-6]);
  });
});

/** Dense linear algebra on small matrices, and on few long rows, in double precision. */

import { type Matrix, multiply } from "./matrix";

/** Where a row begins in a lower triangle that is stored row by row; a triangle of n rows has `rowOfTriangle(n)` numbers. */
export const rowOfTriangle = (row: number): number => (row * (row + 1)) / 2;

/** Eigenvalues, descending, and the eigenvectors in the same order, one a row. */
export interface Eigen {
  readonly values: Float64Array;
  readonly vectors: readonly Float64Array[];
}

const MAX_SWEEPS = 60;
const SMALLEST_PIVOT = 1e-12;

/**
 * Eigen-decomposition of a real symmetric matrix by cyclic Jacobi rotations (Golub and Van Loan, Matrix Computations,
 * section 8.5). Meant for up to a few hundred rows: the work grows with their third power.
 *
 * @param matrix n x n, row by row
 */
export function symmetricEigen(matrix: Float64Array, n: number): Eigen {
  const a = Float64Array.from(matrix);
  const vectors = Array.from({ length: n }, (_, i) => {
    const row = new Float64Array(n);
    row[i] = 1;
    return row;
  });
  let norm = 0;
  for (const value of a) norm += value * value;
  for (let sweep = 0; sweep < MAX_SWEEPS; sweep++) {
    let off = 0;
    for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) off += 2 * at(a, p * n + q) ** 2;
    if (off <= 1e-30 * norm) break;
    for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) rotate(a, vectors, n, p, q);
  }
  const order = Array.from({ length: n }, (_, i) => i).sort((i, j) => at(a, j * n + j) - at(a, i * n + i));
  return {
    values: Float64Array.from(order, (i) => at(a, i * n + i)),
    vectors: order.map((i) => vectors[i] as Float64Array),
  };
}

/** Makes a[p][q] zero. */
function rotate(a: Float64Array, vectors: readonly Float64Array[], n: number, p: number, q: number): void {
  const apq = at(a, p * n + q);
  if (apq === 0) return;
  const theta = (at(a, q * n + q) - at(a, p * n + p)) / (2 * apq);
  const t = (theta >= 0 ? 1 : -1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
  const c = 1 / Math.sqrt(t * t + 1);
  const s = t * c;
  for (let i = 0; i < n; i++) {
    const [x, y] = [at(a, i * n + p), at(a, i * n + q)];
    a[i * n + p] = c * x - s * y;
    a[i * n + q] = s * x + c * y;
  }
  for (let i = 0; i < n; i++) {
    const [x, y] = [at(a, p * n + i), at(a, q * n + i)];
    a[p * n + i] = c * x - s * y;
    a[q * n + i] = s * x + c * y;
  }
  const [left, right] = [vectors[p] as Float64Array, vectors[q] as Float64Array];
  for (let i = 0; i < n; i++) {
    const [x, y] = [at(left, i), at(right, i)];
    left[i] = c * x - s * y;
    right[i] = s * x + c * y;
  }
}

/**
 * Rows of length one, at right angles, that span what the given ones span. Those that add nothing are left out.
 *
 * By the Cholesky factor of their products, twice (Yamamoto, Nakatsukasa, Yanagisawa and Fukaya, Roundoff error analysis of the
 * CholeskyQR2 algorithm, ETNA 44, 2015); where they are too nearly dependent for that, by {@link gramSchmidt}.
 */
export async function orthonormalize(given: Matrix): Promise<Matrix> {
  const once = await whiten(given);
  const twice = once && (await whiten(once));
  return twice ?? gramSchmidt(given);
}

/** Of a row of length one, what has to be left of it beside those before it: with less, rounding is a part of the rest. */
const INDEPENDENT = 1e-5;

/** @returns undefined where the rows are too nearly dependent */
async function whiten(given: Matrix): Promise<Matrix | undefined> {
  const count = given.rows;
  const { values: products } = await multiply(given, given, { right: true });
  const lengths = Float64Array.from({ length: count }, (_, i) => Math.sqrt(at(products, i * count + i)));
  if (lengths.some((length) => !(length > 0 && length < Number.POSITIVE_INFINITY))) return undefined;
  const triangle = new Float64Array(rowOfTriangle(count));
  for (let i = 0; i < count; i++)
    for (let k = 0; k <= i; k++)
      triangle[rowOfTriangle(i) + k] = at(products, i * count + k) / (at(lengths, i) * at(lengths, k));
  const factor = cholesky(triangle, count);
  for (let i = 0; i < count; i++) if (!(at(factor, rowOfTriangle(i) + i) > INDEPENDENT)) return undefined;
  const inverse = inverseOfTriangle(factor, count);
  const weights = new Float64Array(count * count);
  for (let i = 0; i < count; i++)
    for (let k = 0; k <= i; k++) weights[i * count + k] = at(inverse, rowOfTriangle(i) + k) / at(lengths, k);
  return multiply({ rows: count, columns: count, values: weights }, given);
}

/** Gram-Schmidt, modified; a row that loses most of its length is cleaned a second time: "twice is enough". */
function gramSchmidt({ rows, columns, values }: Matrix): Matrix {
  const basis: Float64Array[] = [];
  for (let row = 0; row < rows; row++) {
    const vector = values.slice(row * columns, (row + 1) * columns);
    const length = Math.sqrt(dot(vector, vector));
    if (length === 0) continue;
    let left = length;
    for (let pass = 0; pass < 3; pass++) {
      const before = left;
      for (const other of basis) {
        const along = dot(vector, other);
        for (let i = 0; i < columns; i++) vector[i] = at(vector, i) - along * at(other, i);
      }
      left = Math.sqrt(dot(vector, vector));
      if (left > 0.7 * before || left <= 1e-12 * length) break;
    }
    if (left <= 1e-12 * length) continue;
    for (let i = 0; i < columns; i++) vector[i] = at(vector, i) / left;
    basis.push(vector);
  }
  return matrixOf(basis, columns);
}

/** @param columns of each row, for a matrix without rows */
export function matrixOf(rows: readonly Float64Array[], columns: number): Matrix {
  const values = new Float64Array(rows.length * columns);
  for (const [i, row] of rows.entries()) values.set(row, i * columns);
  return { rows: rows.length, columns, values };
}

/** Each row of a matrix; what is written into one is written into the matrix. */
export const rowsOf = ({ rows, columns, values }: Matrix): Float64Array[] =>
  Array.from({ length: rows }, (_, i) => values.subarray(i * columns, (i + 1) * columns));

export function dot(a: Float64Array, b: Float64Array): number {
  let sum0 = 0;
  let sum1 = 0;
  let sum2 = 0;
  let sum3 = 0;
  const { length } = a;
  const whole = length - (length % 4);
  for (let i = 0; i < whole; i += 4) {
    sum0 += at(a, i) * at(b, i);
    sum1 += at(a, i + 1) * at(b, i + 1);
    sum2 += at(a, i + 2) * at(b, i + 2);
    sum3 += at(a, i + 3) * at(b, i + 3);
  }
  for (let i = whole; i < length; i++) sum0 += at(a, i) * at(b, i);
  return sum0 + sum1 + sum2 + sum3;
}

/**
 * Lower-triangular L with L L' = A, for a symmetric positive definite A; both as lower triangles, row by row. A pivot that
 * rounding has made vanish counts as the smallest one.
 */
export function cholesky(a: Float64Array, n: number): Float64Array {
  const factor = new Float64Array(a.length);
  for (let row = 0; row < n; row++) {
    const rowAt = rowOfTriangle(row);
    for (let column = 0; column <= row; column++) {
      const columnAt = rowOfTriangle(column);
      let value = at(a, rowAt + column);
      for (let k = 0; k < column; k++) value -= at(factor, rowAt + k) * at(factor, columnAt + k);
      factor[rowAt + column] =
        row === column ? Math.sqrt(Math.max(value, SMALLEST_PIVOT)) : value / at(factor, columnAt + column);
    }
  }
  return factor;
}

/** The inverse of a lower triangle, which is one too; both row by row. */
function inverseOfTriangle(factor: Float64Array, n: number): Float64Array {
  const inverse = new Float64Array(factor.length);
  for (let column = 0; column < n; column++)
    for (let row = column; row < n; row++) {
      let value = row === column ? 1 : 0;
      for (let k = column; k < row; k++)
        value -= at(factor, rowOfTriangle(row) + k) * at(inverse, rowOfTriangle(k) + column);
      inverse[rowOfTriangle(row) + column] = value / at(factor, rowOfTriangle(row) + row);
    }
  return inverse;
}

const at = (array: Float64Array, index: number): number => array[index] as number;

/** Dense linear algebra on small matrices, in double precision. */

import { rowOfTriangle } from "./dense/triangle";
import { Vectors } from "./dense/vectors";

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
 * Vectors of length one, at right angles, that span what the given ones span. Those that add nothing are left out.
 *
 * By the Cholesky factor of their products, twice (Yamamoto, Nakatsukasa, Yanagisawa and Fukaya, Roundoff error analysis of the
 * CholeskyQR2 algorithm, ETNA 44, 2015); where they are too nearly dependent for that, by {@link gramSchmidt}.
 */
export function orthonormalize(vectors: readonly Float64Array[]): Float64Array[] {
  const basis = Vectors.of(vectors);
  if (!(whiten(basis) && whiten(basis))) return gramSchmidt(vectors);
  return vectors.map((_, i) => Float64Array.from(basis.at(i)));
}

/** Of a vector of length one, what has to be left of it beside those before it: with less, rounding is a part of the rest. */
const INDEPENDENT = 1e-5;

/** @returns false where the vectors are too nearly dependent, and are left as they were */
function whiten(vectors: Vectors): boolean {
  const { count } = vectors;
  const products = vectors.products();
  const lengths = Float64Array.from({ length: count }, (_, i) => Math.sqrt(at(products, rowOfTriangle(i) + i)));
  if (lengths.some((length) => !(length > 0 && length < Number.POSITIVE_INFINITY))) return false;
  for (let i = 0; i < count; i++)
    for (let k = 0; k <= i; k++)
      products[rowOfTriangle(i) + k] = at(products, rowOfTriangle(i) + k) / (at(lengths, i) * at(lengths, k));
  const factor = cholesky(products, count);
  for (let i = 0; i < count; i++) if (!(at(factor, rowOfTriangle(i) + i) > INDEPENDENT)) return false;
  const inverse = inverseOfTriangle(factor, count);
  vectors.combine((i, k) => at(inverse, rowOfTriangle(i) + k) / at(lengths, k));
  return true;
}

/** Gram-Schmidt, modified; a vector that loses most of its length is cleaned a second time: "twice is enough". */
function gramSchmidt(vectors: readonly Float64Array[]): Float64Array[] {
  const basis: Float64Array[] = [];
  for (const given of vectors) {
    const vector = Float64Array.from(given);
    const length = Math.sqrt(dot(vector, vector));
    if (length === 0) continue;
    let left = length;
    for (let pass = 0; pass < 3; pass++) {
      const before = left;
      for (const other of basis) {
        const along = dot(vector, other);
        for (let i = 0; i < vector.length; i++) vector[i] = at(vector, i) - along * at(other, i);
      }
      left = Math.sqrt(dot(vector, vector));
      if (left > 0.7 * before || left <= 1e-12 * length) break;
    }
    if (left <= 1e-12 * length) continue;
    for (let i = 0; i < vector.length; i++) vector[i] = at(vector, i) / left;
    basis.push(vector);
  }
  return basis;
}

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

import { Layout, startKernel } from "../web-assembly";
import { KERNEL } from "./kernel.generated";
import { rowOfTriangle } from "./triangle";

interface Kernel {
  dots(vectors: number, count: number, rows: number, bytes: number, sums: number): void;
  combine(vectors: number, count: number, stride: number, weights: number, rows: number, bytes: number): void;
}

/** Rows that share one run over the vectors. */
export const TOGETHER = 8;
/** Results that share one run over the vectors. */
const COMBINED = 4;
/** Pieces of that many numbers of a few vectors stay in the cache that is nearest to a core. */
const PIECE = 1024;
const BYTES = 8;

/** Vectors of one width, side by side in the memory of a kernel that multiplies them: the same bits on every machine. */
export class Vectors {
  /** `TOGETHER` rows of `stride` numbers, one behind the other, for {@link dotsWithRows}. */
  readonly rows: Float64Array;
  /** Numbers from the beginning of one vector, or row, to that of the next: the width, made even by a zero. */
  readonly stride: number;
  private readonly values: Float64Array;
  private readonly sums: Float64Array;
  private readonly weights: Float64Array;
  private readonly results: Float64Array;
  private readonly kernel: Kernel;

  constructor(
    readonly count: number,
    readonly width: number,
  ) {
    this.stride = width + (width % 2);
    const layout = new Layout();
    const whole = TOGETHER * Math.ceil(count / TOGETHER);
    const places = [
      whole * this.stride,
      TOGETHER * this.stride,
      TOGETHER * whole,
      COMBINED * count,
      COMBINED * PIECE,
    ].map((length) => ({ length, at: layout.take(BYTES * length) }));
    const memory = layout.memory();
    const [values, rows, sums, weights, results] = places.map(
      ({ at, length }) => new Float64Array(memory.buffer, at, length),
    ) as [Float64Array, Float64Array, Float64Array, Float64Array, Float64Array];
    this.values = values;
    this.rows = rows;
    this.sums = sums;
    this.weights = weights;
    this.results = results;
    this.kernel = startKernel<Kernel>(KERNEL, { memory });
  }

  /** A copy of the given vectors. */
  static of(vectors: readonly Float64Array[]): Vectors {
    const held = new Vectors(vectors.length, vectors[0]?.length ?? 0);
    for (const [i, vector] of vectors.entries()) held.at(i).set(vector);
    return held;
  }

  /** The vector itself: what is written into it counts. */
  at(index: number): Float64Array {
    return this.values.subarray(index * this.stride, index * this.stride + this.width);
  }

  /** @returns the product of vector v and row r at v * TOGETHER + r; overwritten by the next call */
  dotsWithRows(): Float64Array {
    this.dots(this.count, this.rows.byteOffset);
    return this.sums;
  }

  /** @returns products of each vector with itself and those before it: a lower triangle, row by row */
  products(): Float64Array {
    const products = new Float64Array(rowOfTriangle(this.count));
    for (let first = 0; first < this.count; first += TOGETHER) {
      const end = Math.min(first + TOGETHER, this.count);
      this.dots(end, BYTES * first * this.stride);
      for (let row = first; row < end; row++)
        for (let column = 0; column <= row; column++)
          products[rowOfTriangle(row) + column] = this.sums[column * TOGETHER + row - first] as number;
    }
    return products;
  }

  /**
   * Puts the sum of weight(i, k) times vector k, over all k up to i, in the place of each vector i.
   * @param weight of a lower triangle
   */
  combine(weight: (i: number, k: number) => number): void {
    // From the last ones on: those before them are still what they were.
    for (let first = COMBINED * Math.floor((this.count - 1) / COMBINED); first >= 0; first -= COMBINED) {
      const end = Math.min(first + COMBINED, this.count);
      this.weights.fill(0);
      for (let i = first; i < end; i++)
        for (let k = 0; k <= i; k++) this.weights[k * COMBINED + i - first] = weight(i, k);
      for (let start = 0; start < this.stride; start += PIECE) {
        const length = Math.min(PIECE, this.stride - start);
        this.results.fill(0);
        this.kernel.combine(
          BYTES * start,
          end,
          BYTES * this.stride,
          this.weights.byteOffset,
          this.results.byteOffset,
          BYTES * length,
        );
        for (let i = first; i < end; i++)
          this.values.set(
            this.results.subarray((i - first) * length, (i - first + 1) * length),
            i * this.stride + start,
          );
      }
    }
  }

  private dots(count: number, rows: number): void {
    this.kernel.dots(0, count, rows, BYTES * this.stride, this.sums.byteOffset);
  }
}

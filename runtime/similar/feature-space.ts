import { setImmediate } from "node:timers/promises";

/** A row that lies near, by its position. */
export interface Near {
  readonly row: number;
  /** As the space's {@link Closeness} says: the more the nearer. */
  readonly similarity: number;
}

type Places = Float32Array | Float64Array;

/** What it means that two rows are near. */
export interface Closeness<P extends Places = Places> {
  /** Room for numbers that are kept. */
  readonly room: (numbers: number) => P;
  /** A row as it is kept, and compared. */
  readonly placeOf: (row: ArrayLike<number>) => Float64Array;
  /** How near one is to the row of some that begins at `at`: the more the nearer. */
  readonly between: (one: P, rows: P, at: number) => number;
}

/** Cosine of the angle between both, -1 to 1, whatever their lengths: 1 is the same direction. Takes 4 bytes a number. */
export const COSINE: Closeness<Float32Array> = {
  room: (numbers) => new Float32Array(numbers),
  placeOf: ofLengthOne,
  between: (one, rows, at) => {
    let sum = 0;
    for (let i = 0; i < one.length; i++) sum += (one[i] as number) * (rows[at + i] as number);
    return sum;
  },
};

/** The Euclidean distance, squared and negative: 0 is the same. Takes 8 bytes a number. */
export const EUCLIDEAN: Closeness<Float64Array> = {
  room: (numbers) => new Float64Array(numbers),
  placeOf: (row) => Float64Array.from(row),
  between: (one, rows, at) => {
    let sum = 0;
    for (let i = 0; i < one.length; i++) sum += ((one[i] as number) - (rows[at + i] as number)) ** 2;
    return -sum;
  },
};

/** Rows that are compared before others have their turn: some 15 ms of 128 features. */
const TURN = 20_000;

/**
 * Features of many pictures, in which the nearest to another one are found by comparing with all: exact, 13 ms for 20,000
 * rows of 128 by their cosine.
 *
 * Of the product's network on 2,846 public scans, the share of Cancer among the 20 nearest training images had the highest
 * AUC on the validation split by this, 0.985; by the Euclidean distance it was 0.984, by the same of standardised features
 * 0.985, by their cosine 0.973.
 */
export class FeatureSpace {
  private constructor(
    /** Row after row. */
    private readonly places: Places,
    /** Features of a row. */
    readonly width: number,
    private readonly closeness: Closeness,
  ) {}

  /** @throws {RangeError} if rows differ in length */
  static of<P extends Places>(
    rows: readonly ArrayLike<number>[],
    closeness: Closeness<P> = COSINE as unknown as Closeness<P>,
  ): FeatureSpace {
    const width = rows[0]?.length ?? 0;
    const odd = rows.findIndex((row) => row.length !== width);
    if (odd >= 0) throw new RangeError(`Row ${odd} has ${rows[odd]?.length} features; the first has ${width}.`);
    const places = closeness.room(rows.length * width);
    rows.forEach((row, at) => {
      places.set(closeness.placeOf(row), at * width);
    });
    return new FeatureSpace(places, width, closeness as unknown as Closeness);
  }

  /** Rows. */
  get size(): number {
    return this.width === 0 ? 0 : this.places.length / this.width;
  }

  /**
   * The nearest rows, the nearest first; of equally near ones the first.
   *
   * @param count at most so many
   * @param isAllowed whether a row may be among them
   * @throws {RangeError} if there are more features than rows have, or fewer
   */
  nearest(features: ArrayLike<number>, count: number, isAllowed: (row: number) => boolean): readonly Near[] {
    const search = this.search(features, count, isAllowed);
    for (;;) {
      const { done, value } = search.next();
      if (done) return value;
    }
  }

  /** The same; what else the process has to do goes on in between. */
  async nearestInTurns(
    features: ArrayLike<number>,
    count: number,
    isAllowed: (row: number) => boolean,
  ): Promise<readonly Near[]> {
    const search = this.search(features, count, isAllowed);
    for (;;) {
      const { done, value } = search.next();
      if (done) return value;
      await setImmediate();
    }
  }

  /** Stops after each {@link TURN}. */
  private *search(
    features: ArrayLike<number>,
    count: number,
    isAllowed: (row: number) => boolean,
  ): Generator<undefined, readonly Near[]> {
    const { width, size } = this;
    if (features.length !== width)
      throw new RangeError(`${features.length} features cannot be compared with rows of ${width}.`);
    const place = this.closeness.room(width);
    place.set(this.closeness.placeOf(features));
    const best: Near[] = [];
    for (let row = 0; row < size; row += TURN) {
      if (row > 0) yield undefined;
      this.compare(place, row, Math.min(row + TURN, size), count, isAllowed, best);
    }
    return best;
  }

  /** Puts those of some rows that are among the nearest into `best`. */
  private compare(
    place: Places,
    from: number,
    to: number,
    count: number,
    isAllowed: (row: number) => boolean,
    best: Near[],
  ): void {
    const { places, width, closeness } = this;
    let least = best[count - 1]?.similarity ?? Number.NEGATIVE_INFINITY;
    for (let row = from; row < to; row++) {
      const similarity = closeness.between(place, places, row * width);
      if (similarity <= least || !isAllowed(row)) continue;
      let rank = best.length;
      while (rank > 0 && (best[rank - 1] as Near).similarity < similarity) rank--;
      best.splice(rank, 0, { row, similarity });
      if (best.length > count) best.pop();
      least = best[count - 1]?.similarity ?? least;
    }
  }
}

/** Of length 0 where a row is nothing but zeros. */
function ofLengthOne(features: ArrayLike<number>): Float64Array {
  const values = Float64Array.from(features);
  let squares = 0;
  for (const value of values) squares += value * value;
  return squares > 0 ? values.map((value) => value / Math.sqrt(squares)) : values;
}

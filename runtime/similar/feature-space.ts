import { setImmediate } from "node:timers/promises";

/** A row that lies near, by its position. */
export interface Near {
  readonly row: number;
  /** Cosine of the angle between both, -1 to 1: 1 is the same direction. */
  readonly similarity: number;
}

/** Rows that are compared before others have their turn: some 15 ms of 128 features. */
const TURN = 20_000;

/**
 * Features of many pictures, in which the nearest to another one are found by comparing with all: exact, 13 ms for 20,000
 * rows of 128. Two rows are as near as the angle between them is small (cosine), whatever their lengths. Takes 4 bytes a
 * number.
 *
 * Of the product's network on 2,846 public scans, the share of Cancer among the 20 nearest training images had the highest
 * AUC on the validation split by this, 0.985; by the Euclidean distance it was 0.984, by the same of standardised features
 * 0.985, by their cosine 0.973.
 */
export class FeatureSpace {
  private constructor(
    /** Of length 1 each (0 where a row is nothing but zeros), one after the other. */
    private readonly places: Float32Array,
    /** Features of a row. */
    readonly width: number,
  ) {}

  /** @throws {RangeError} if rows differ in length */
  static of(rows: readonly ArrayLike<number>[]): FeatureSpace {
    const width = rows[0]?.length ?? 0;
    const odd = rows.findIndex((row) => row.length !== width);
    if (odd >= 0) throw new RangeError(`Row ${odd} has ${rows[odd]?.length} features; the first has ${width}.`);
    const places = new Float32Array(rows.length * width);
    rows.forEach((row, at) => {
      places.set(ofLengthOne(row), at * width);
    });
    return new FeatureSpace(places, width);
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
    const place = Float32Array.from(ofLengthOne(features));
    const best: Near[] = [];
    for (let row = 0; row < size; row += TURN) {
      if (row > 0) yield undefined;
      this.compare(place, row, Math.min(row + TURN, size), count, isAllowed, best);
    }
    return best;
  }

  /** Puts those of some rows that are among the nearest into `best`. */
  private compare(
    place: Float32Array,
    from: number,
    to: number,
    count: number,
    isAllowed: (row: number) => boolean,
    best: Near[],
  ): void {
    const { places, width } = this;
    let least = best[count - 1]?.similarity ?? Number.NEGATIVE_INFINITY;
    for (let row = from, at = from * width; row < to; row++) {
      let similarity = 0;
      for (let i = 0; i < width; i++, at++) similarity += (place[i] as number) * (places[at] as number);
      if (similarity <= least || !isAllowed(row)) continue;
      let rank = best.length;
      while (rank > 0 && (best[rank - 1] as Near).similarity < similarity) rank--;
      best.splice(rank, 0, { row, similarity });
      if (best.length > count) best.pop();
      least = best[count - 1]?.similarity ?? least;
    }
  }
}

function ofLengthOne(features: ArrayLike<number>): Float64Array {
  const values = Float64Array.from(features);
  let squares = 0;
  for (const value of values) squares += value * value;
  return squares > 0 ? values.map((value) => value / Math.sqrt(squares)) : values;
}

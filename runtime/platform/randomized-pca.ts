import { dot, orthonormalize, symmetricEigen } from "./linear-algebra";
import { mixSeed, normal, uniform } from "./random";

export interface PrincipalComponents {
  /** Vectors of length one, by descending variance. */
  readonly components: readonly Float64Array[];
  /** Along each of them, times (rows - 1). */
  readonly scatter: Float64Array;
  /** Runs over all rows. */
  readonly passes: number;
}

/** What one run over all rows makes of a basis. With A the rows, each less the mean: */
export interface Pass {
  /** A' A b for each vector b of the basis. */
  readonly image: readonly Float64Array[];
  /** b' A' A c for each pair of the basis: symmetric, basis x basis, row by row. */
  readonly products: Float64Array;
}

export interface SubspaceOptions {
  /** Numbers of a row. */
  readonly width: number;
  /** Dimensions that the rows can span at most. */
  readonly rank: number;
  /** Most that are wanted. */
  readonly components: number;
  readonly seed: number;
  /** The first pass makes directions out of noise; each of the others is a power iteration. */
  readonly maxPasses: number;
}

/** Directions that are followed beside those that are asked for: the last of these become exact sooner. */
const OVERSAMPLING = 10;
/** The variances have settled when none of them grew by more than this part of itself in a pass. */
const TOLERANCE = 1e-4;
/** A component with less than this part of the first one's variance is rounding, not data. */
const RANK_TOLERANCE = 1e-9;

/**
 * Randomised subspace iteration: Halko, Martinsson and Tropp, Finding structure with randomness, SIAM Review 53 (2011),
 * algorithm 4.4, with the small problem solved in the subspace after each pass (Rayleigh and Ritz), so that a pass is one
 * run over the rows and tells whether another is needed.
 *
 * Who has the rows makes the passes, in memory or stream by stream, and hands each to {@link take}.
 */
export class SubspaceIteration {
  /** Orthonormal; what the next pass is to be made with. */
  basis: readonly Float64Array[];
  private before: Float64Array | undefined;
  private passes = 0;
  private readonly wanted: number;

  constructor(private readonly options: SubspaceOptions) {
    const { width, rank, components, seed } = options;
    this.wanted = Math.min(components, rank);
    const draw = normal(uniform(mixSeed(seed, width)));
    const noise = Array.from({ length: Math.min(this.wanted + OVERSAMPLING, rank) }, () =>
      Float64Array.from({ length: width }, draw),
    );
    this.basis = orthonormalize(noise);
  }

  /**
   * @param pass made with {@link basis}
   * @returns the components, fewer than wanted where the rows span no more; undefined where another pass is needed
   */
  take({ image, products }: Pass): PrincipalComponents | undefined {
    const { basis, wanted } = this;
    const { values, vectors } = symmetricEigen(products, basis.length);
    this.passes++;
    if (this.passes < this.options.maxPasses && !settled(this.before, values, wanted)) {
      this.before = values;
      this.basis = orthonormalize(image);
      return undefined;
    }
    const kept = vectors.slice(0, wanted).filter((_, i) => at(values, i) > RANK_TOLERANCE * at(values, 0));
    return {
      components: kept.map((weights) => combine(basis, weights, this.options.width)),
      scatter: values.slice(0, kept.length),
      passes: this.passes,
    };
  }
}

/** Adds transposed(scores) x scores to the products of a {@link Pass}; scores: rows x width, row by row. */
export function addProducts(products: Float64Array, scores: ArrayLike<number>, width: number): void {
  for (let start = 0; start < scores.length; start += width)
    for (let p = 0; p < width; p++) {
      const value = scores[start + p] as number;
      for (let q = 0; q <= p; q++)
        products[p * width + q] = at(products, p * width + q) + value * (scores[start + q] as number);
    }
  for (let p = 0; p < width; p++) for (let q = 0; q < p; q++) products[q * width + p] = at(products, p * width + q);
}

/** Ritz values grow towards the variances, pass by pass. */
function settled(before: Float64Array | undefined, now: Float64Array, wanted: number): boolean {
  if (!before) return false;
  for (let i = 0; i < wanted; i++) if (at(now, i) - at(before, i) > TOLERANCE * at(now, i)) return false;
  return true;
}

function combine(basis: readonly Float64Array[], weights: Float64Array, width: number): Float64Array {
  const vector = new Float64Array(width);
  for (const [i, one] of basis.entries()) {
    const weight = at(weights, i);
    for (let j = 0; j < width; j++) vector[j] = at(vector, j) + weight * at(one, j);
  }
  const length = Math.sqrt(dot(vector, vector));
  return vector.map((value) => value / length);
}

const at = (array: Float64Array, index: number): number => array[index] as number;

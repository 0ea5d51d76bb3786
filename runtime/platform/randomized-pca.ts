import { dot, matrixOf, orthonormalize, rowsOf, symmetricEigen } from "./linear-algebra";
import { type Matrix, multiply } from "./matrix";
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
  /** A' A b for each row b of the basis. */
  readonly image: Matrix;
  /** b' A' A c for each pair of the basis: symmetric, basis x basis. */
  readonly products: Matrix;
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
  private before: Float64Array | undefined;
  private passes = 0;

  private constructor(
    private readonly options: SubspaceOptions,
    /** Rows are orthonormal; what the next pass is to be made with. */
    public basis: Matrix,
  ) {}

  static async start(options: SubspaceOptions): Promise<SubspaceIteration> {
    const { width, rank, components, seed } = options;
    const draw = normal(uniform(mixSeed(seed, width)));
    const rows = Math.min(components + OVERSAMPLING, rank);
    const noise = { rows, columns: width, values: Float64Array.from({ length: rows * width }, draw) };
    return new SubspaceIteration(options, await orthonormalize(noise));
  }

  /**
   * @param pass made with {@link basis}
   * @returns the components, fewer than wanted where the rows span no more; undefined where another pass is needed
   */
  async take({ image, products }: Pass): Promise<PrincipalComponents | undefined> {
    const { basis } = this;
    const { components, rank, maxPasses } = this.options;
    const wanted = Math.min(components, rank);
    const { values, vectors } = symmetricEigen(products.values, basis.rows);
    this.passes++;
    if (this.passes < maxPasses && !settled(this.before, values, wanted)) {
      this.before = values;
      this.basis = await orthonormalize(image);
      return undefined;
    }
    const kept = vectors.slice(0, wanted).filter((_, i) => at(values, i) > RANK_TOLERANCE * at(values, 0));
    const found = kept.length === 0 ? [] : rowsOf(await multiply(matrixOf(kept, basis.rows), basis));
    return { components: found.map(ofLengthOne), scatter: values.slice(0, kept.length), passes: this.passes };
  }
}

/** Ritz values grow towards the variances, pass by pass. */
function settled(before: Float64Array | undefined, now: Float64Array, wanted: number): boolean {
  if (!before) return false;
  for (let i = 0; i < wanted; i++) if (at(now, i) - at(before, i) > TOLERANCE * at(now, i)) return false;
  return true;
}

function ofLengthOne(vector: Float64Array): Float64Array {
  const length = Math.sqrt(dot(vector, vector));
  return vector.map((value) => value / length);
}

const at = (array: Float64Array, index: number): number => array[index] as number;

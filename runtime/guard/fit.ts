import { setImmediate } from "node:timers/promises";
import { RECIPE } from "../imaging";
import { foldsOfGroups } from "../platform/folds";
import { identityOf } from "../platform/identity";
import { cholesky } from "../platform/linear-algebra";
import { DESCRIPTOR_SIZE, describePicture } from "./descriptor";
import { distanceOf, type GuardParameters, TRIANGLE } from "./input-guard";
import { looksLikeCt, SKULL } from "./skull";

/** What decides a guard beside the scans and the descriptor; part of a model's id. */
const RULES = {
  /** Grows when the fit changes without a parameter changing. */
  version: 1,
  /** Share of real scans that a guard may refuse as unlike the others. */
  falseAlarms: 0.01,
  /**
   * Share of real scans that it would refuse by the limit for turned ones: the lower limit keeps what is near only because
   * it was turned until it fits.
   */
  turnedFalseAlarms: 0.03,
  /** By what CT is told. */
  skull: SKULL.id,
  /** Fewer scans do not say what one in a hundred looks like. */
  minimumScans: 200,
  /** Fewer groups (patients, near-duplicates) say nothing about a scan of somebody else. */
  minimumGroups: 20,
  folds: 5,
  /** Weight of the identity in the correlation matrix (Ledoit and Wolf 2004 in form): few scans, many numbers. */
  shrinkage: 0.2,
  /** Keeps a number that never varies from deciding everything. */
  smallestScale: 1e-3,
} as const;

export const GUARD_FIT = { id: identityOf("g", RULES), ...RULES } as const;

/** One scan of the training or validation split. */
export interface GuardScan {
  /** One channel of the recipe's result, 128 x 128. */
  readonly grey: Uint8Array;
  readonly group: string;
}

export interface FittedGuard {
  readonly parameters: GuardParameters;
  readonly threshold: number;
  /** The limit for what fits only when it is turned. */
  readonly turned?: number;
  /** By what it tells CT. */
  readonly skull?: string;
  /** Scans that it was fitted to. */
  readonly scans: number;
  /** Scans that it was not fitted to, because they show the skull of a CT: it will refuse the like. */
  readonly ct?: number;
  /** Share of all, CT included, that it refuses as they lie, each judged with the group it belongs to left out. */
  readonly falseAlarms: number;
}

/**
 * Fits an input guard to a hospital's own scans, tumours included, without an example of anything else.
 *
 * A scan and its mirror image are described by {@link describePicture}; the descriptor is whitened by the Cholesky factor of
 * a shrunken correlation matrix, as for Mahalanobis' distance. The threshold is the 99 % quantile of distances that were measured across groups: five times a
 * fifth of the groups is left out and measured by what the others gave, so no scan helped to judge itself or a
 * neighbour slice. What shows the skull of a CT is left out: the one public set of brain MRI has some among its scans.
 *
 * @throws {AbortError} when the signal is aborted
 * @returns undefined where there are too few scans or groups to know what one in a hundred looks like
 */
export async function fitGuard(
  given: readonly GuardScan[],
  options: { readonly signal?: AbortSignal } = {},
): Promise<FittedGuard | undefined> {
  const scans = given.filter(({ grey }) => !looksLikeCt(grey));
  const groups = scans.map(({ group }) => group);
  if (scans.length < GUARD_FIT.minimumScans || new Set(groups).size < GUARD_FIT.minimumGroups) return undefined;
  const folds = foldsOfGroups(groups, GUARD_FIT.folds);
  const described: { readonly scan: Float64Array; readonly mirrored: Float64Array }[] = [];
  for (const { grey } of scans) {
    described.push({ scan: describePicture(grey), mirrored: describePicture(mirror(grey)) });
    // Half a minute of arithmetic: an interruption gets its turn.
    if (described.length % 32 === 0) await setImmediate(undefined, { signal: options.signal });
  }
  const all = described.flatMap(({ scan, mirrored }) => [scan, mirrored]);
  const { mean, scale } = standard(all);

  const moments = Array.from({ length: GUARD_FIT.folds }, () => new Moments());
  described.forEach(({ scan, mirrored }, i) => {
    for (const descriptor of [scan, mirrored]) {
      moments[folds[i] as number]?.add(
        descriptor.map((value, k) => (value - (mean[k] as number)) / (scale[k] as number)),
      );
    }
  });
  const total = moments.reduce((sum, fold) => sum.plus(fold, 1), new Moments());
  const without = moments.map((left) => total.plus(left, -1).parameters(mean, scale));
  const distances = Float64Array.from(described, ({ scan }, i) =>
    distanceOf(without[folds[i] as number] as GuardParameters, scan),
  );
  const threshold = conformalQuantile(distances, 1 - GUARD_FIT.falseAlarms);
  const ct = given.length - scans.length;
  return {
    parameters: total.parameters(mean, scale),
    threshold,
    turned: conformalQuantile(distances, 1 - GUARD_FIT.turnedFalseAlarms),
    skull: SKULL.id,
    scans: scans.length,
    ct,
    falseAlarms: (ct + distances.filter((distance) => distance > threshold).length) / given.length,
  };
}

/** The smallest value that leaves at most the rest above it in a new sample of the same kind (Vovk et al. 2005). */
function conformalQuantile(values: Float64Array, share: number): number {
  const sorted = Float64Array.from(values).sort();
  const rank = Math.min(sorted.length, Math.ceil((sorted.length + 1) * share));
  return sorted[rank - 1] as number;
}

function mirror(grey: Uint8Array): Uint8Array {
  const side = RECIPE.side;
  return grey.map((_, at) => grey[at - (at % side) + side - 1 - (at % side)] as number);
}

function standard(descriptors: readonly Float64Array[]): { mean: Float64Array; scale: Float64Array } {
  const mean = new Float64Array(DESCRIPTOR_SIZE);
  const scale = new Float64Array(DESCRIPTOR_SIZE);
  for (const descriptor of descriptors) {
    for (let k = 0; k < DESCRIPTOR_SIZE; k++) mean[k] = (mean[k] as number) + (descriptor[k] as number);
  }
  for (let k = 0; k < DESCRIPTOR_SIZE; k++) mean[k] = (mean[k] as number) / descriptors.length;
  for (const descriptor of descriptors) {
    for (let k = 0; k < DESCRIPTOR_SIZE; k++) {
      scale[k] = (scale[k] as number) + ((descriptor[k] as number) - (mean[k] as number)) ** 2;
    }
  }
  return { mean, scale: scale.map((sum) => Math.sqrt(sum / descriptors.length) + GUARD_FIT.smallestScale) };
}

/** Sums from which mean and covariance follow, so that a fold can be taken out again. */
class Moments {
  constructor(
    private count = 0,
    private readonly sum = new Float64Array(DESCRIPTOR_SIZE),
    /** Lower triangle of the sum of outer products. */
    private readonly products = new Float64Array(TRIANGLE),
  ) {}

  add(z: Float64Array): void {
    const { sum, products } = this;
    this.count++;
    for (let row = 0, at = 0; row < DESCRIPTOR_SIZE; row++) {
      const value = z[row] as number;
      sum[row] = (sum[row] as number) + value;
      for (let column = 0; column <= row; column++, at++) {
        products[at] = (products[at] as number) + value * (z[column] as number);
      }
    }
  }

  /** With another's sums added (sign 1) or taken away (sign -1). */
  plus(other: Moments, sign: 1 | -1): Moments {
    return new Moments(
      this.count + sign * other.count,
      this.sum.map((value, i) => value + sign * (other.sum[i] as number)),
      this.products.map((value, i) => value + sign * (other.products[i] as number)),
    );
  }

  /** Mean and Cholesky factor in the units of the descriptor that was standardised by `mean` and `scale`. */
  parameters(mean: Float64Array, scale: Float64Array): GuardParameters {
    const centre = this.sum.map((value) => value / this.count);
    const covariance = new Float64Array(TRIANGLE);
    for (let row = 0, at = 0; row < DESCRIPTOR_SIZE; row++) {
      for (let column = 0; column <= row; column++, at++) {
        const raw = (this.products[at] as number) / this.count;
        const centred = raw - (centre[row] as number) * (centre[column] as number);
        covariance[at] = (1 - GUARD_FIT.shrinkage) * centred + (row === column ? GUARD_FIT.shrinkage : 0);
      }
    }
    return {
      mean: Float32Array.from(mean, (value, k) => value + (centre[k] as number) * (scale[k] as number)),
      scale: Float32Array.from(scale),
      factor: Float32Array.from(cholesky(covariance, DESCRIPTOR_SIZE)),
    };
  }
}

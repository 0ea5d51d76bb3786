import type { Label } from "../intake";
import { FeatureSpace } from "./feature-space";

/** How many neighbours may be counted: which of these is chosen on the validation split, see evaluate/neighbours.ts. */
export const NEIGHBOUR_COUNTS = [5, 10, 20, 40] as const;
/** Counted where nothing was chosen: a model without an evaluation, or without validation images. */
export const USUAL_NEIGHBOURS = 20;
/** How two pictures are compared, for a person. */
export const METRIC = "cosine of the model's own features";

/** How many of the nearest scans are called Cancer by people. */
export interface Agreement {
  readonly neighbours: number;
  readonly cancer: number;
}

/** @param nearest the nearest first */
export function agreementOf(nearest: readonly { readonly label: Label }[], neighbours: number): Agreement {
  const counted = nearest.slice(0, neighbours);
  return { neighbours: counted.length, cancer: counted.filter(({ label }) => label === "Cancer").length };
}

/** A labelled picture with a network's features. */
export interface Featured {
  readonly label: Label;
  /** Pictures of one patient, and near-duplicates, share it. */
  readonly group: string;
  readonly features: ArrayLike<number>;
}

/**
 * The share of Cancer among the nearest pictures that were learnt from, of no picture's own group.
 *
 * @returns for each of {@link NEIGHBOUR_COUNTS} a share a picture, 0 to 1; undefined where nothing was learnt from
 */
export function neighbourShares(
  set: readonly Featured[],
  learnt: readonly Featured[],
): ReadonlyMap<number, Float64Array> | undefined {
  if (learnt.length === 0) return undefined;
  const space = FeatureSpace.of(learnt.map(({ features }) => features));
  const shares = new Map(NEIGHBOUR_COUNTS.map((neighbours) => [neighbours as number, new Float64Array(set.length)]));
  set.forEach(({ features, group }, i) => {
    const nearest = space
      .nearest(features, Math.max(...NEIGHBOUR_COUNTS), (row) => learnt[row]?.group !== group)
      .map(({ row }) => learnt[row] as Featured);
    for (const [neighbours, of] of shares) {
      const { cancer, neighbours: counted } = agreementOf(nearest, neighbours);
      of[i] = counted === 0 ? 0 : cancer / counted;
    }
  });
  return shares;
}

import type { Label } from "../intake";
import type { Estimate, Metric } from "../platform/metric";
import { type Featured, METRIC, NEIGHBOUR_COUNTS, neighbourShares, USUAL_NEIGHBOURS } from "../similar";
import { aucInterval } from "./bootstrap";
import { ascending, auc } from "./metrics";

/** What the labels of the training images that a network finds most alike say of the test images. */
export interface NeighbourReport {
  /** How two images are compared. */
  readonly metric: string;
  /** Nearest training images that are counted: of the candidates the one with the highest AUC on the validation split. */
  readonly chosen: number;
  readonly candidates: readonly { readonly neighbours: number; readonly validation: Estimate }[];
  /** Training images that were compared. */
  readonly learnt: number;
  /** Of the share of Cancer among the nearest training images, on the test images. */
  readonly auc: Metric;
}

/** An image with its group, label and, where a network was asked, what that saw in it. */
interface Seen {
  readonly label: Label;
  readonly group: string;
  readonly features?: ArrayLike<number> | undefined;
}

/**
 * Measures the agreement of neighbours: test images among training images alone, as many of them as suits the validation
 * images best.
 *
 * @returns null where there is nothing to compare, or a class is missing among what was learnt from
 */
export function neighbourReport(
  { test, validation, learnt }: Readonly<Record<"test" | "validation" | "learnt", readonly Seen[]>>,
  seed: number,
): NeighbourReport | null {
  const [asked, tried, known] = [featured(test), featured(validation), featured(learnt)];
  if (!asked || !known || new Set(known.map(({ label }) => label)).size < 2) return null;
  const shares = neighbourShares(asked, known);
  if (!shares) return null;
  const onValidation = tried && neighbourShares(tried, known);
  const candidates = NEIGHBOUR_COUNTS.map((neighbours) => {
    const values = onValidation?.get(neighbours);
    const validation: Estimate =
      tried && values ? aucOf(tried, values) : { value: null, reason: "There is no validation image." };
    return { neighbours, validation };
  });
  const best = candidates.reduce((most, one) =>
    (one.validation.value ?? -1) > (most.validation.value ?? -1) ? one : most,
  );
  const chosen = best.validation.value === null ? USUAL_NEIGHBOURS : best.neighbours;
  const probabilities = shares.get(chosen) as Float64Array;
  const groups = asked.map(({ group }) => group);
  return {
    metric: METRIC,
    chosen,
    candidates,
    learnt: known.length,
    auc: aucInterval({ labels: labelsOf(asked), probabilities, groups }, { seed }),
  };
}

const labelsOf = (images: readonly Seen[]) => Uint8Array.from(images, ({ label }) => (label === "Cancer" ? 1 : 0));

function aucOf(images: readonly Featured[], probabilities: Float64Array): Estimate {
  const scores = { labels: labelsOf(images), probabilities, groups: images.map(({ group }) => group) };
  return auc(scores, ascending(probabilities));
}

/** The images, if there are any and each has its features. */
function featured(images: readonly Seen[]): readonly Featured[] | undefined {
  const known = images.flatMap(({ label, group, features }) => (features ? [{ label, group, features }] : []));
  return known.length > 0 && known.length === images.length ? known : undefined;
}

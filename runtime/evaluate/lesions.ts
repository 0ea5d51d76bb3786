import { explanationOf, type LesionTrial, pointingInSquare } from "../explain";
import { type Geometry, oneChannel } from "../imaging";
import type { Answer } from "../model";
import type { Metric } from "../platform/metric";
import { shareInterval } from "./bootstrap";

/** An outlined lesion, and where the model's map has its maximum. */
export type Lesion = LesionTrial;

/** Ends of the bins, shares of the recipe's square: a lesion of a hundredth of it has some 160 of its 16,384 pixels. */
const BIN_ENDS = [0, 0.01, 0.02, 0.04, 0.08, 1] as const;

/** Cancer images with an outline, of one size of lesion. */
export interface LesionBin {
  /** The lesion's share of the recipe's square (the head's box): from, included, to, excluded. */
  readonly from: number;
  readonly to: number;
  readonly images: number;
  readonly groups: number;
  /** How many of them the input guard refuses. */
  readonly refused: number;
  /** Share that is called Cancer; what is refused counts as missed. */
  readonly sensitivity: Metric;
  /** Of those that are called Cancer: share whose map has its maximum in the lesion, widened by three of the 128 pixels. */
  readonly pointing: Metric;
  /** Mean share of the head that the widened lesions of these cover; null without any. */
  readonly chance: number | null;
}

export interface LesionReport {
  /** All sizes together. */
  readonly all: LesionBin;
  /** By ascending size; a size without an image is left out. */
  readonly bins: readonly LesionBin[];
}

/** A Cancer image with an outlined lesion. */
export interface OutlinedImage {
  readonly group: string;
  readonly lesion: Pick<Lesion, "area"> & Partial<Lesion>;
  /** Whether the model calls it Cancer and its guard does not refuse it. */
  readonly found: boolean;
  readonly refused: boolean;
}

/** What an outline says of an answer; undefined where nothing is outlined. @param mask share of lesion, 0 to 255 */
export function lesionOf(
  { pixels, mask }: { readonly pixels: Uint8Array; readonly mask: Uint8Array | null },
  map: Answer["map"],
  geometry?: Geometry,
): Lesion | undefined {
  return mask ? pointingInSquare(oneChannel(pixels), mask, explanationOf(map, geometry).peak) : undefined;
}

/** @returns null where no Cancer image has an outline */
export function lesionReport(images: readonly OutlinedImage[], seed: number): LesionReport | null {
  if (images.length === 0) return null;
  const bins = BIN_ENDS.slice(1).map((to, i) => binOf(images, BIN_ENDS[i] as number, to, seed));
  return { all: binOf(images, 0, 1, seed), bins: bins.filter((bin) => bin.images > 0) };
}

function binOf(outlined: readonly OutlinedImage[], from: number, to: number, seed: number): LesionBin {
  const images = outlined.filter(({ lesion: { area } }) => area >= from && (area < to || to === 1));
  const found = images.filter((image) => image.found);
  const chances = found.flatMap(({ lesion }) => lesion.chance ?? []);
  const share = (of: readonly OutlinedImage[], holds: (image: OutlinedImage) => boolean, reason: string) =>
    shareInterval(
      of.map(holds),
      of.map(({ group }) => group),
      { seed, reason },
    );
  return {
    ...{ from, to, images: images.length, groups: new Set(images.map(({ group }) => group)).size },
    refused: images.filter(({ refused }) => refused).length,
    sensitivity: share(images, (image) => image.found, "There is no lesion of this size."),
    pointing: share(found, ({ lesion }) => lesion.hit === true, "No lesion of this size is found."),
    chance: chances.length > 0 ? chances.reduce((sum, one) => sum + one, 0) / chances.length : null,
  };
}

/** A size as it is written: `1 % to 2 %`. */
export function sizeInWords({ from, to }: Pick<LesionBin, "from" | "to">): string {
  const percent = (share: number) => `${Math.round(100 * share)} %`;
  if (from === 0) return `below ${percent(to)}`;
  return to === 1 ? `${percent(from)} and more` : `${percent(from)} to ${percent(to)}`;
}

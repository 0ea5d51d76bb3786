import { mixSeed, uniform } from "../platform/random";
import { MAP_SIDE } from "./architecture";
import { AUGMENTATION, augment } from "./augment";
import { LESIONS, NO_LESION, UNKNOWN_LESION } from "./lesions";
import { plantLesion } from "./planting";

/** `labels` of a row of which nobody said what it shows: its label is not taught. */
export const UNLABELLED = 2;

/** The images that batches are drawn from. Shared memory, where several threads draw. */
export interface TrainingImages {
  /** Pixels of a row and of a column. */
  readonly side: number;
  /** Grey recipe pixels of all rows, one after the other: rows x side x side, uint8. */
  readonly pixels: Uint8Array;
  /** 1 Cancer, 0 Non-Cancer, or {@link UNLABELLED}. */
  readonly labels: Uint8Array;
  /** Lesion masks after the recipe, one after the other: masks x side x side shares of lesion, 0 to 255. */
  readonly masks: Uint8Array;
  /** Number of each row's mask in {@link masks}, or `NO_LESION`, or `UNKNOWN_LESION`. */
  readonly maskOf: Int32Array;
  /** Training rows whose outlined lesion may be shown in another patient's healthy head. */
  readonly donors: Int32Array;
  /** Importance of a Non-Cancer and of a Cancer row in the loss. */
  readonly classWeights: readonly [number, number];
}

/** What a step learns from: n augmented images and what they show. */
export interface Batch {
  readonly rows: number;
  /** Pixels of a row and of a column. */
  readonly side: number;
  /** n x side x side x 3 values in [0, 1]. */
  readonly pixels: Float32Array;
  /** n times 1 Cancer or 0 Non-Cancer. */
  readonly labels: Float32Array;
  /** Importance of each label in the loss, n; 0 where there is none. */
  readonly importance: Float32Array;
  /** Share of lesion in each cell of the lesion map, n x cells x cells values in [0, 1]. */
  readonly lesions: Float32Array;
  /** Importance of each image's lesion map in the loss, n; 0 where nobody said where the lesion is. */
  readonly lesionImportance: Float32Array;
}

/**
 * Draws some rows, each augmented by its own variation of the epoch. The same rows and seed give the same bytes in any
 * thread.
 *
 * @param seed of the epoch
 */
export function drawBatch(images: TrainingImages, rows: Int32Array, seed: number): Batch {
  const { side, pixels, labels, classWeights, masks, maskOf, donors } = images;
  const area = side * side;
  const pixelsOf = (row: number) => pixels.subarray(row * area, (row + 1) * area);
  const maskAt = (at: number) => masks.subarray(at * area, (at + 1) * area);
  const lesionsOfOthers = {
    count: donors.length,
    chance: AUGMENTATION.transplantChance,
    at(number: number) {
      const row = donors[number] as number;
      return { pixels: pixelsOf(row), mask: maskAt(maskOf[row] as number) };
    },
  };
  const cells = MAP_SIDE * MAP_SIDE;
  const drawn = new Float32Array(rows.length * area * 3);
  const lesions = new Float32Array(rows.length * cells);
  const isLabelled = (row: number) => labels[row] !== UNLABELLED;
  const shown = Float32Array.from(rows, (row) => (isLabelled(row) ? (labels[row] as number) : 0));
  rows.forEach((row, i) => {
    const target = drawn.subarray(i * area * 3, (i + 1) * area * 3);
    const at = maskOf[row] as number;
    let image = pixelsOf(row);
    let mask = at < 0 ? null : maskAt(at);
    const variation = mixSeed(seed, row);
    if (at === NO_LESION && uniform(mixSeed(variation, 1))() < AUGMENTATION.lesionChance) {
      const planted = plantLesion(image, side, lesionsOfOthers, mixSeed(variation, 2));
      if (planted) {
        image = planted.pixels;
        mask = planted.mask;
        shown[i] = 1;
      }
    }
    const lesion = { mask, target: lesions.subarray(i * cells, (i + 1) * cells) };
    augment(image, target, side, variation, AUGMENTATION, lesion);
  });
  return {
    rows: rows.length,
    side,
    pixels: drawn,
    labels: shown,
    importance: shown.map((label, i) => (isLabelled(rows[i] as number) ? classWeights[label as 0 | 1] : 0)),
    lesions,
    lesionImportance: Float32Array.from(rows, (row) => (maskOf[row] === UNKNOWN_LESION ? 0 : LESIONS.weight)),
  };
}

import { applyRecipeGrey, type Geometry, type GreyImage, RECIPE } from "../imaging";

/** How far beside a lesion a maximum still counts, pixels of the original. */
export const DILATION = 5;

/** One true positive with a lesion mask. */
export interface PointingTrial {
  /** The maximum of the map lies in the dilated mask. */
  readonly hit: boolean;
  /** Share of the head that the dilated mask covers: how often a point drawn at random in the head would hit. */
  readonly chance: number;
}

/**
 * The pointing game (Zhang et al. 2016) on one scan.
 *
 * @param mask lesion pixels of the original's size, 1 inside
 * @param peak pixels of the original
 * @returns undefined where the mask is empty
 */
export function pointingTrial(
  image: GreyImage,
  geometry: Geometry,
  mask: Uint8Array,
  peak: { readonly x: number; readonly y: number },
): PointingTrial | undefined {
  const { width, height } = image;
  if (!mask.includes(1)) return undefined;
  const near = dilate(mask, width, height, DILATION);
  const head = headMask(image, geometry);
  let [inside, all] = [0, 0];
  for (let at = 0; at < head.length; at++) {
    if (!head[at]) continue;
    all++;
    if (near[at]) inside++;
  }
  return { hit: near[peak.y * width + peak.x] === 1, chance: all > 0 ? inside / all : 0 };
}

/** The same where the picture is the recipe's: how far beside a lesion a maximum still counts, its pixels. */
export const DILATION_IN_SQUARE = 3;

/** A lesion mask as the recipe leaves it, and where a map points. */
export interface LesionTrial extends PointingTrial {
  /** Share of the recipe's square that is lesion, 0 to 1, above 0. */
  readonly area: number;
}

/**
 * The pointing game in the recipe's 128 x 128 square, for whoever has no more of a scan than that.
 *
 * @param grey one channel of the recipe's result, 128 x 128
 * @param mask share of lesion in each of these pixels, 0 to 255
 * @param peak pixels of the square, centre of the first one at 0.5
 * @returns undefined where the mask is empty
 */
export function pointingInSquare(
  grey: Uint8Array,
  mask: Uint8Array,
  peak: { readonly x: number; readonly y: number },
): LesionTrial | undefined {
  const { side } = RECIPE;
  let [sum, most] = [0, 0];
  for (const share of mask) {
    sum += share;
    most = Math.max(most, share);
  }
  if (sum === 0) return undefined;
  // What is lesion by half; of a lesion that fills half of no pixel, what is by half of the most.
  const least = Math.min(128, Math.max(1, most / 2));
  const inside = mask.map((share) => (share >= least ? 1 : 0));
  const near = dilate(inside, side, side, DILATION_IN_SQUARE);
  const head = filledRows(side, side, (x, y) => (grey[y * side + x] as number) > 255 * RECIPE.foreground);
  let [covered, all] = [0, 0];
  for (let at = 0; at < head.length; at++) {
    if (!head[at]) continue;
    all++;
    if (near[at]) covered++;
  }
  return {
    area: sum / (255 * mask.length),
    hit: near[Math.floor(peak.y) * side + Math.floor(peak.x)] === 1,
    chance: all > 0 ? covered / all : 0,
  };
}

/** From the first to the last pixel of each row that is foreground. */
function filledRows(width: number, height: number, isForeground: (x: number, y: number) => boolean): Uint8Array {
  const filled = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    let [first, last] = [-1, -1];
    for (let x = 0; x < width; x++) {
      if (!isForeground(x, y)) continue;
      if (first < 0) first = x;
      last = x;
    }
    if (first >= 0) filled.fill(1, y * width + first, y * width + last + 1);
  }
  return filled;
}

/** Pixels within a distance of a set pixel, round. */
export function dilate(mask: Uint8Array, width: number, height: number, radius: number): Uint8Array {
  const reaches = Array.from({ length: 2 * radius + 1 }, (_, i) =>
    Math.floor(Math.sqrt(radius ** 2 - (i - radius) ** 2)),
  );
  const wide = new Uint8Array(mask.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (!mask[y * width + x]) continue;
      for (let dy = -radius; dy <= radius; dy++) {
        const row = y + dy;
        if (row < 0 || row >= height) continue;
        const reach = reaches[dy + radius] as number;
        wide.fill(1, row * width + Math.max(0, x - reach), row * width + Math.min(width - 1, x + reach) + 1);
      }
    }
  }
  return wide;
}

/** The page's foreground by the recipe's window, its holes filled along each row. */
function headMask(image: GreyImage, geometry: Geometry): Uint8Array {
  const { grey } = applyRecipeGrey(image);
  const limit = 255 * RECIPE.foreground;
  const { left, top, padLeft, padTop } = geometry;
  const fitted = { width: RECIPE.side - 2 * padLeft, height: RECIPE.side - 2 * padTop };
  return filledRows(image.width, image.height, (x, y) => {
    if (x < left || x >= left + geometry.width || y < top || y >= top + geometry.height) return false;
    const u = Math.floor(padLeft + ((x + 0.5 - left) / geometry.width) * fitted.width);
    const v = Math.floor(padTop + ((y + 0.5 - top) / geometry.height) * fitted.height);
    return (grey[v * RECIPE.side + u] as number) > limit;
  });
}

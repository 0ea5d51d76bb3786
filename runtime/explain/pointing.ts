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
  const head = new Uint8Array(image.width * image.height);
  const limit = 255 * RECIPE.foreground;
  const fitted = { width: RECIPE.side - 2 * geometry.padLeft, height: RECIPE.side - 2 * geometry.padTop };
  for (let y = geometry.top; y < geometry.top + geometry.height; y++) {
    const v = Math.floor(geometry.padTop + ((y + 0.5 - geometry.top) / geometry.height) * fitted.height);
    let [first, last] = [-1, -1];
    for (let x = geometry.left; x < geometry.left + geometry.width; x++) {
      const u = Math.floor(geometry.padLeft + ((x + 0.5 - geometry.left) / geometry.width) * fitted.width);
      if ((grey[v * RECIPE.side + u] as number) <= limit) continue;
      if (first < 0) first = x;
      last = x;
    }
    if (first >= 0) head.fill(1, y * image.width + first, y * image.width + last + 1);
  }
  return head;
}

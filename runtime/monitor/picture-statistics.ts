import { type Geometry, RECIPE } from "../imaging";

/** What is measured of every picture as the model is shown it, in this order. Each has one number a picture. */
export const PICTURE_STATISTICS = [
  "brightness",
  "contrast",
  "noise",
  "sharpness",
  "foreground",
  "background",
  "scale",
] as const;
export type PictureStatistic = (typeof PICTURE_STATISTICS)[number];

const { side: SIDE } = RECIPE;
/** Grey value from which a pixel of the recipe's picture counts as head: the recipe's own share of the range. */
const FOREGROUND = Math.round(255 * RECIPE.foreground);
/** How far apart the pixels lie whose differences are compared with those of neighbours. */
const LAG = 4;

/**
 * Numbers that say how a picture was made rather than what it shows.
 *
 * - `brightness`, `contrast`: mean and standard deviation of the head's grey values, 0 to 255
 * - `noise`: standard deviation of the noise by Immerkaer's (1996) operator over the head, grey values
 * - `sharpness`: mean difference of neighbours over that of pixels four apart, 0 to about 1: low where it is blurred
 * - `foreground`: share of the fitted box that is head, 0 to 1
 * - `background`: mean grey value of the rest of the box
 * - `scale`: log2 of the original's pixels to one of the recipe's
 *
 * @param grey one channel of the recipe's output, 128 x 128 bytes
 */
export function pictureStatistics(
  grey: Uint8Array,
  { scale, padLeft, padTop }: Pick<Geometry, "scale" | "padLeft" | "padTop">,
): Readonly<Record<PictureStatistic, number>> {
  let [head, sum, squares, rest, restSum] = [0, 0, 0, 0, 0];
  let [operated, noise, near, far] = [0, 0, 0, 0];
  const value = (x: number, y: number) => grey[y * SIDE + x] as number;
  for (let y = padTop; y < SIDE - padTop; y++)
    for (let x = padLeft; x < SIDE - padLeft; x++) {
      const v = value(x, y);
      if (v < FOREGROUND) {
        rest++;
        restSum += v;
        continue;
      }
      head++;
      sum += v;
      squares += v * v;
      if (x < LAG || y < LAG || x >= SIDE - LAG || y >= SIDE - LAG) continue;
      operated++;
      noise += Math.abs(
        value(x - 1, y - 1) +
          value(x + 1, y - 1) +
          value(x - 1, y + 1) +
          value(x + 1, y + 1) -
          2 * (value(x, y - 1) + value(x, y + 1) + value(x - 1, y) + value(x + 1, y)) +
          4 * v,
      );
      near += Math.abs(v - value(x - 1, y)) + Math.abs(v - value(x, y - 1));
      far += Math.abs(v - value(x - LAG, y)) + Math.abs(v - value(x, y - LAG));
    }
  const mean = head === 0 ? 0 : sum / head;
  return {
    brightness: mean,
    contrast: head === 0 ? 0 : Math.sqrt(Math.max(0, squares / head - mean * mean)),
    noise: operated === 0 ? 0 : (Math.sqrt(Math.PI / 2) * noise) / (6 * operated),
    sharpness: far === 0 ? 0 : near / far,
    foreground: head / Math.max(1, head + rest),
    background: rest === 0 ? 0 : restSum / rest,
    scale: Math.log2(scale),
  };
}

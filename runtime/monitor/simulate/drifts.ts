import type { GreyImage } from "../../imaging";
import { mixSeed, normal, uniform } from "../../platform/random";

/** What may happen to pictures before the recipe sees them. */
export const PICTURE_DRIFTS = ["contrast", "noise", "resolution", "scanner"] as const;
export type PictureDrift = (typeof PICTURE_DRIFTS)[number];

/** Strengths that are tried, the weakest first. */
export const STRENGTHS = [1, 2, 3, 4, 5, 6, 8, 10, 14, 20] as const;

/**
 * A page as a changed scanner would have given it.
 *
 * - `contrast`: another tone curve: grey values to the power of 1 + .25 s
 * - `noise`: of a magnitude image (Gudbjartsson and Patz 1995): s times 2 % of the brightest value in each channel
 * - `resolution`: longest side of 224 / (s + 1) pixels, magnified again to the size of before
 * - `scanner`: uneven coil, another tone curve, noise and resolution, each weaker
 *
 * @param strength above 0; 1 is hardly seen
 * @param seed decides the noise
 */
export function drifted(image: GreyImage, drift: PictureDrift, strength: number, seed: number): GreyImage {
  const grey = Float64Array.from(image.pixels);
  const highest = grey.reduce((most, v) => Math.max(most, v), 1);
  for (let i = 0; i < grey.length; i++) grey[i] = (grey[i] as number) / highest;
  const { width, height } = image;
  switch (drift) {
    case "contrast":
      tone(grey, 1 + 0.25 * strength);
      break;
    case "noise":
      addNoise(grey, 0.02 * strength, seed);
      break;
    case "resolution":
      coarsen(grey, width, height, 224 / (strength + 1));
      break;
    case "scanner":
      shade(grey, width, height, 0.1 * strength);
      tone(grey, 1 + 0.1 * strength);
      coarsen(grey, width, height, 224 / (0.4 * strength + 1));
      addNoise(grey, 0.008 * strength, seed);
  }
  const most = image.depth === 8 ? 255 : 65_535;
  const level = (v: number) => Math.round(Math.min(most, Math.max(0, v * highest)));
  if (image.depth === 8) return { width, height, depth: 8, pixels: Uint8Array.from(grey, level) };
  return { width, height, depth: 16, pixels: Uint16Array.from(grey, level) };
}

function tone(grey: Float64Array, exponent: number): void {
  for (let i = 0; i < grey.length; i++) grey[i] = (grey[i] as number) ** exponent;
}

function addNoise(grey: Float64Array, deviation: number, seed: number): void {
  const draw = normal(uniform(mixSeed(seed, 0x6e6f6973)));
  for (let i = 0; i < grey.length; i++)
    grey[i] = Math.hypot((grey[i] as number) + deviation * draw(), deviation * draw());
}

/** Means over cells, then bilinear between their centres. */
function coarsen(grey: Float64Array, width: number, height: number, longest: number): void {
  const cell = Math.max(1, Math.max(width, height) / longest);
  if (cell === 1) return;
  const [columns, rows] = [Math.max(1, Math.round(width / cell)), Math.max(1, Math.round(height / cell))];
  const sums = new Float64Array(columns * rows);
  const counts = new Float64Array(columns * rows);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const at = Math.floor((y * rows) / height) * columns + Math.floor((x * columns) / width);
      sums[at] = (sums[at] as number) + (grey[y * width + x] as number);
      counts[at] = (counts[at] as number) + 1;
    }
  const mean = (x: number, y: number) => {
    const at = Math.min(rows - 1, Math.max(0, y)) * columns + Math.min(columns - 1, Math.max(0, x));
    return (sums[at] as number) / Math.max(1, counts[at] as number);
  };
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const [u, v] = [((x + 0.5) * columns) / width - 0.5, ((y + 0.5) * rows) / height - 0.5];
      const [left, top] = [Math.floor(u), Math.floor(v)];
      const [across, down] = [u - left, v - top];
      grey[y * width + x] =
        (1 - down) * ((1 - across) * mean(left, top) + across * mean(left + 1, top)) +
        down * ((1 - across) * mean(left, top + 1) + across * mean(left + 1, top + 1));
    }
}

/** A receive coil at one side: brighter there, darker on the other. */
function shade(grey: Float64Array, width: number, height: number, amount: number): void {
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const at = y * width + x;
      grey[at] =
        (grey[at] as number) * Math.exp(amount * ((2 * x) / width - 1) * 0.7 - amount * ((2 * y) / height) * 0.5);
    }
}

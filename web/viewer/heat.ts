import { INFERNO } from "../../runtime/explain/colormap";
import type { SaliencyMap } from "../../runtime/serve/schemas";

/** Longest side of the picture of a map, pixels; it is smooth, and the canvas enlarges it smoothly. */
const LONGEST = 384;
/** Over how much of the foreground's shorter side the map fades at the foreground's edge. */
const FADE = 0.08;

/**
 * The evidence for Cancer as a picture of the page's shape that lies over the page: colour by strength, and as opaque as
 * the evidence is strong. The strongest place of the scan is 1; what speaks against Cancer is not drawn. Towards the edge
 * of what the model was shown it fades, because there the map ends and the evidence need not.
 */
export function heatOf(map: SaliencyMap): ImageData {
  const scale = Math.min(1, LONGEST / Math.max(map.width, map.height));
  const [width, height] = [map.width, map.height].map((side) => Math.max(1, Math.round(side * scale))) as [
    number,
    number,
  ];
  const image = new ImageData(width, height);
  const strongest = Math.max(0, ...map.values);
  if (strongest === 0) return image;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [px, py] = [((x + 0.5) * map.width) / width, ((y + 0.5) * map.height) / height];
      const faded = fadeAt(map.foreground, px, py);
      if (faded === 0) continue;
      const evidence = Math.min(1, Math.max(0, valueAt(map, px, py) / strongest));
      const colour = 3 * Math.round(255 * evidence);
      image.data.set(
        [INFERNO[colour] as number, INFERNO[colour + 1] as number, INFERNO[colour + 2] as number],
        4 * (y * width + x),
      );
      image.data[4 * (y * width + x) + 3] = Math.round(255 * evidence * faded);
    }
  }
  return image;
}

/** 1 inside the foreground, 0 at its edge and outside, smooth between. */
export function fadeAt({ x, y, width, height }: SaliencyMap["foreground"], px: number, py: number): number {
  const inside = Math.min(px - x, x + width - px, py - y, y + height - py);
  const t = Math.min(1, Math.max(0, inside / (FADE * Math.min(width, height))));
  return t * t * (3 - 2 * t);
}

/** Bilinear between the centres of the map's cells. */
function valueAt({ values, rows, columns, square }: SaliencyMap, px: number, py: number): number {
  const clip = (value: number, most: number) => Math.min(most, Math.max(0, value));
  const u = clip(((px - square.x) / square.side) * columns - 0.5, columns - 1);
  const v = clip(((py - square.y) / square.side) * rows - 0.5, rows - 1);
  const [left, top] = [Math.floor(u), Math.floor(v)];
  const [right, bottom] = [Math.min(columns - 1, left + 1), Math.min(rows - 1, top + 1)];
  const at = (row: number, column: number) => values[row * columns + column] as number;
  const above = at(top, left) + (at(top, right) - at(top, left)) * (u - left);
  const below = at(bottom, left) + (at(bottom, right) - at(bottom, left)) * (u - left);
  return above + (below - above) * (v - top);
}

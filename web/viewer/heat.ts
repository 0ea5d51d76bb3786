import { INFERNO } from "../../runtime/explain/colormap";
import { fading } from "../../runtime/explain/fade";
import type { SaliencyMap } from "../../runtime/serve/schemas";

/** Longest side of the picture of a map, pixels; it is smooth, and the canvas enlarges it smoothly. */
const LONGEST = 384;

/**
 * The evidence for Cancer as a picture of the page's shape that lies over the page: colour by strength, and as opaque as
 * the evidence is strong. The strongest place of the scan is 1; what speaks against Cancer is not drawn. It fades as the
 * server's overlay does.
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
  const { x: left, y: top, ...size } = map.foreground;
  const fadedAt = fading({ left, top, ...size, page: map });
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [px, py] = [((x + 0.5) * map.width) / width, ((y + 0.5) * map.height) / height];
      const faded = fadedAt(px, py);
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

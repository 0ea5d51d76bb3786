import type { GreyImage } from "../../imaging";

/** Pixels of a picture. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** What belongs together of the places that look like text, in pixels of the picture as the network is shown it. */
export interface Region extends Box {
  /** How many of them look like text. */
  readonly pixels: number;
}

/** Pixels at the network's scale by which a box is larger than its region, beside once its thickness: the network marks the middle of letters. */
const MARGIN = 4;

/** What a region stands for, in pixels of the picture that was scaled; margins included. */
export function boxOf(region: Region, { width, height }: Pick<GreyImage, "width" | "height">, scale: number): Box {
  const margin = MARGIN + Math.min(region.width, region.height);
  const left = Math.max(0, Math.floor((region.left - margin) / scale));
  const top = Math.max(0, Math.floor((region.top - margin) / scale));
  const right = Math.min(width, Math.ceil((region.left + region.width + margin) / scale));
  const bottom = Math.min(height, Math.ceil((region.top + region.height + margin) / scale));
  return { left, top, width: right - left, height: bottom - top };
}

/** A part of a picture as the network takes it. */
export type Tile = Box;

/** Sides of a network's input are multiples of it. */
export const STRIDE = 32;
/** Longest side of a tile, pixels; neighbours overlap, so that a word is whole in one of them. */
const LONGEST = 736;
const OVERLAP = 160;

/** Parts of a picture that together are the whole. */
export function tilesOf(width: number, height: number): Tile[] {
  const starts = (length: number) => {
    const found = [0];
    while ((found.at(-1) as number) + LONGEST < length) found.push((found.at(-1) as number) + LONGEST - OVERLAP);
    return found;
  };
  return starts(height).flatMap((top) =>
    starts(width).map((left) => ({
      left,
      top,
      width: Math.min(LONGEST, width - left),
      height: Math.min(LONGEST, height - top),
    })),
  );
}

/** Shares of a picture's pixels that may be darker than black and brighter than white. */
const DARKER = 0.01;
const BRIGHTER = 0.005;

/** One byte a pixel, so that text drawn with the highest value stands out of what was measured. */
export function shownBytes({ pixels }: GreyImage): Uint8Array {
  const counts = new Uint32Array(65_536);
  for (const value of pixels) counts[value] = (counts[value] as number) + 1;
  const reach = (share: number) => {
    let seen = 0;
    return counts.findIndex((count) => {
      seen += count;
      return seen > share * pixels.length;
    });
  };
  const low = reach(DARKER);
  const high = Math.max(low + 1, reach(1 - BRIGHTER));
  return Uint8Array.from(pixels, (value) => 255 * Math.min(1, Math.max(0, (value - low) / (high - low))) + 0.5);
}

const MEAN = [0.485, 0.456, 0.406] as const;
const DEVIATION = [0.229, 0.224, 0.225] as const;

/** A tile as three planes, padded with black to multiples of {@link STRIDE}. @param bytes of a picture of some width */
export function planesOf(
  bytes: Uint8Array,
  width: number,
  tile: Tile,
): { readonly values: Float32Array; readonly width: number; readonly height: number } {
  const padded = (side: number) => Math.ceil(side / STRIDE) * STRIDE;
  const [wide, tall] = [padded(tile.width), padded(tile.height)];
  const values = new Float32Array(3 * wide * tall);
  for (let channel = 0; channel < 3; channel++) {
    const [mean, deviation] = [MEAN[channel] as number, DEVIATION[channel] as number];
    const plane = values.subarray(channel * wide * tall, (channel + 1) * wide * tall).fill(-mean / deviation);
    for (let y = 0; y < tile.height; y++)
      for (let x = 0; x < tile.width; x++) {
        const value = (bytes[(tile.top + y) * width + tile.left + x] as number) / 255;
        plane[y * wide + x] = (value - mean) / deviation;
      }
  }
  return { values, width: wide, height: tall };
}

/**
 * Pixels above a level that touch each other, side by side.
 *
 * @param map how much each pixel looks like text, row by row
 */
export function regionsOf(
  map: Float32Array,
  width: number,
  { left, top }: Pick<Tile, "left" | "top">,
  level: number,
): Region[] {
  const seen = new Uint8Array(map.length);
  const found: Region[] = [];
  const stack: number[] = [];
  for (let start = 0; start < map.length; start++) {
    if (seen[start] || (map[start] as number) <= level) continue;
    let [x0, x1, y0, y1, pixels] = [width, 0, map.length, 0, 0];
    seen[start] = 1;
    stack.push(start);
    for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
      const [x, y] = [at % width, Math.floor(at / width)];
      [x0, x1, y0, y1] = [Math.min(x0, x), Math.max(x1, x), Math.min(y0, y), Math.max(y1, y)];
      pixels++;
      for (const next of [x > 0 ? at - 1 : -1, x < width - 1 ? at + 1 : -1, at - width, at + width]) {
        if (next < 0 || next >= map.length || seen[next] || (map[next] as number) <= level) continue;
        seen[next] = 1;
        stack.push(next);
      }
    }
    found.push({ left: left + x0, top: top + y0, width: x1 - x0 + 1, height: y1 - y0 + 1, pixels });
  }
  return found;
}

import { uniform } from "../../platform/random";
import { bilinear } from "../bilinear";
import type { PlantedLesion } from "./draw-lesion";
import { headOf, medianOf, windowMeans } from "./head";

/** How lesions of other patients are planted. */
export const TRANSPLANTED = {
  /** Half the side of the neighbourhood that must be head around a place where a lesion may lie, pixels, and how much of it. */
  around: 8,
  inside: 0.9,
  /** Share of a lesion that may lie where it would not have been put. */
  outside: 0.15,
  /** Pixels that a lesion keeps at least after it was moved. */
  smallest: 25,
  scale: [0.6, 1.3],
  mirrorChance: 0.5,
  /** By what the difference between lesion and tissue is multiplied, and how often its sign turns. */
  contrast: [0.7, 1.8],
  darkChance: 0.2,
  /** Times that the edges are softened, and the chance of the first. */
  softened: [1, 2],
  firstChance: 0.5,
  /** Width of the band of tissue around a lesion that it is compared with, pixels, and how many of these are enough. */
  band: 5,
  enough: 20,
  /** Share of lesion above which a pixel is lesion, 0 to 255. */
  half: 127,
  /** Mean change, 0 to 255, below which a lesion cannot be seen. */
  visible: 15,
} as const;

/** A scan with a lesion that somebody outlined. */
export interface Donor {
  /** side x side grey values. */
  readonly pixels: Uint8Array;
  /** Shares of lesion, side x side, 0 to 255. */
  readonly mask: Uint8Array;
}

/**
 * Puts an outlined lesion of another patient into a healthy head: turned, mirrored, larger or smaller, with softened
 * edges, as much brighter (or darker) than the tissue around it as it was at home, times a factor. Its texture and shape
 * are those of a real lesion, which a drawn one lacks (after Ghiasi et al. 2021, Simple Copy-Paste,
 * https://arxiv.org/abs/2012.07177).
 *
 * @param pixels of the healthy head, side x side grey values; they stay as they are
 * @param seed the same seed gives the same result
 * @returns undefined where the lesion finds no place, or cannot be seen there
 */
export function transplantLesion(
  pixels: Uint8Array,
  donor: Donor,
  side: number,
  seed: number,
): PlantedLesion | undefined {
  const random = uniform(seed);
  const between = (low: number, high: number) => low + (high - low) * random();
  const head = headOf(pixels, side);
  const inside = windowMeans(head, side, TRANSPLANTED.around);
  const places = [...inside.keys()].filter((i) => (inside[i] as number) > TRANSPLANTED.inside);
  if (places.length === 0) return undefined;
  const place = places[Math.floor(random() * places.length)] as number;

  const centre = centroid(donor.mask, side);
  const scale = between(...TRANSPLANTED.scale);
  const angle = 2 * Math.PI * random();
  const mirror = random() < TRANSPLANTED.mirrorChance ? -1 : 1;
  const [cosine, sine] = [Math.cos(angle) / scale, Math.sin(angle) / scale];
  /** A plane of the donor as it lies over the healthy head. */
  const moved = (plane: Uint8Array) =>
    Uint8Array.from(plane, (_, i) => {
      const [dx, dy] = [(i % side) - (place % side), Math.floor(i / side) - Math.floor(place / side)];
      const [x, y] = [centre.x + mirror * (cosine * dx - sine * dy), centre.y + sine * dx + cosine * dy];
      return bilinear(plane, side, x, y);
    });
  const mask = moved(donor.mask);
  let [size, outside] = [0, 0];
  mask.forEach((share, i) => {
    size += share / 255;
    if ((inside[i] as number) <= TRANSPLANTED.inside) outside += share / 255;
  });
  if (size < TRANSPLANTED.smallest || outside > TRANSPLANTED.outside * size) return undefined;

  const at = (i: number) => (mask[i] as number) > TRANSPLANTED.half;
  const contrast = between(...TRANSPLANTED.contrast) * (random() < TRANSPLANTED.darkChance ? -1 : 1);
  const softness = TRANSPLANTED.softened[random() < TRANSPLANTED.firstChance ? 0 : 1];
  const tissue = tissueAround(mask, pixels, head, side);
  const home = tissueAround(donor.mask, donor.pixels, headOf(donor.pixels, side), side);
  const opacity = soften(mask, side, softness);
  const lesion = moved(donor.pixels);
  const planted = pixels.map((own, i) => {
    const share = head[i] ? (opacity[i] as number) / 255 : 0;
    const foreign = tissue + contrast * ((lesion[i] as number) - home);
    return Math.round(Math.max(0, Math.min(255, own * (1 - share) + foreign * share)));
  });
  let [change, pixelsOfLesion] = [0, 0];
  planted.forEach((value, i) => {
    if (!at(i)) return;
    change += value - (pixels[i] as number);
    pixelsOfLesion++;
  });
  if (pixelsOfLesion === 0 || Math.abs(change / pixelsOfLesion) < TRANSPLANTED.visible) return undefined;
  return { pixels: planted, mask: Uint8Array.from(mask, (_, i) => (at(i) ? 255 : 0)) };
}

function centroid(mask: Uint8Array, side: number): { readonly x: number; readonly y: number } {
  let [x, y, sum] = [0, 0, 0];
  mask.forEach((share, i) => {
    x += share * (i % side);
    y += share * Math.floor(i / side);
    sum += share;
  });
  return { x: x / sum, y: y / sum };
}

/** Median grey of the head in a band around a lesion; of the whole head where the band is nearly empty. */
function tissueAround(mask: Uint8Array, pixels: Uint8Array, head: Uint8Array, side: number): number {
  const lesion = Float32Array.from(mask, (share) => (share > TRANSPLANTED.half ? 1 : 0));
  const near = windowMeans(lesion, side, TRANSPLANTED.band);
  const band = (i: number) => (near[i] as number) > 0 && lesion[i] === 0 && head[i] === 1;
  const enough = near.reduce((count, _, i) => count + (band(i) ? 1 : 0), 0) > TRANSPLANTED.enough;
  return medianOf(pixels, enough ? band : (i) => head[i] === 1);
}

/** A mask a pixel wider, its edges softened as often as asked. */
function soften(mask: Uint8Array, side: number, times: number): Float32Array {
  let soft: Float32Array = Float32Array.from(mask, (_, i) => {
    const [x, y] = [i % side, Math.floor(i / side)];
    let most = 0;
    for (let v = Math.max(0, y - 1); v <= Math.min(side - 1, y + 1); v++) {
      for (let u = Math.max(0, x - 1); u <= Math.min(side - 1, x + 1); u++) {
        most = Math.max(most, mask[v * side + u] as number);
      }
    }
    return most;
  });
  for (let time = 0; time < times; time++) soft = windowMeans(soft, side, 1);
  return soft;
}

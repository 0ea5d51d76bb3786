import { normal, uniform } from "../../platform/random";
import { headOf, medianOf, windowMeans } from "./head";

/** Half the side of the neighbourhood that must be head around a lesion, pixels. */
const AROUND = 10;
/** Share of the wide neighbourhood that must be head. */
const INSIDE = 0.97;
/** Places that are tried. A head with few places inside may go without a lesion. */
const TRIES = 50;
/** Radius of a lesion, pixels. */
const RADIUS = [4, 16] as const;

/** Half the side of the neighbourhood whose median is the tissue that a lesion differs from, pixels. */
const TISSUE = 20;

export interface PlantedLesion {
  /** The image with the lesion, side x side grey values. */
  readonly pixels: Uint8Array;
  /** 255 where the lesion is, side x side. */
  readonly mask: Uint8Array;
}

/**
 * Draws a lesion into a healthy head: a lobed blob that is brighter or darker than its surroundings or a bright ring
 * around a core, sometimes with oedema around it.
 *
 * In public data the tumours of one kind of scan come from one place and the healthy heads from another, so a network
 * learns the place. Here the same head is shown with and without a lesion, and the lesion is all that differs. The idea
 * is that of CutPaste (Li et al. 2021, https://arxiv.org/abs/2104.04015) and of synthetic tumours for segmentation (Hu
 * et al. 2023, https://arxiv.org/abs/2303.10869).
 *
 * @param pixels side x side grey values, uint8; they stay as they are
 * @param seed the same seed gives the same lesion
 * @returns undefined where there is no head to plant it in
 */
export function drawLesion(pixels: Uint8Array, side: number, seed: number): PlantedLesion | undefined {
  const random = uniform(seed);
  const between = (low: number, high: number) => low + (high - low) * random();
  const head = headOf(pixels, side);
  const around = windowMeans(head, side, AROUND);
  let place: number | undefined;
  for (let tries = 0; tries < TRIES && place === undefined; tries++) {
    const candidate = Math.floor(random() * around.length);
    if ((around[candidate] as number) > INSIDE) place = candidate;
  }
  if (place === undefined) return undefined;
  const [centreX, centreY] = [place % side, Math.floor(place / side)];
  const outline = drawOutline(random, between(...RADIUS));
  const tissue = medianOf(pixels, (i) => near(i % side, centreX) && near(Math.floor(i / side), centreY)) / 255;
  const softness = between(0.5, 2);
  const opacity = between(0.8, 1);
  const look = random();
  const ring = look >= 0.65;
  const level = look >= 0.5 && !ring ? tissue - between(0.18, 0.35) : tissue + between(0.2, 0.52);
  const [coreSize, coreLevel] = [between(0.4, 0.75), tissue + between(-0.25, 0.05)];
  const texture = coarseNoise(random, side, between(0.01, 0.06));
  const [oedemaSize, oedemaLevel] = [between(1.3, 2), random() < 0.35 ? between(-0.12, 0.2) : 0];

  const planted = Uint8Array.from(pixels);
  const mask = new Uint8Array(pixels.length);
  for (let y = 0, i = 0; y < side; y++) {
    for (let x = 0; x < side; x++, i++) {
      if (!head[i]) continue;
      const { radius, boundary } = outline(x - centreX, y - centreY);
      const share = logistic((boundary - radius) / softness);
      const halo = oedemaLevel * logistic((boundary * oedemaSize - radius) / (3 * softness));
      if (share < 1e-3 && Math.abs(halo) < 1e-3) continue;
      const core = ring ? logistic((boundary * coreSize - radius) / softness) : 0;
      const inside = (level + (texture[i] as number)) * (1 - core) + coreLevel * core;
      const value = ((pixels[i] as number) / 255 + halo) * (1 - share * opacity) + inside * share * opacity;
      planted[i] = Math.round(255 * Math.max(0, Math.min(1, value)));
      if (share > 0.5) mask[i] = 255;
    }
  }
  return { pixels: planted, mask };
}

/** Distance from the centre, stretched along a random axis, and the lobed boundary in that direction. */
function drawOutline(random: () => number, size: number) {
  const stretch = 0.7 + 0.7 * random();
  const axis = Math.PI * random();
  const [cosine, sine] = [Math.cos(axis), Math.sin(axis)];
  const lobes = [2, 3, 4, 5].map((count) => ({
    count,
    depth: 0.18 * (2 * random() - 1),
    phase: 2 * Math.PI * random(),
  }));
  return (dx: number, dy: number) => {
    const radius = Math.hypot((dx * cosine + dy * sine) * stretch, (dy * cosine - dx * sine) / stretch);
    // Past this no lobe, no softness and no oedema reaches, and the angle need not be known.
    if (radius > 4 * size + 40) return { radius, boundary: size };
    const angle = Math.atan2(dy, dx);
    const lobed = lobes.reduce((sum, { count, depth, phase }) => sum + depth * Math.cos(count * angle + phase), 1);
    return { radius, boundary: size * lobed };
  };
}

/** Normal values on a grid of 16 x 16, bilinear between them. */
function coarseNoise(random: () => number, side: number, deviation: number): Float32Array {
  const cells = 16;
  const gaussian = normal(random);
  const grid = Float32Array.from({ length: (cells + 1) ** 2 }, () => deviation * gaussian());
  const noise = new Float32Array(side * side);
  for (let y = 0, i = 0; y < side; y++) {
    const v = (y * cells) / side;
    const row = Math.floor(v) * (cells + 1);
    for (let x = 0; x < side; x++, i++) {
      const u = (x * cells) / side;
      const at = row + Math.floor(u);
      const [fu, fv] = [u - Math.floor(u), v - Math.floor(v)];
      const upper = (grid[at] as number) * (1 - fu) + (grid[at + 1] as number) * fu;
      const lower = (grid[at + cells + 1] as number) * (1 - fu) + (grid[at + cells + 2] as number) * fu;
      noise[i] = upper * (1 - fv) + lower * fv;
    }
  }
  return noise;
}

const near = (at: number, centre: number) => at >= centre - TISSUE && at < centre + TISSUE;
const logistic = (x: number) => 1 / (1 + Math.exp(-x));

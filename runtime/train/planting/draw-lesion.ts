import { sigmoid } from "../../platform/numbers";
import { normal, uniform } from "../../platform/random";
import { headOf, medianOf, windowMeans } from "./head";

/** How lesions are drawn. Ranges are drawn from evenly; grey values are shares of white. */
export const DRAWN = {
  /** Half the side of the neighbourhood that must be head around a lesion, pixels, and how much of it. */
  around: 10,
  inside: 0.97,
  /** Places that are tried. A head with few places inside may go without a lesion. */
  tries: 50,
  /** Of a lesion, pixels. */
  radius: [4, 16],
  /** Half the side of the neighbourhood whose median is the tissue that a lesion differs from, pixels. */
  tissue: 20,
  /** Width of the edge, pixels, and how much of the tissue is covered. */
  softness: [0.5, 2],
  opacity: [0.8, 1],
  /** Shares of lesions that are brighter than the tissue, and that are not rings; those between are darker. */
  bright: 0.5,
  unringed: 0.65,
  brighter: [0.2, 0.52],
  darker: [0.18, 0.35],
  /** Of a ring: the core's size, as a share of the lesion's, and its difference from the tissue. */
  core: [0.4, 0.75],
  coreLevel: [-0.25, 0.05],
  /** Standard deviation of the texture, and cells of a side of its grid. */
  texture: [0.01, 0.06],
  textureCells: 16,
  /** Oedema around: its size, as a multiple of the lesion's, its chance, its difference, and how much softer its edge is. */
  oedema: [1.3, 2],
  oedemaChance: 0.35,
  oedemaLevel: [-0.12, 0.2],
  oedemaSoftness: 3,
  /** Changes below this are none. */
  least: 1e-3,
  /** Share of lesion above which a pixel is lesion. */
  half: 0.5,
  /** How much longer than wide, and lobes along the boundary: how many, and how deep at most. */
  stretch: [0.7, 1.4],
  lobes: [2, 3, 4, 5],
  lobeDepth: 0.18,
  /** Past `farthest` times the radius plus `margin` pixels no lobe, no softness and no oedema reaches. */
  farthest: 4,
  margin: 40,
} as const;

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
  const around = windowMeans(head, side, DRAWN.around);
  let place: number | undefined;
  for (let tries = 0; tries < DRAWN.tries && place === undefined; tries++) {
    const candidate = Math.floor(random() * around.length);
    if ((around[candidate] as number) > DRAWN.inside) place = candidate;
  }
  if (place === undefined) return undefined;
  const [centreX, centreY] = [place % side, Math.floor(place / side)];
  const outline = drawOutline(random, between(...DRAWN.radius));
  const tissue = medianOf(pixels, (i) => near(i % side, centreX) && near(Math.floor(i / side), centreY)) / 255;
  const softness = between(...DRAWN.softness);
  const opacity = between(...DRAWN.opacity);
  const look = random();
  const ring = look >= DRAWN.unringed;
  const dark = look >= DRAWN.bright && !ring;
  const level = dark ? tissue - between(...DRAWN.darker) : tissue + between(...DRAWN.brighter);
  const [coreSize, coreLevel] = [between(...DRAWN.core), tissue + between(...DRAWN.coreLevel)];
  const texture = coarseNoise(random, side, between(...DRAWN.texture));
  const oedemaSize = between(...DRAWN.oedema);
  const oedemaLevel = random() < DRAWN.oedemaChance ? between(...DRAWN.oedemaLevel) : 0;

  const planted = Uint8Array.from(pixels);
  const mask = new Uint8Array(pixels.length);
  for (let y = 0, i = 0; y < side; y++) {
    for (let x = 0; x < side; x++, i++) {
      if (!head[i]) continue;
      const { radius, boundary } = outline(x - centreX, y - centreY);
      const share = sigmoid((boundary - radius) / softness);
      const halo = oedemaLevel * sigmoid((boundary * oedemaSize - radius) / (DRAWN.oedemaSoftness * softness));
      if (share < DRAWN.least && Math.abs(halo) < DRAWN.least) continue;
      const core = ring ? sigmoid((boundary * coreSize - radius) / softness) : 0;
      const inside = (level + (texture[i] as number)) * (1 - core) + coreLevel * core;
      const value = ((pixels[i] as number) / 255 + halo) * (1 - share * opacity) + inside * share * opacity;
      planted[i] = Math.round(255 * Math.max(0, Math.min(1, value)));
      if (share > DRAWN.half) mask[i] = 255;
    }
  }
  return { pixels: planted, mask };
}

/** Distance from the centre, stretched along a random axis, and the lobed boundary in that direction. */
function drawOutline(random: () => number, size: number) {
  const [shortest, longest] = DRAWN.stretch;
  const stretch = shortest + (longest - shortest) * random();
  const axis = Math.PI * random();
  const [cosine, sine] = [Math.cos(axis), Math.sin(axis)];
  const lobes = DRAWN.lobes.map((count) => ({
    count,
    depth: DRAWN.lobeDepth * (2 * random() - 1),
    phase: 2 * Math.PI * random(),
  }));
  return (dx: number, dy: number) => {
    const radius = Math.hypot((dx * cosine + dy * sine) * stretch, (dy * cosine - dx * sine) / stretch);
    // Out there the angle need not be known.
    if (radius > DRAWN.farthest * size + DRAWN.margin) return { radius, boundary: size };
    const angle = Math.atan2(dy, dx);
    const lobed = lobes.reduce((sum, { count, depth, phase }) => sum + depth * Math.cos(count * angle + phase), 1);
    return { radius, boundary: size * lobed };
  };
}

/** Normal values on a square grid, bilinear between them. */
function coarseNoise(random: () => number, side: number, deviation: number): Float32Array {
  const cells = DRAWN.textureCells;
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

const near = (at: number, centre: number) => at >= centre - DRAWN.tissue && at < centre + DRAWN.tissue;

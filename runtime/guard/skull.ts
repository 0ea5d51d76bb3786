import { RECIPE } from "../imaging";
import { identityOf } from "../platform/identity";

/*
 * Brain CT, by its skull. On CT bone is the brightest thing there is, a thick shell at the window's upper end with grey
 * brain right inside it; on MR bone gives no signal, so that whatever is bright around a head (fat) is thin, and a dark
 * gap lies between it and the brain.
 */

const PARAMETERS = {
  /** Grows when what is measured changes without a parameter changing. */
  version: 1,
  side: RECIPE.side,
  rays: 72,
  /** Steps a pixel along a ray. */
  steps: 2,
  /** Share of the pixels that are as bright as white or brighter. */
  white: 0.005,
  /** What is darker than this share of white is background. */
  background: 0.15,
  /** A ray on which the head reaches less far from its centre is not looked at, steps. */
  shortest: 20,
  /** Where along a ray bone is sought: from this share of the head's radius outward. */
  skull: 0.62,
  /** Brain is what lies within this share of the radius. */
  brain: 0.6,
  /** The shell is as wide as it is brighter than this share of its brightest. */
  plateau: 0.75,
  /** Bone is brighter than brain: brain reaches at most this share of it. */
  contrast: 0.8,
  /** How far inside the shell's inner edge a gap is sought, share of the radius. */
  gap: 0.14,
  /** A ray that meets a shell of bone: at least so bright, so thick (share of the radius), without a darker gap (of brain). */
  shell: { peak: 0.85, thickness: 0.035, floor: 0.6 },
  thinnest: 0.005,
  /** Logistic regression on the three numbers of {@link describeSkull}; docs/model-evaluation.md says to what it was fitted. */
  mean: [0.7068, -3.529, 0.0949],
  scale: [0.175, 0.5292, 0.197],
  weights: [3.97, 0.907, 1.097],
  bias: -10.185,
} as const;

/** The rule that a guard tells CT by; one that was fitted beside another rule judges nothing. */
export const SKULL = { id: identityOf("s", PARAMETERS), ...PARAMETERS } as const;

const { rays: RAYS, side: SIDE, steps: STEPS } = PARAMETERS;

/** Whether a picture shows the skull of a CT. @param grey one channel of the recipe's result, 128 x 128 */
export function looksLikeCt(grey: Uint8Array): boolean {
  const { mean, scale, weights, bias } = PARAMETERS;
  let score: number = bias;
  for (const [k, value] of describeSkull(grey).entries()) {
    score += ((weights[k] as number) * (value - (mean[k] as number))) / (scale[k] as number);
  }
  return score > 0;
}

/**
 * The skull, ray by ray from the head's centre; the same however the head is turned.
 *
 * @returns how bright it is (share of white that all but a fifth of the rays reach), how thick (logarithm of the share of the
 *   radius that all but a quarter reach), and the share of rays that meet a shell of bone
 */
export function describeSkull(grey: Uint8Array): readonly [peak: number, thickness: number, shells: number] {
  const white = whiteOf(grey);
  const background = PARAMETERS.background * white;
  const centre = centreOf(grey, background);
  const brain: number[] = [];
  const rays = Array.from({ length: RAYS }, (_, k) => {
    const ray = along(grey, centre, (2 * Math.PI * k) / RAYS);
    const radius = radiusOf(ray, background);
    for (let i = 0; i < PARAMETERS.brain * radius; i++) brain.push(ray[i] as number);
    return { ray, radius };
  });
  const usual = Math.max(1, quantile(brain, 0.5));
  const found = rays.map(({ ray, radius }) => shellOf(ray, radius, white, usual));
  const brightest = quantile(
    found.map((one) => one.peak),
    0.5,
  );
  if (usual > PARAMETERS.contrast * brightest * white) return NO_SKULL;
  const { peak, thickness, floor } = PARAMETERS.shell;
  const shells = found.filter((one) => one.peak > peak && one.thickness > thickness && one.floor > floor);
  const thin = quantile(
    found.map((one) => one.thickness),
    0.25,
  );
  return [
    quantile(
      found.map((one) => one.peak),
      0.2,
    ),
    Math.log(Math.max(PARAMETERS.thinnest, thin)),
    shells.length / RAYS,
  ];
}

/** What is as bright inside as outside has no skull: a brain that was cut out of its head. */
const NO_SKULL = [0, Math.log(PARAMETERS.thinnest), 0] as const;

interface Shell {
  readonly peak: number;
  readonly thickness: number;
  readonly floor: number;
}

/** @param usual what brain is like here */
function shellOf(ray: Uint8Array, radius: number, white: number, usual: number): Shell {
  if (radius < PARAMETERS.shortest) return { peak: 0, thickness: 0, floor: 0 };
  let [peak, at] = [0, radius];
  for (let i = radius; i >= PARAMETERS.skull * radius; i--) {
    if ((ray[i] as number) <= peak) continue;
    peak = ray[i] as number;
    at = i;
  }
  let [outer, inner] = [at, at];
  while (outer < radius && (ray[outer + 1] as number) >= PARAMETERS.plateau * peak) outer++;
  while (inner > radius / 2 && (ray[inner - 1] as number) >= PARAMETERS.plateau * peak) inner--;
  let edge = inner;
  while (edge > radius / 2 && (ray[edge] as number) > (peak + usual) / 2) edge--;
  let floor = 255;
  for (let i = edge; i >= Math.max(0, edge - PARAMETERS.gap * radius); i--) floor = Math.min(floor, ray[i] as number);
  return { peak: peak / white, thickness: (outer - inner + 1) / radius, floor: floor / usual };
}

function whiteOf(grey: Uint8Array): number {
  const counts = new Uint32Array(256);
  for (const value of grey) counts[value] = (counts[value] as number) + 1;
  let above = 0;
  for (let value = 255; value > 0; value--) {
    above += counts[value] as number;
    if (above >= PARAMETERS.white * grey.length) return value;
  }
  return 1;
}

function centreOf(grey: Uint8Array, background: number): { readonly x: number; readonly y: number } {
  let [count, sumX, sumY] = [0, 0, 0];
  for (let at = 0; at < grey.length; at++) {
    if ((grey[at] as number) <= background) continue;
    count++;
    sumX += at % SIDE;
    sumY += Math.floor(at / SIDE);
  }
  return count === 0 ? { x: SIDE / 2, y: SIDE / 2 } : { x: sumX / count, y: sumY / count };
}

/** Values from the centre outward, half a pixel apart; 0 beyond the picture. */
function along(grey: Uint8Array, { x, y }: { readonly x: number; readonly y: number }, angle: number): Uint8Array {
  const [dx, dy] = [Math.cos(angle) / STEPS, Math.sin(angle) / STEPS];
  const values = new Uint8Array(Math.ceil(STEPS * SIDE * Math.SQRT1_2 * 1.02));
  for (let i = 0; i < values.length; i++) {
    const [column, row] = [Math.round(x + i * dx), Math.round(y + i * dy)];
    if (column < 0 || row < 0 || column >= SIDE || row >= SIDE) break;
    values[i] = grey[row * SIDE + column] as number;
  }
  return values;
}

/** How far out the head reaches: two steps in a row are foreground. */
function radiusOf(ray: Uint8Array, background: number): number {
  for (let i = ray.length - 3; i > 0; i--) {
    if ((ray[i] as number) > background && (ray[i + 1] as number) > background) return i;
  }
  return 0;
}

function quantile(values: readonly number[], share: number): number {
  if (values.length === 0) return 0;
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] as number;
}

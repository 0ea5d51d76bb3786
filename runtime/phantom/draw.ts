import { mixSeed, normal, uniform } from "../platform/random";

/** A drawn slice: grey values 0 to 255, row by row. */
export interface PhantomSlice {
  readonly size: number;
  readonly pixels: Uint8Array;
}

interface Ellipse {
  readonly x: number;
  readonly y: number;
  readonly a: number;
  readonly b: number;
}

/** One imaginary head: what all slices of a patient share. Lengths are relative to half the image. */
interface Anatomy {
  readonly a: number;
  readonly b: number;
  readonly tilt: number;
  readonly offsetX: number;
  readonly offsetY: number;
  readonly outline: readonly Harmonic[];
  readonly texture: (x: number, y: number) => number;
  readonly ventricle: number;
  readonly nuclei: Ellipse;
  readonly lesion: Ellipse & {
    readonly outline: readonly Harmonic[];
    readonly contrast: number;
    readonly core: number;
  };
}

interface Harmonic {
  readonly order: number;
  readonly amplitude: number;
  readonly phase: number;
}

/**
 * Draws an axial slice of an imaginary head: scalp, skull, folded cortex, ventricles, paired nuclei, and, if asked, one
 * mass with an irregular edge, a core and a halo. A synthetic phantom, in the spirit of Shepp and Logan (1974): for
 * trying out the machinery, and worth nothing as evidence.
 *
 * The mass is a *shape*. Gain, contrast and noise of a slice are drawn without regard to it, bright nuclei stand in every
 * head, and the mean brightness of the brain is set after drawing, so no brightness of the file gives the label away.
 *
 * @param slice position in the head, from -1 to 1
 */
export function drawPhantom(options: {
  readonly seed: number;
  readonly patient: number;
  readonly slice: number;
  readonly size: number;
  readonly lesion: boolean;
}): PhantomSlice {
  const { seed, patient, slice, size, lesion } = options;
  const anatomy = anatomyOf(mixSeed(seed, patient), slice);
  const random = uniform(mixSeed(seed, patient, Math.round(slice * 1000), lesion ? 1 : 0));
  const gaussian = normal(random);
  const values = new Float32Array(size * size);
  const brain = new Uint8Array(size * size);
  const extent = Math.sqrt(1 - 0.35 * slice * slice);
  const [cosine, sine] = [Math.cos(anatomy.tilt), Math.sin(anatomy.tilt)];

  for (let row = 0, i = 0; row < size; row++) {
    for (let column = 0; column < size; column++, i++) {
      const px = ((column + 0.5) / size) * 2 - 1 - anatomy.offsetX;
      const py = ((row + 0.5) / size) * 2 - 1 - anatomy.offsetY;
      const x = cosine * px + sine * py;
      const y = -sine * px + cosine * py;
      const radius = distance(x, y, { x: 0, y: 0, a: anatomy.a * extent, b: anatomy.b * extent }, anatomy.outline);
      if (radius > 1) continue;
      if (radius > 0.93) values[i] = 0.75;
      else if (radius > 0.86) values[i] = 0.08;
      else {
        brain[i] = 1;
        values[i] = tissue(anatomy, x, y, radius, slice, lesion);
      }
    }
  }
  return { size, pixels: expose(values, brain, random, gaussian) };
}

function tissue(anatomy: Anatomy, x: number, y: number, radius: number, slice: number, lesion: boolean): number {
  const folds = anatomy.texture(x, y);
  const cortex = radius > 0.7 ? 0.12 * Math.sin(folds * 9) : 0;
  let value = 0.5 + 0.14 * (folds - 0.5) + cortex;

  const open = anatomy.ventricle * (1 - 0.6 * Math.abs(slice));
  for (const side of [-1, 1]) {
    const horn = distance(x, y, { x: side * 0.1, y: -0.02, a: 0.05 + 0.05 * open, b: 0.22 * open + 0.04 }, []);
    value += (0.12 - value) * edge(horn, 0.25);
    const { x: nx, y: ny, a, b } = anatomy.nuclei;
    const nucleus = distance(x, y, { x: side * nx, y: ny, a, b }, []);
    value += 0.16 * edge(nucleus, 0.4);
  }
  if (lesion) {
    const mass = anatomy.lesion;
    const shrink = Math.max(0.55, 1 - 0.4 * Math.abs(slice));
    const d = distance(x, y, { ...mass, a: mass.a * shrink, b: mass.b * shrink }, mass.outline);
    value += 0.25 * mass.contrast * edge(d / 1.4, 0.5);
    value += mass.contrast * edge(d, 0.2);
    value -= mass.core * edge(d / 0.5, 0.4);
  }
  return value;
}

function anatomyOf(seed: number, slice: number): Anatomy {
  const random = uniform(seed);
  const between = (low: number, high: number) => low + (high - low) * random();
  const harmonics = (amplitude: number): Harmonic[] =>
    [2, 3, 4, 5].map((order) => ({ order, amplitude: between(0, amplitude) / order, phase: between(0, 2 * Math.PI) }));
  const angle = between(0, 2 * Math.PI);
  const depth = between(0.25, 0.5);
  const radius = between(0.13, 0.22);
  return {
    a: between(0.62, 0.76),
    b: between(0.76, 0.92),
    tilt: between(-0.18, 0.18),
    offsetX: between(-0.06, 0.06),
    offsetY: between(-0.05, 0.05),
    outline: harmonics(0.05),
    texture: smoothNoise(mixSeed(seed, 7), slice),
    ventricle: between(0.4, 1),
    nuclei: { x: between(0.2, 0.3), y: between(-0.08, 0.12), a: between(0.05, 0.09), b: between(0.08, 0.14) },
    lesion: {
      x: Math.cos(angle) * depth * 0.85,
      y: Math.sin(angle) * depth,
      a: radius,
      b: radius * between(0.75, 1.2),
      outline: harmonics(0.5),
      contrast: between(0.13, 0.26),
      core: between(0, 0.25),
    },
  };
}

/** Distance from the centre in units of the outline's radius in that direction. */
function distance(x: number, y: number, { x: cx, y: cy, a, b }: Ellipse, outline: readonly Harmonic[]): number {
  const u = (x - cx) / a;
  const v = (y - cy) / b;
  if (outline.length === 0) return Math.sqrt(u * u + v * v);
  const angle = Math.atan2(v, u);
  let reach = 1;
  for (const { order, amplitude, phase } of outline) reach += amplitude * Math.cos(order * angle + phase);
  return Math.sqrt(u * u + v * v) / reach;
}

/** 1 inside, 0 outside, a smooth step of the given width around distance 1. */
function edge(distance: number, width: number): number {
  const t = Math.min(1, Math.max(0, (1 + width / 2 - distance) / width));
  return t * t * (3 - 2 * t);
}

/** Three octaves of value noise in [0, 1] over the square from -1 to 1, at one height of a volume. */
function smoothNoise(seed: number, z: number): (x: number, y: number) => number {
  const octaves = [
    { cells: 8, layers: 2, weight: 4 / 7 },
    { cells: 16, layers: 3, weight: 2 / 7 },
    { cells: 32, layers: 4, weight: 1 / 7 },
  ].map(({ cells, layers, weight }) => ({ cells, weight, plane: noisePlane(mixSeed(seed, cells), cells, z * layers) }));
  return (x, y) => {
    let sum = 0;
    for (const { cells, weight, plane } of octaves) {
      const u = ((x + 1) / 2) * cells;
      const v = ((y + 1) / 2) * cells;
      const column = Math.min(cells - 1, Math.max(0, Math.floor(u)));
      const row = Math.min(cells - 1, Math.max(0, Math.floor(v)));
      const fx = fade(u - column);
      const fy = fade(v - row);
      const i = row * (cells + 1) + column;
      const above = mix(plane[i] as number, plane[i + 1] as number, fx);
      const below = mix(plane[i + cells + 1] as number, plane[i + cells + 2] as number, fx);
      sum += weight * mix(above, below, fy);
    }
    return sum;
  };
}

/** (cells + 1) squared lattice values at height z between two layers. */
function noisePlane(seed: number, cells: number, z: number): Float32Array {
  const layer = Math.floor(z);
  const [lower, upper] = [layer, layer + 1].map((height) => uniform(mixSeed(seed, height + 1000))) as [
    () => number,
    () => number,
  ];
  return Float32Array.from({ length: (cells + 1) ** 2 }, () => mix(lower(), upper(), fade(z - layer)));
}

const fade = (t: number) => t * t * (3 - 2 * t);
const mix = (a: number, b: number, t: number) => a + (b - a) * t;

/** The scanner: contrast, bias field and noise that know nothing of the label, at a mean brightness that knows nothing either. */
function expose(values: Float32Array, brain: Uint8Array, random: () => number, gaussian: () => number): Uint8Array {
  const size = Math.sqrt(values.length);
  const target = 0.35 + 0.2 * random();
  const contrast = 0.8 + 0.4 * random();
  const slopeX = 0.3 * (random() - 0.5);
  const slopeY = 0.3 * (random() - 0.5);
  const noise = 0.01 + 0.025 * random();
  let sum = 0;
  let count = 0;
  values.forEach((value, i) => {
    if (brain[i]) {
      sum += value;
      count++;
    }
  });
  const mean = count > 0 ? sum / count : 0.5;
  return Uint8Array.from(values, (value, i) => {
    const field = 1 + slopeX * ((i % size) / size - 0.5) + slopeY * (Math.floor(i / size) / size - 0.5);
    const exposed = brain[i] ? target + contrast * (value - mean) : value * (target / 0.5);
    return Math.round(255 * Math.min(1, Math.max(0, exposed * field + Math.abs(noise * gaussian()))));
  });
}

import { normal, uniform } from "../platform/random";
import { bilinear } from "./bilinear";
import { LESIONS } from "./lesions";

/** How far a training image may be moved and changed. Angles in radians, shifts in pixels, the rest relative. */
export interface Augmentation {
  /** Chances of being mirrored left-right and up-down. */
  readonly mirrorChance: number;
  readonly turnChance: number;
  readonly rotation: number;
  readonly scale: number;
  readonly stretch: number;
  readonly shift: number;
  /** Standard deviation-like bound of log gamma. */
  readonly gamma: number;
  readonly gain: number;
  /** Slope of a linear coil bias field across half the image. */
  readonly bias: number;
  /** Chance of noise, and its largest standard deviation. */
  readonly noiseChance: number;
  readonly noise: number;
  /** Chance that a healthy head is shown with a planted lesion, as Cancer. */
  readonly lesionChance: number;
  /** Chance that this lesion is one of another patient, where lesions are outlined; else it is drawn. */
  readonly transplantChance: number;
}

export const AUGMENTATION: Augmentation = {
  mirrorChance: 0.5,
  turnChance: 0.5,
  rotation: 0.3,
  scale: 0.12,
  stretch: 0.06,
  shift: 8,
  gamma: 0.4,
  gain: 0.2,
  bias: 0.3,
  noiseChance: 0.3,
  noise: 0.05,
  lesionChance: 0.15,
  transplantChance: 0.5,
};

/** The lesion mask that moves with an image. */
export interface LesionMask {
  /** side x side shares of lesion, 0 to 255; null: no lesion anywhere. */
  readonly mask: Uint8Array | null;
  /** Receives cells x cells values in [0, 1]: the share of lesion in each cell times `fullness`, at most 1. */
  readonly target: Float32Array;
}

/**
 * One random variation of an image: mirrored left-right and up-down, rotation, scale and shift (bilinear), gamma, a linear bias field,
 * gain, noise.
 *
 * @param pixels side x side grey values, uint8
 * @param target side x side x 3 values in [0, 1], the three channels equal
 * @param seed the same seed gives the same variation
 * @param lesion the mask, moved as the image is; it does not change the variation
 */
export function augment(
  pixels: Uint8Array,
  target: Float32Array,
  side: number,
  seed: number,
  limits: Augmentation = AUGMENTATION,
  lesion?: LesionMask,
): void {
  const random = uniform(seed);
  const within = (bound: number) => (2 * random() - 1) * bound;

  const scale = 1 + within(limits.scale);
  const stretched = scale * (1 + within(limits.stretch));
  const angle = within(limits.rotation);
  const mirror = random() < limits.mirrorChance ? -1 : 1;
  // Upside-down heads are rare, but without them the network learns to see a lesion from below, and Grad-CAM points beside it.
  const turn = random() < limits.turnChance ? -1 : 1;
  const [cosine, sine] = [Math.cos(angle), Math.sin(angle)];
  // Target pixel -> source pixel.
  const [xx, xy] = [cosine * scale * mirror, -sine * stretched * turn];
  const [yx, yy] = [sine * scale * mirror, cosine * stretched * turn];
  const centre = (side - 1) / 2;
  const offsetX = centre - (xx + xy) * centre + within(limits.shift);
  const offsetY = centre - (yx + yy) * centre + within(limits.shift);

  if (lesion?.mask) {
    moveMask(lesion.mask, lesion.target, side, (x, y) => [offsetX + xx * x + xy * y, offsetY + yx * x + yy * y]);
  }

  const gain = 1 + within(limits.gain);
  const [slopeX, slopeY] = [within(limits.bias) / centre, within(limits.bias) / centre];
  const curve = gammaTable(Math.exp(within(limits.gamma)));
  const deviation = random() < limits.noiseChance ? random() * limits.noise : 0;
  const gaussian = normal(random);

  for (let y = 0, out = 0; y < side; y++) {
    for (let x = 0; x < side; x++, out += 3) {
      const grey = bilinear(pixels, side, offsetX + xx * x + xy * y, offsetY + yx * x + yy * y);
      const field = gain * (1 + slopeX * (x - centre) + slopeY * (y - centre));
      let value = (curve[Math.round(grey)] as number) * field;
      if (deviation > 0) value += gaussian() * deviation;
      value = value < 0 ? 0 : Math.min(value, 1);
      target[out] = value;
      target[out + 1] = value;
      target[out + 2] = value;
    }
  }
}

function moveMask(
  mask: Uint8Array,
  target: Float32Array,
  side: number,
  place: (x: number, y: number) => readonly [number, number],
): void {
  const cells = Math.sqrt(target.length);
  const cell = side / cells;
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const at = Math.floor(y / cell) * cells + Math.floor(x / cell);
      target[at] = (target[at] as number) + bilinear(mask, side, ...place(x, y));
    }
  }
  const full = 255 * cell * cell;
  for (let i = 0; i < target.length; i++) target[i] = Math.min(1, (LESIONS.fullness * (target[i] as number)) / full);
}

function gammaTable(exponent: number): Float32Array {
  return Float32Array.from({ length: 256 }, (_, grey) => (grey / 255) ** exponent);
}

import { RECIPE } from "../imaging";
import { identityOf } from "../platform/identity";

// Looked up once: in these loops the lookup of a global costs more than the function.
const { atan2, floor, log, max, min, PI, sqrt } = Math;

const PARAMETERS = {
  /** Grows when what is measured, or the distance made of it, changes without a parameter changing. */
  version: 1,
  /** Side of the picture, pixels. */
  side: RECIPE.side,
  /** Cells of a side of the grid on which local statistics are taken. */
  grid: 4,
  orientations: 6,
  bands: 5,
  thumbnail: 8,
  greyBins: 32,
  /** Classes of a uniform local binary pattern of 8 neighbours (Ojala et al. 2002): 0 to 8 bright ones in one run, and the rest. */
  patterns: 10,
  /** What is darker than this share of white is background where the outline of the head is sought. */
  background: 0.1,
  /** Side of the square in each corner whose foreground is counted, as a share of the picture's. */
  corner: 1 / 8,
  /** Elliptic rings around the outline's moments, in squared Mahalanobis distance: 4 is the edge of a filled ellipse. */
  rings: [0, 0.25, 0.6, 1.2, 2, 2.6, 3.2, 3.8, 4.4, 5.5, 8],
  ellipse: 4,
  /** Brings the tilt of the outline to the size of the other numbers. */
  tiltScale: 500,
  /** Keeps the logarithm of an empty band finite: a standard deviation of 0.3 % of white. */
  energyFloor: 1e-5,
  /** Keeps a division by what may vanish finite. */
  smallest: 1e-6,
} as const;

/** What a guard measures. A guard that was fitted to a descriptor of another `id` measures nothing. */
export const DESCRIPTOR = { id: identityOf("d", PARAMETERS), ...PARAMETERS } as const;

const {
  side: SIDE,
  grid: GRID,
  orientations: ORIENTATIONS,
  bands: BANDS,
  thumbnail: THUMBNAIL,
  greyBins: GREY_BINS,
  patterns: PATTERNS,
  background: BACKGROUND,
  rings: RINGS,
  ellipse: ELLIPSE,
  smallest: SMALLEST,
} = PARAMETERS;
const FARTHEST = RINGS.at(-1) as number;

/** Length of what {@link describePicture} gives. */
export const DESCRIPTOR_SIZE =
  GRID * GRID * ORIENTATIONS +
  GRID * GRID * BANDS +
  2 * PATTERNS +
  GREY_BINS +
  15 +
  (RINGS.length - 1) +
  THUMBNAIL * THUMBNAIL;

/**
 * What a picture looks like, regardless of what is in the brain: coarse layout, outline, symmetry, brightness by
 * distance from the centre, grey histogram, edges by direction, detail by size, texture.
 *
 * @param grey one channel of the recipe's result, 128 x 128
 * @returns {@link DESCRIPTOR_SIZE} numbers
 */
export function describePicture(grey: Uint8Array): Float64Array {
  if (grey.length !== SIDE * SIDE) {
    throw new RangeError(`A picture has ${grey.length} pixels; the recipe gives ${SIDE * SIDE}.`);
  }
  const values = new Float64Array(grey.length);
  for (let at = 0; at < grey.length; at++) values[at] = (grey[at] as number) / 255;
  const numbers = [
    ...orientations(values),
    ...bandEnergies(values),
    ...patterns(values, SIDE),
    ...patterns(shrink(values, SIDE, SIDE / 2), SIDE / 2),
    ...histogram(grey),
    ...outline(values),
    ...shrink(values, SIDE, THUMBNAIL),
  ];
  return Float64Array.from(numbers);
}

/** Histograms of gradient directions, weighted by strength, each cell's of unit length. */
function orientations(values: Float64Array): Float64Array {
  const cell = SIDE / GRID;
  const bins = new Float64Array(GRID * GRID * ORIENTATIONS);
  for (let y = 1; y < SIDE - 1; y++) {
    for (let x = 1; x < SIDE - 1; x++) {
      const at = y * SIDE + x;
      const dx = (values[at + 1] as number) - (values[at - 1] as number);
      const dy = (values[at + SIDE] as number) - (values[at - SIDE] as number);
      const strength = sqrt(dx * dx + dy * dy);
      if (strength === 0) continue;
      const turn = (atan2(dy, dx) / PI + 1) % 1;
      const bin = min(ORIENTATIONS - 1, floor(turn * ORIENTATIONS));
      const index = (floor(y / cell) * GRID + floor(x / cell)) * ORIENTATIONS + bin;
      bins[index] = (bins[index] as number) + strength;
    }
  }
  for (let start = 0; start < bins.length; start += ORIENTATIONS) {
    const part = bins.subarray(start, start + ORIENTATIONS);
    const length = sqrt(part.reduce((sum, value) => sum + value * value, SMALLEST));
    for (let i = 0; i < ORIENTATIONS; i++) part[i] = (part[i] as number) / length;
  }
  return bins;
}

/** Log energy of what each level of a Laplacian pyramid (Burt and Adelson 1983) adds, cell by cell. */
function bandEnergies(values: Float64Array): number[] {
  const energies: number[] = [];
  let current = values;
  for (let side = SIDE, band = 0; band < BANDS; band++, side /= 2) {
    const smooth = binomial(current, side);
    const detail = new Float64Array(current.length);
    for (let at = 0; at < detail.length; at++) {
      const added = (current[at] as number) - (smooth[at] as number);
      detail[at] = added * added;
    }
    for (const energy of shrink(detail, side, GRID)) energies.push(log(energy + PARAMETERS.energyFloor));
    current = everySecond(smooth, side);
  }
  return energies;
}

/** Which pattern a neighbourhood has, by its eight neighbours as bits, in their order around: 1 where at least as bright. */
const PATTERN_OF = Uint8Array.from({ length: 256 }, (_, bits) => {
  const turned = ((bits << 1) | (bits >> 7)) & 255;
  const [bright, changes] = [countOnes(bits), countOnes(bits ^ turned)];
  return changes <= 2 ? bright : PATTERNS - 1;
});

function countOnes(bits: number): number {
  let ones = 0;
  for (let rest = bits; rest > 0; rest >>= 1) ones += rest & 1;
  return ones;
}

/** Shares of the local binary patterns, their square roots. */
function patterns(values: Float64Array, side: number): Float64Array {
  const counts = new Float64Array(PATTERNS);
  for (let y = 1; y < side - 1; y++) {
    for (let x = 1; x < side - 1; x++) {
      const at = y * side + x;
      const centre = values[at] as number;
      const bits =
        +((values[at - side - 1] as number) >= centre) |
        (+((values[at - side] as number) >= centre) << 1) |
        (+((values[at - side + 1] as number) >= centre) << 2) |
        (+((values[at + 1] as number) >= centre) << 3) |
        (+((values[at + side + 1] as number) >= centre) << 4) |
        (+((values[at + side] as number) >= centre) << 5) |
        (+((values[at + side - 1] as number) >= centre) << 6) |
        (+((values[at - 1] as number) >= centre) << 7);
      const pattern = PATTERN_OF[bits] as number;
      counts[pattern] = (counts[pattern] as number) + 1;
    }
  }
  const total = (side - 2) * (side - 2);
  return counts.map((count) => sqrt(count / total));
}

function histogram(grey: Uint8Array): Float64Array {
  const counts = new Float64Array(GREY_BINS);
  for (const level of grey) {
    const bin = (level * GREY_BINS) >> 8;
    counts[bin] = (counts[bin] as number) + 1;
  }
  return counts.map((count) => sqrt(count / grey.length));
}

/** Corners, size, place, spread and ellipticity of the foreground; symmetry; brightness ring by ring; mean and contrast. */
function outline(values: Float64Array): number[] {
  let area = 1;
  let sumX = 0;
  let sumY = 0;
  let sumXX = 0;
  let sumYY = 0;
  let sumXY = 0;
  const corner = SIDE * PARAMETERS.corner;
  const corners = [0, 0, 0, 0];
  for (let y = 0, at = 0; y < SIDE; y++) {
    for (let x = 0; x < SIDE; x++, at++) {
      if ((values[at] as number) <= BACKGROUND) continue;
      area++;
      sumX += x;
      sumY += y;
      sumXX += x * x;
      sumYY += y * y;
      sumXY += x * y;
      const [nearX, nearY] = [min(x, SIDE - 1 - x), min(y, SIDE - 1 - y)];
      if (nearX >= corner || nearY >= corner) continue;
      const which = (x < SIDE / 2 ? 0 : 1) + (y < SIDE / 2 ? 0 : 2);
      corners[which] = (corners[which] as number) + 1 / (corner * corner);
    }
  }
  const [centreX, centreY] = [sumX / area, sumY / area];
  const spreadX = max(0, sumXX / area - centreX * centreX);
  const spreadY = max(0, sumYY / area - centreY * centreY);
  const tilt = sumXY / area - centreX * centreY;
  const determinant = max(0, spreadX * spreadY - tilt * tilt) + SMALLEST;

  let both = 0;
  let either = 1;
  const rings = new Float64Array(RINGS.length - 1);
  const ringArea = new Float64Array(RINGS.length - 1);
  for (let y = 0, at = 0; y < SIDE; y++) {
    const dy = y - centreY;
    for (let x = 0; x < SIDE; x++, at++) {
      const dx = x - centreX;
      const distance = (dx * dx * spreadY - 2 * dx * dy * tilt + dy * dy * spreadX) / determinant;
      const value = values[at] as number;
      const inside = distance < ELLIPSE;
      const bright = value > BACKGROUND;
      if (inside && bright) both++;
      if (inside || bright) either++;
      if (distance >= FARTHEST) continue;
      let ring = 0;
      while (distance >= (RINGS[ring + 1] as number)) ring++;
      rings[ring] = (rings[ring] as number) + value;
      ringArea[ring] = (ringArea[ring] as number) + 1;
    }
  }
  const n = values.length;
  let total = 0;
  for (let at = 0; at < n; at++) total += values[at] as number;
  const mean = total / n;
  let variance: number = SMALLEST;
  let across = 0;
  let down = 0;
  for (let y = 0, at = 0; y < SIDE; y++) {
    for (let x = 0; x < SIDE; x++, at++) {
      const value = (values[at] as number) - mean;
      variance += value * value;
      across += value * ((values[y * SIDE + SIDE - 1 - x] as number) - mean);
      down += value * ((values[(SIDE - 1 - y) * SIDE + x] as number) - mean);
    }
  }
  return [
    ...corners,
    area / n,
    centreX / SIDE,
    centreY / SIDE,
    log(spreadX + 1),
    log(spreadY + 1),
    tilt / PARAMETERS.tiltScale,
    both / either,
    across / variance,
    down / variance,
    ...rings.map((sum, ring) => sum / max(1, ringArea[ring] as number)),
    mean,
    sqrt(variance / n),
  ];
}

/** Means of equal square blocks: `to` x `to`. */
function shrink(values: Float64Array, side: number, to: number): Float64Array {
  const block = side / to;
  const means = new Float64Array(to * to);
  for (let row = 0, index = 0; row < to; row++) {
    for (let column = 0; column < to; column++, index++) {
      let sum = 0;
      for (let y = row * block; y < (row + 1) * block; y++) {
        const from = y * side + column * block;
        for (let at = from; at < from + block; at++) sum += values[at] as number;
      }
      means[index] = sum / (block * block);
    }
  }
  return means;
}

/** 5 x 5 binomial average; the edge pixels are repeated. */
function binomial(values: Float64Array, side: number): Float64Array {
  return binomialAlong(binomialAlong(values, side, 1, side), side, side, 1);
}

/** Along one axis, whose neighbours lie `step` apart; the lines along it begin `line` apart. */
function binomialAlong(values: Float64Array, side: number, step: number, line: number): Float64Array {
  const smooth = new Float64Array(values.length);
  const last = side - 1;
  for (let start = 0; start < side; start++) {
    const from = start * line;
    for (let i = 0; i < side; i++) {
      const two = values[from + step * (i > 1 ? i - 2 : 0)] as number;
      const one = values[from + step * (i > 0 ? i - 1 : 0)] as number;
      const here = values[from + step * i] as number;
      const next = values[from + step * (i < last ? i + 1 : last)] as number;
      const far = values[from + step * (i < last - 1 ? i + 2 : last)] as number;
      smooth[from + step * i] = (two + far + 4 * (one + next) + 6 * here) / 16;
    }
  }
  return smooth;
}

function everySecond(values: Float64Array, side: number): Float64Array {
  const half = side / 2;
  const result = new Float64Array(half * half);
  for (let y = 0, at = 0; y < half; y++) {
    for (let x = 0; x < half; x++) result[at++] = values[2 * y * side + 2 * x] as number;
  }
  return result;
}

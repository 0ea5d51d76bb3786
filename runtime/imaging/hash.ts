import { createHash } from "node:crypto";
import { applyRecipeGrey, RECIPE } from "./recipe";
import type { GreyImage } from "./types";

const PARAMETERS = {
  /** Grows when the arithmetic changes without a parameter changing. */
  version: 1,
  /** It is taken of the recipe's result: another recipe makes other hashes. */
  recipe: RECIPE.id,
  bits: 256,
  /** Side of the normalised picture whose frequencies are taken. */
  side: 64,
  /** Half its width, in standard deviations of the picture's brightness around its centre. */
  extent: 2,
  /** What is darker than this counts as background where the centre is sought. */
  background: 20,
  /** What cosines are multiplied with before they are rounded to integers, so that every machine has the same table. */
  cosineScale: 2 ** 20,
} as const;

/** What {@link perceptualHash} makes. Only hashes by one `id` can be compared. */
export const PERCEPTUAL_HASH = {
  id: `h${PARAMETERS.version}-${createHash("sha256").update(JSON.stringify(PARAMETERS)).digest("hex").slice(0, 10)}`,
  ...PARAMETERS,
} as const;

const { bits: BITS, side: SIDE, extent: EXTENT, background: BACKGROUND, cosineScale: COSINE_SCALE } = PARAMETERS;
const WORDS = BITS / 32;
const QUARTER = BITS / 4;

/**
 * Two pages whose hashes differ in at most this many bits (over mirrorings) are near-duplicates. On 2,846 public scans
 * re-encoding, resizing, small shifts, contrast and mirroring stay below it; slices of different patients start at 44.
 */
export const NEAR_DUPLICATE_DISTANCE = 38;

/**
 * Below this the two are the same picture, whatever is said of where they come from. Between this and
 * {@link NEAR_DUPLICATE_DISTANCE} they may still be slices at the same height of two patients who are known to differ.
 */
export const SAME_PICTURE_DISTANCE = 12;

/**
 * The lowest horizontal (u) and vertical (v) frequencies, in the order of the bits: 64 with u and v even (without the
 * constant one), 64 with u odd, 64 with v odd, 64 with both odd. Mirroring a picture changes the sign of the odd ones
 * and nothing else, so the mirrored hash has two of these quarters inverted.
 */
const FREQUENCIES: readonly { readonly u: number; readonly v: number }[] = lowestFrequencies();
const HIGHEST = 1 + Math.max(...FREQUENCIES.map(({ u, v }) => Math.max(u, v)));

/** Of each bit the one whose frequencies are its own exchanged; -1 where there is none. */
const TURNED = FREQUENCIES.map(({ u, v }) => FREQUENCIES.findIndex((other) => other.u === v && other.v === u));

/** cos(pi (2x + 1) k / 2n) */
const COSINES = Array.from({ length: HIGHEST }, (_, k) =>
  Float64Array.from({ length: SIDE }, (_, x) =>
    Math.round(COSINE_SCALE * Math.cos((Math.PI * (2 * x + 1) * k) / (2 * SIDE))),
  ),
);

/**
 * 256-bit perceptual hash, 64 hex digits: the signs of the lowest frequencies of the page after the recipe, moved and
 * stretched so that its brightness has its centre in the middle and unit spread. Compare with {@link hashDistance}.
 */
export function perceptualHash(image: GreyImage): string {
  return hashOfRecipe(applyRecipeGrey(image).grey);
}

/** {@link perceptualHash} of one channel of the recipe's result, 128 x 128 bytes. */
export function hashOfRecipe(grey: Uint8Array): string {
  const picture = normalise(blur(grey));
  const across = new Float64Array(SIDE * HIGHEST);
  for (let y = 0; y < SIDE; y++) {
    for (let u = 0; u < HIGHEST; u++) {
      const cosine = COSINES[u] as Float64Array;
      let sum = 0;
      for (let x = 0; x < SIDE; x++) sum += (picture[y * SIDE + x] as number) * (cosine[x] as number);
      across[u * SIDE + y] = sum;
    }
  }
  const words = new Uint32Array(WORDS);
  FREQUENCIES.forEach(({ u, v }, bit) => {
    const cosine = COSINES[v] as Float64Array;
    let sum = 0;
    for (let y = 0; y < SIDE; y++) sum += (across[u * SIDE + y] as number) * (cosine[y] as number);
    if (sum < 0) words[bit >>> 5] = (words[bit >>> 5] as number) | (0x80000000 >>> (bit & 31));
  });
  return hexOf(words);
}

const hexOf = (words: Uint32Array) => Array.from(words, (word) => word.toString(16).padStart(8, "0")).join("");

/**
 * The hash of the same page turned by a quarter, as {@link hashDistance} compares it (a quarter turn is a mirroring across the
 * diagonal, and one more that it allows for). A few of the frequencies that it would have are not in the hash: these bits
 * stay 0, so that the two differ in some four bits more than the pictures do.
 */
export function turnedHash(hash: string): string {
  const [words, turned] = [packHashes([hash]), new Uint32Array(WORDS)];
  TURNED.forEach((from, bit) => {
    if (from >= 0 && ((words[from >>> 5] as number) << (from & 31)) & 0x80000000)
      turned[bit >>> 5] = (turned[bit >>> 5] as number) | (0x80000000 >>> (bit & 31));
  });
  return hexOf(turned);
}

/** Bits in which two hashes differ, for the mirroring in which they differ least: 0 to 256. */
export function hashDistance(a: string, b: string): number {
  return wordsDistance(packHashes([a, b]), 0, WORDS, BITS);
}

/** Hashes as 8 words each, one after the other, for {@link wordsDistance}. */
export function packHashes(hashes: readonly string[]): Uint32Array {
  const words = new Uint32Array(hashes.length * WORDS);
  hashes.forEach((hash, index) => {
    if (!/^[0-9a-f]{64}$/.test(hash)) throw new Error(`"${hash}" is not a perceptual hash of 64 hex digits.`);
    for (let w = 0; w < WORDS; w++) words[index * WORDS + w] = Number.parseInt(hash.slice(8 * w, 8 * w + 8), 16);
  });
  return words;
}

/** {@link hashDistance} of the hashes that begin at two positions of packed words; `limit + 1` if it is above the limit. */
export function wordsDistance(words: Uint32Array, a: number, b: number, limit: number): number {
  const even = differing(words, a, b) + differing(words, a + 1, b + 1);
  const oddU = differing(words, a + 2, b + 2) + differing(words, a + 3, b + 3);
  // Most pairs are told apart here: no mirroring can bring the distance below this.
  if (even + Math.min(oddU, QUARTER - oddU) > limit) return limit + 1;
  const oddV = differing(words, a + 4, b + 4) + differing(words, a + 5, b + 5);
  const oddUV = differing(words, a + 6, b + 6) + differing(words, a + 7, b + 7);
  const distance =
    even +
    Math.min(
      oddU + oddV + oddUV,
      QUARTER - oddU + oddV + QUARTER - oddUV,
      oddU + QUARTER - oddV + QUARTER - oddUV,
      QUARTER - oddU + QUARTER - oddV + oddUV,
    );
  return Math.min(distance, limit + 1);
}

function differing(words: Uint32Array, a: number, b: number): number {
  let bits = (words[a] as number) ^ (words[b] as number);
  bits -= (bits >>> 1) & 0x55555555;
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

function lowestFrequencies() {
  const quarter = (oddU: number, oddV: number) => {
    const found: { u: number; v: number }[] = [];
    for (let sum = 1; found.length < QUARTER; sum++) {
      for (let u = oddU; u <= sum; u += 2) if ((sum - u) % 2 === oddV) found.push({ u, v: sum - u });
    }
    return found.slice(0, QUARTER);
  };
  return [...quarter(0, 0), ...quarter(1, 0), ...quarter(0, 1), ...quarter(1, 1)];
}

/** Binomial 3 x 3 average times 16; the edge pixels are repeated. */
function blur(grey: Uint8Array): Float64Array {
  const side = RECIPE.side;
  const across = new Float64Array(grey.length);
  const out = new Float64Array(grey.length);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const at = y * side + x;
      const left = grey[x > 0 ? at - 1 : at] as number;
      const right = grey[x < side - 1 ? at + 1 : at] as number;
      across[at] = left + 2 * (grey[at] as number) + right;
    }
  }
  for (let at = 0; at < grey.length; at++) {
    const above = across[at >= side ? at - side : at] as number;
    const below = across[at < grey.length - side ? at + side : at] as number;
    out[at] = above + 2 * (across[at] as number) + below;
  }
  return out;
}

/** The picture with its centre of brightness in the middle and equal spread along both axes: SIDE x SIDE. */
function normalise(picture: Float64Array): Float64Array {
  const side = RECIPE.side;
  let [total, sumX, sumY, sumXX, sumYY] = [0, 0, 0, 0, 0];
  for (let y = 0, at = 0; y < side; y++) {
    for (let x = 0; x < side; x++, at++) {
      const weight = (picture[at] as number) - 16 * BACKGROUND;
      if (weight <= 0) continue;
      total += weight;
      sumX += weight * x;
      sumY += weight * y;
      sumXX += weight * x * x;
      sumYY += weight * y * y;
    }
  }
  const middle = (side - 1) / 2;
  const centreX = total > 0 ? sumX / total : middle;
  const centreY = total > 0 ? sumY / total : middle;
  const spread = (squares: number, centre: number) =>
    total > 0 ? Math.max(1, Math.sqrt(Math.max(0, squares / total - centre * centre))) : side / (2 * EXTENT);
  const stepX = (2 * EXTENT * spread(sumXX, centreX)) / SIDE;
  const stepY = (2 * EXTENT * spread(sumYY, centreY)) / SIDE;

  const out = new Float64Array(SIDE * SIDE);
  const value = (x: number, y: number) =>
    x >= 0 && y >= 0 && x < side && y < side ? (picture[y * side + x] as number) : 0;
  for (let j = 0; j < SIDE; j++) {
    const y = centreY + (j + 0.5 - SIDE / 2) * stepY;
    const y0 = Math.floor(y);
    const fy = y - y0;
    for (let i = 0; i < SIDE; i++) {
      const x = centreX + (i + 0.5 - SIDE / 2) * stepX;
      const x0 = Math.floor(x);
      const fx = x - x0;
      out[j * SIDE + i] =
        (1 - fy) * ((1 - fx) * value(x0, y0) + fx * value(x0 + 1, y0)) +
        fy * ((1 - fx) * value(x0, y0 + 1) + fx * value(x0 + 1, y0 + 1));
    }
  }
  return out;
}

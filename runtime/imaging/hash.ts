import { applyRecipeGrey, RECIPE } from "./recipe";
import type { GreyImage } from "./types";

/** Bits of a perceptual hash. */
const BITS = 256;
const WORDS = BITS / 32;

/**
 * Two pages whose hashes differ in at most this many bits (over mirrorings) are near-duplicates. On 2,846 public scans
 * re-encoding, resizing, small shifts, contrast and mirroring stay below it; slices of different patients start at 40.
 */
export const NEAR_DUPLICATE_DISTANCE = 36;

/** Side of the normalised picture whose frequencies are taken. */
const SIDE = 64;
/** Half its width, in standard deviations of the picture's brightness around its centre. */
const EXTENT = 2;
/** What is darker than this counts as background where the centre is sought. */
const BACKGROUND = 20;

/** The lowest horizontal (u) and vertical (v) frequencies without the constant one, in the order of the bits. */
const FREQUENCIES: readonly { readonly u: number; readonly v: number }[] = lowestFrequencies();
const HIGHEST = 1 + Math.max(...FREQUENCIES.map(({ u, v }) => Math.max(u, v)));

/** cos(pi (2x + 1) k / 2n), rounded to integers so that every machine has the same table. */
const COSINES = Array.from({ length: HIGHEST }, (_, k) =>
  Float64Array.from({ length: SIDE }, (_, x) =>
    Math.round(2 ** 20 * Math.cos((Math.PI * (2 * x + 1) * k) / (2 * SIDE))),
  ),
);

/**
 * What is to be XORed to a hash to get that of the page as it is, mirrored left to right, top to bottom, and both: a
 * mirrored picture has the same frequencies, the odd ones with the other sign. 4 x 8 words.
 */
export const MIRROR_MASKS: Uint32Array = mirrorMasks();

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
    if (sum < 0) setBit(words, 0, bit);
  });
  return Array.from(words, (word) => word.toString(16).padStart(8, "0")).join("");
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
  let best = limit + 1;
  for (let mask = 0; mask < MIRROR_MASKS.length; mask += WORDS) {
    let distance = 0;
    for (let w = 0; w < WORDS && distance < best; w++) {
      let bits = (words[a + w] as number) ^ (words[b + w] as number) ^ (MIRROR_MASKS[mask + w] as number);
      bits -= (bits >>> 1) & 0x55555555;
      bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
      distance += Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
    }
    if (distance < best) best = distance;
  }
  return best;
}

function lowestFrequencies() {
  const all: { u: number; v: number }[] = [];
  for (let sum = 1; all.length < BITS; sum++) for (let u = 0; u <= sum; u++) all.push({ u, v: sum - u });
  return all.slice(0, BITS);
}

function mirrorMasks(): Uint32Array {
  const masks = new Uint32Array(4 * WORDS);
  FREQUENCIES.forEach(({ u, v }, bit) => {
    if (u % 2) setBit(masks, WORDS, bit);
    if (v % 2) setBit(masks, 2 * WORDS, bit);
    if ((u + v) % 2) setBit(masks, 3 * WORDS, bit);
  });
  return masks;
}

function setBit(words: Uint32Array, offset: number, bit: number): void {
  const at = offset + (bit >>> 5);
  words[at] = (words[at] as number) | (0x80000000 >>> (bit & 31));
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

import { NEAR_DUPLICATE_DISTANCE, packHashes, SAME_PICTURE_DISTANCE } from "../imaging";

/** What decides whether two images are near-duplicates. */
export interface Hashed {
  /** 64 hex digits. */
  readonly phash: string;
  readonly patient: string | null;
  /** Pairs of two images that are not new were looked at by an earlier run. */
  readonly isNew: boolean;
}

const BITS = 256;
const WORDS = 8;
/** A hash is cut into as many bands: every 13th bit is of the same one, so that each has low and high frequencies. */
const BANDS = 13;
/** Values of the longest band, of 20 bits. */
const KEYS = 2 ** Math.ceil(BITS / BANDS);
/** Of hashes within the distance, at least one band differs in at most as many bits. */
const RADIUS = Math.floor(NEAR_DUPLICATE_DISTANCE / BANDS);
/** What to XOR to a hash's words to have the hash of the mirrored picture: two of the last three quarters inverted. */
const MIRRORINGS = [
  [0, 0, 0, 0, 0, 0, 0, 0],
  [0, 0, -1, -1, 0, 0, -1, -1],
  [0, 0, 0, 0, -1, -1, -1, -1],
  [0, 0, -1, -1, -1, -1, 0, 0],
].map((words) => Uint32Array.from(words));

/**
 * Calls `unite` with the positions of images that are near-duplicates: with enough pairs that everything which belongs
 * together is connected. Two images of patients who are known to differ have to show the same picture.
 *
 * No pair is missed, and few others are looked at: multi-index hashing (Norouzi, Punjani, Fleet, "Fast search in Hamming
 * space with multi-index hashing", CVPR 2012). Of two hashes at distance 38 or less, cut into 13 bands, one band differs
 * in at most 2 bits (else they would differ in 13 x 3 = 39), so it is enough to look up the neighbours of each band's value.
 */
export function uniteNearDuplicates(images: readonly Hashed[], unite: (a: number, b: number) => void): void {
  const pictures = distinctPictures(images, unite);
  const words = packHashes(pictures.map(({ phash }) => phash));
  const count = pictures.length;
  const isNew = Uint8Array.from(pictures, (picture) => (picture.isNew ? 1 : 0));
  if (!isNew.includes(1)) return;
  const strict = Uint8Array.from(pictures, (picture) => (picture.allKnown ? 1 : 0));

  const keys = new Uint32Array(count);
  const starts = new Uint32Array(KEYS + 1);
  const members = new Uint32Array(count);
  /** The hashes in the order of `members`. */
  const lined = new Uint32Array(count * WORDS);
  /** A bit a key: most probes hit nothing, and this is small enough to stay in the processor's cache. */
  const occupied = new Uint32Array(KEYS / 32);
  const mirrored = new Uint32Array(WORDS);
  for (let band = 0; band < BANDS; band++) {
    for (let i = 0; i < count; i++) keys[i] = bandKey(words, i * WORDS, band);
    index(keys, starts, members);
    for (let at = 0; at < count; at++) {
      const from = (members[at] as number) * WORDS;
      for (let w = 0; w < WORDS; w++) lined[at * WORDS + w] = words[from + w] as number;
    }
    occupied.fill(0);
    for (let i = 0; i < count; i++) {
      const key = keys[i] as number;
      occupied[key >>> 5] = (occupied[key >>> 5] as number) | (1 << (key & 31));
    }
    const probes = probesOf(band);
    for (const mirroring of MIRRORINGS) {
      const mirroredKey = bandKey(mirroring, 0, band);
      // In the order of their keys: what one hash looks up lies beside what the one before did, and is in the cache.
      for (let place = 0; place < count; place++) {
        const i = members[place] as number;
        if (!isNew[i]) continue;
        for (let w = 0; w < WORDS; w++) mirrored[w] = (lined[place * WORDS + w] as number) ^ (mirroring[w] as number);
        const key = (keys[i] as number) ^ mirroredKey;
        for (let p = 0; p < probes.length; p++) {
          const probe = key ^ (probes[p] as number);
          if ((((occupied[probe >>> 5] as number) >>> (probe & 31)) & 1) === 0) continue;
          const end = starts[probe + 1] as number;
          for (let at = starts[probe] as number; at < end; at++) {
            const j = members[at] as number;
            // A pair of two new pictures is met from both sides.
            if (j <= i && (j === i || isNew[j])) continue;
            const distance = distanceWithin(mirrored, lined, at * WORDS);
            if (distance > NEAR_DUPLICATE_DISTANCE) continue;
            // Pictures that share a patient are united by that, so those whose patients are all known are of others.
            if (strict[i] && strict[j] && distance > SAME_PICTURE_DISTANCE) continue;
            unite((pictures[i] as Picture).first, (pictures[j] as Picture).first);
          }
        }
      }
    }
  }
}

/** Bits in which a hash differs from the one at a position of packed words; any number above the limit if it is above. */
function distanceWithin(hash: Uint32Array, words: Uint32Array, at: number): number {
  let distance = 0;
  // From the highest frequencies on: they differ most between pictures that have nothing to do with each other.
  for (let w = WORDS - 1; w >= 0; w--) {
    let bits = (hash[w] as number) ^ (words[at + w] as number);
    bits -= (bits >>> 1) & 0x55555555;
    bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
    distance += Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
    if (distance > NEAR_DUPLICATE_DISTANCE) return distance;
  }
  return distance;
}

interface Picture {
  readonly phash: string;
  /** Position of its first image. */
  readonly first: number;
  isNew: boolean;
  /** Whether the patients of all its images are known. */
  allKnown: boolean;
}

/** Images with equal hashes are one picture, whoever's: they are united here and looked at as one. */
function distinctPictures(images: readonly Hashed[], unite: (a: number, b: number) => void): Picture[] {
  const pictures = new Map<string, Picture>();
  images.forEach(({ phash, patient, isNew }, position) => {
    const known = pictures.get(phash);
    if (known) {
      unite(known.first, position);
      known.isNew ||= isNew;
      known.allKnown &&= patient !== null;
    } else pictures.set(phash, { phash, first: position, isNew, allKnown: patient !== null });
  });
  return [...pictures.values()];
}

/** The bits of a band as a number. */
function bandKey(words: Uint32Array, at: number, band: number): number {
  let key = 0;
  for (let bit = band; bit < BITS; bit += BANDS) {
    key = (key << 1) | (((words[at + (bit >>> 5)] as number) >>> (31 - (bit & 31))) & 1);
  }
  return key;
}

/** Counting sort: `members` from `starts[key]` to `starts[key + 1]` are the positions whose key it is. */
function index(keys: Uint32Array, starts: Uint32Array, members: Uint32Array): void {
  starts.fill(0);
  for (let i = 0; i < keys.length; i++) {
    const next = (keys[i] as number) + 1;
    starts[next] = (starts[next] as number) + 1;
  }
  for (let key = 1; key < starts.length; key++) starts[key] = (starts[key] as number) + (starts[key - 1] as number);
  const next = starts.slice();
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i] as number;
    members[next[key] as number] = i;
    next[key] = (next[key] as number) + 1;
  }
}

/** What to XOR to a band's value to have every value within the radius of it. */
function probesOf(band: number): Uint32Array {
  const length = Math.ceil((BITS - band) / BANDS);
  const probes: number[] = [];
  const flip = (value: number, left: number, from: number) => {
    probes.push(value);
    if (left > 0) for (let bit = from; bit < length; bit++) flip(value ^ (1 << bit), left - 1, bit + 1);
  };
  flip(0, RADIUS, 0);
  return Uint32Array.from(probes);
}

import { packHashes } from "../imaging";
import { BANDS, BandSearch } from "./hamming/band-search";

/** What decides whether two images are near-duplicates. */
export interface Hashed {
  /** 64 hex digits. */
  readonly phash: string;
  readonly patient: string | null;
  /** Pairs of two images that are not new were looked at by an earlier run. */
  readonly isNew: boolean;
}

/** Distinct hashes, and what the search has to know of whoever has them: 34 bytes each. */
export interface Pictures {
  /** 8 words a hash, the first bit in the highest of the first. */
  readonly words: Uint32Array;
  /** 1 where one of its images is new. */
  readonly fresh: Uint8Array;
  /** 1 where the patients of all its images are known. */
  readonly allKnown: Uint8Array;
}

/** What can be searched for itself, in any order: see {@link nearPairs}. */
export const SEARCHES = BANDS;

/**
 * Positions of pictures that are near, two each: with the pairs of all searches, everything that is near is connected.
 * @param searches numbers from 0 to {@link SEARCHES} - 1
 * @yields now and then, so that the caller can show that it is alive
 */
export function* nearPairs(
  pictures: Pictures,
  searches: readonly number[] = Array.from({ length: SEARCHES }, (_, search) => search),
): Generator<undefined, Uint32Array> {
  if (!pictures.fresh.includes(1)) return new Uint32Array(0);
  const search = new BandSearch(pictures);
  for (const band of searches) for (const _ of search.lookUp(band)) yield;
  return search.pairs;
}

/** What a generator returns. */
export function resultOf<T>(steps: Generator<unknown, T>): T {
  for (;;) {
    const { value, done } = steps.next();
    if (done) return value;
  }
}

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
  const pairs = resultOf(
    nearPairs({
      words: packHashes(pictures.map(({ phash }) => phash)),
      fresh: Uint8Array.from(pictures, ({ isNew }) => Number(isNew)),
      allKnown: Uint8Array.from(pictures, ({ allKnown }) => Number(allKnown)),
    }),
  );
  const first = (at: number) => (pictures[pairs[at] as number] as Picture).first;
  for (let at = 0; at < pairs.length; at += 2) unite(first(at), first(at + 1));
}

interface Picture {
  readonly phash: string;
  /** Position of its first image. */
  readonly first: number;
  isNew: boolean;
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

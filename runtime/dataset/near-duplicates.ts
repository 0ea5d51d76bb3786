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
  if (!pictures.some(({ isNew }) => isNew)) return;
  const search = new BandSearch(packHashes(pictures.map(({ phash }) => phash)), pictures);
  for (let band = 0; band < BANDS; band++) search.lookUp(band);
  const { pairs } = search;
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

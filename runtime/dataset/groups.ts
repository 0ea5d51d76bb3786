import { createHash } from "node:crypto";
import type { Split } from "../intake";
import { uniteNearDuplicates } from "./near-duplicates";

/** The order in which splits win where groups meet: what was ever tested on is never trained on. */
const PRECEDENCE: readonly Split[] = ["test", "validation", "train"];

/** Shares of new groups. */
const TEST_SHARE = 0.15;
const VALIDATION_SHARE = 0.15;

/** What decides an image's group. */
export interface Groupable {
  readonly id: string;
  readonly sha256: string;
  /** By the current perceptual hash, 64 hex digits; null where the picture cannot be read to make it. */
  readonly phash: string | null;
  /** An earlier run compared it, by this same hash, with all others that it knew. */
  readonly compared: boolean;
  readonly patient: string | null;
  readonly study: string | null;
  readonly series: string | null;
  /** The split that the data's owner asks for. */
  readonly givenSplit: Split | null;
  /** What an earlier run decided. */
  readonly group: string | null;
  readonly split: Split | null;
}

export interface Assignment {
  readonly group: string;
  readonly split: Split;
}

export interface Grouping {
  /** By image id. */
  readonly assignments: ReadonlyMap<string, Assignment>;
  /** What a person should know. */
  readonly notes: readonly string[];
}

/**
 * Puts near-duplicates, equal pixels and slices of one patient, study or series into one group, and every group into one
 * split. A study is one patient's also where nobody says whose.
 *
 * - A new group is named after its smallest image id, and a hash of that name decides its split (70 / 15 / 15).
 * - A group that exists keeps its name and split. Where new images join groups, the smallest name stays, and the
 *   splits' order is test, validation, train.
 * - A given split holds for its image, and counts like a decided one for the rest of the group.
 *
 * The result does not depend on the order of the images. An image that was compared before is compared only with those
 * that were not, so of a run that was cut short it must be stored before these where its group changes.
 */
export function assignGroups(unordered: readonly Groupable[]): Grouping {
  const images = [...unordered].sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
  const sets = new DisjointSets(images.length);
  const uniteEqual = (key: (image: Groupable) => string | null) => {
    const first = new Map<string, number>();
    images.forEach((image, index) => {
      const value = key(image);
      if (value === null) return;
      const earlier = first.get(value);
      if (earlier === undefined) first.set(value, index);
      else sets.unite(earlier, index);
    });
  };
  for (const key of SAME) uniteEqual((image) => image[key]);
  const hashed = images.flatMap(({ phash, patient, compared }, index) =>
    phash === null ? [] : [{ index, phash, patient, isNew: !compared }],
  );
  uniteNearDuplicates(hashed, (a, b) => sets.unite((hashed[a] as Indexed).index, (hashed[b] as Indexed).index));

  const names = [...new Set(images.flatMap(({ group }) => group ?? []))].sort();
  const numbers = new Map(names.map((name, number) => [name, number]));
  const nameOf = (name: number) => (name < 0 ? (images[~name] as Groupable).id : (names[name] as string));
  const decision = decideGroups(sets, {
    groups: Int32Array.from(images, ({ group }) => (group === null ? NO_GROUP : (numbers.get(group) as number))),
    splits: Uint8Array.from(images, ({ split }) => codeOfSplit(split)),
    given: Uint8Array.from(images, ({ givenSplit }) => codeOfSplit(givenSplit)),
    shareOf: (name) => shareOf(nameOf(name)),
  });
  const assignments = new Map<string, Assignment>();
  images.forEach(({ id }, index) => {
    const split = SPLIT_CODES[decision.splits[index] as number] as Split;
    assignments.set(id, { group: nameOf(decision.names[index] as number), split });
  });
  return { assignments, notes: decision.notes };
}

/** What images of one group may have in common. Near-duplicates come to it. */
export const SAME = ["patient", "study", "series", "sha256"] as const satisfies readonly (keyof Groupable)[];

interface Indexed {
  readonly index: number;
}

/** Splits by their codes; one more stands for none. */
export const SPLIT_CODES: readonly Split[] = PRECEDENCE;
const NO_SPLIT = PRECEDENCE.length;
const NO_GROUP = -1;

const codeOfSplit = (split: Split | null) => (split === null ? NO_SPLIT : PRECEDENCE.indexOf(split));

/** What is known of images 0 to n - 1, which are ascending by id: numbers alone, so that millions fit into memory. */
export interface GroupingFacts {
  /** What an earlier run decided: numbers of group names that are ascending as the names are; -1 where there is none. */
  readonly groups: Int32Array;
  /** Codes of the splits that an earlier run decided, see {@link SPLIT_CODES}; 3 where there is none. */
  readonly splits: Uint8Array;
  /** Codes of the splits that the data's owner asks for; 3 where there is none. */
  readonly given: Uint8Array;
  /** {@link splitOfNewGroup}: the first 32 bits of the hash of a name. Of an image's id where it is the image's complement. */
  readonly shareOf: (name: number) => number;
}

export interface GroupingDecision {
  /** Of each image: the number of its group's name, or the complement (`~`) of the image whose id it is. */
  readonly names: Int32Array;
  /** Codes. */
  readonly splits: Uint8Array;
  readonly notes: readonly string[];
}

/**
 * Names the groups and gives them their splits, see {@link assignGroups}.
 * @param sets images that belong together; those of one earlier group are added to it
 */
export function decideGroups(
  sets: DisjointSets,
  { groups, splits, given, shareOf: shareOfName }: GroupingFacts,
): GroupingDecision {
  const count = groups.length;
  const first = new Int32Array(groups.reduce((most, group) => Math.max(most, group), NO_GROUP) + 1).fill(-1);
  groups.forEach((group, image) => {
    if (group === NO_GROUP) return;
    const earlier = first[group] as number;
    if (earlier < 0) first[group] = image;
    else sets.unite(earlier, image);
  });

  // By the root of each set.
  const names = new Int32Array(count);
  for (let image = 0; image < count; image++) names[image] = ~image;
  const earlierGroups = new Int32Array(count);
  first.forEach((image, group) => {
    if (image < 0) return;
    const root = sets.find(image);
    if (earlierGroups[root] === 0) names[root] = group;
    earlierGroups[root] = (earlierGroups[root] as number) + 1;
  });
  const decided = new Uint8Array(count).fill(NO_SPLIT);
  for (let image = 0; image < count; image++) {
    const root = sets.find(image);
    const asked = given[image] === NO_SPLIT ? (splits[image] as number) : (given[image] as number);
    decided[root] = Math.min(decided[root] as number, asked);
  }

  const own = new Uint8Array(count);
  const sizes = new Int32Array(count);
  const seen = new Uint8Array(count);
  let moved = 0;
  for (let image = 0; image < count; image++) {
    const root = sets.find(image);
    if (decided[root] === NO_SPLIT) decided[root] = codeOfSplit(splitOfShare(shareOfName(names[root] as number)));
    const split = given[image] === NO_SPLIT ? (decided[root] as number) : (given[image] as number);
    own[image] = split;
    names[image] = names[root] as number;
    sizes[root] = (sizes[root] as number) + 1;
    seen[root] = (seen[root] as number) | (1 << split);
    if (splits[image] !== NO_SPLIT && splits[image] !== split) moved++;
  }
  const tally = { moved, joined: 0, conflicts: 0, conflicting: 0, images: count, largest: 0 };
  for (let root = 0; root < count; root++) {
    tally.largest = Math.max(tally.largest, sizes[root] as number);
    if ((earlierGroups[root] as number) > 1) tally.joined += earlierGroups[root] as number;
    const mask = seen[root] as number;
    if ((mask & (mask - 1)) === 0) continue;
    tally.conflicts++;
    tally.conflicting += sizes[root] as number;
  }
  return { names, splits: own, notes: describe(tally) };
}

/** What is hashed to have the split of a new group. */
export const SPLIT_PREFIX = "split:";

/** 15 % test, 15 % validation, the rest train, by a hash of the group's name. */
export function splitOfNewGroup(name: string): Split {
  return splitOfShare(shareOf(name));
}

function shareOf(name: string): number {
  return createHash("sha256")
    .update(SPLIT_PREFIX + name)
    .digest()
    .readUInt32BE(0);
}

function splitOfShare(bits: number): Split {
  const share = bits / 2 ** 32;
  return share < TEST_SHARE ? "test" : share < TEST_SHARE + VALIDATION_SHARE ? "validation" : "train";
}

/** A group of a larger share, in a collection that is not tiny, is no patient. */
const LARGE_SHARE = 0.25;
const NOT_TINY = 200;

function describe(
  tally: Readonly<Record<"moved" | "joined" | "conflicts" | "conflicting" | "images" | "largest", number>>,
) {
  const notes: string[] = [];
  if (tally.images >= NOT_TINY && tally.largest > LARGE_SHARE * tally.images) {
    notes.push(
      `One group holds ${tally.largest} of ${tally.images} images. If scans of many people have one patient id in their ` +
        "headers, name patients in the column patient_id of manifest.csv: what stands there counts.",
    );
  }
  if (tally.joined > 0) {
    notes.push(`${tally.joined} groups turned out to belong together and were joined.`);
  }
  if (tally.moved > 0) {
    notes.push(
      `${tally.moved} images changed their split because their groups were joined (test before validation before ` +
        "train). A model trained before may have seen some of today's test images: train again before comparing.",
    );
  }
  if (tally.conflicts > 0) {
    notes.push(
      `${tally.conflicts} groups (${tally.conflicting} images) have near-duplicates or slices of one patient or study in ` +
        "different splits because manifest.csv gives them so. Training refuses this; correct the column split.",
    );
  }
  return notes;
}

/** Numbers that belong together; the root of a set is its smallest. */
export class DisjointSets {
  private readonly parent: Int32Array;

  constructor(size: number) {
    this.parent = Int32Array.from({ length: size }, (_, i) => i);
  }

  find(element: number): number {
    let at = element;
    while (this.parent[at] !== at) {
      const up = this.parent[this.parent[at] as number] as number;
      this.parent[at] = up;
      at = up;
    }
    return at;
  }

  unite(a: number, b: number): void {
    const [first, second] = [this.find(a), this.find(b)];
    this.parent[Math.max(first, second)] = Math.min(first, second);
  }
}

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
 * Puts near-duplicates, equal pixels and slices of one patient into one group, and every group into one split.
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
  uniteEqual((image) => image.group);
  uniteEqual((image) => image.patient);
  uniteEqual((image) => image.sha256);
  const hashed = images.flatMap(({ phash, patient, compared }, index) =>
    phash === null ? [] : [{ index, phash, patient, isNew: !compared }],
  );
  uniteNearDuplicates(hashed, (a, b) => sets.unite((hashed[a] as Indexed).index, (hashed[b] as Indexed).index));

  const members = new Map<number, Groupable[]>();
  images.forEach((image, index) => {
    const root = sets.find(index);
    const set = members.get(root);
    if (set) set.push(image);
    else members.set(root, [image]);
  });

  const assignments = new Map<string, Assignment>();
  const tally = { moved: 0, joined: 0, conflicts: 0, conflicting: 0 };
  for (const set of members.values()) {
    const names = new Set(set.flatMap((image) => image.group ?? []));
    const name = smallest(names.size > 0 ? names : set.map((image) => image.id));
    const split = splitOfGroup(set) ?? splitOfNewGroup(name);
    if (names.size > 1) tally.joined += names.size;
    const splits = new Set<Split>();
    for (const image of set) {
      const own = image.givenSplit ?? split;
      splits.add(own);
      if (image.split !== null && image.split !== own) tally.moved++;
      assignments.set(image.id, { group: name, split: own });
    }
    if (splits.size > 1) {
      tally.conflicts++;
      tally.conflicting += set.length;
    }
  }
  return { assignments, notes: describe(tally) };
}

interface Indexed {
  readonly index: number;
}

/** 15 % test, 15 % validation, the rest train, by a hash of the group's name. */
export function splitOfNewGroup(name: string): Split {
  const share = createHash("sha256").update(`split:${name}`).digest().readUInt32BE(0) / 2 ** 32;
  return share < TEST_SHARE ? "test" : share < TEST_SHARE + VALIDATION_SHARE ? "validation" : "train";
}

function splitOfGroup(set: readonly Groupable[]): Split | undefined {
  const decided = new Set(set.map((image) => image.givenSplit ?? image.split));
  return PRECEDENCE.find((split) => decided.has(split));
}

function describe(tally: { moved: number; joined: number; conflicts: number; conflicting: number }): string[] {
  const notes: string[] = [];
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
      `${tally.conflicts} groups (${tally.conflicting} images) have near-duplicates or slices of one patient in ` +
        "different splits because manifest.csv gives them so. Training refuses this; correct the column split.",
    );
  }
  return notes;
}

function smallest(values: Iterable<string>): string {
  let least: string | undefined;
  for (const value of values) if (least === undefined || value < least) least = value;
  return least as string;
}

class DisjointSets {
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

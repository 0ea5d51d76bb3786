import { hashDistance, NEAR_DUPLICATE_DISTANCE } from "../imaging";
import { asSplit, SPLITS, type Split } from "../intake";
import { TORN_GROUPS, type Warehouse } from "../platform/warehouse";

/** One curated page with its split. */
export interface SplitMember {
  readonly source: string;
  readonly sha256: string;
  /** Id of the perceptual hash by which it was compared with others, and that hash: 64 hex digits. */
  readonly hash: string | null;
  readonly phash: string | null;
  readonly patient: string | null;
  readonly study: string | null;
  readonly group: string;
  readonly split: Split;
}

/** A group that stands in more than one split. */
export interface Leak {
  readonly group: string;
  /** Names two of its images and says why they belong together. */
  readonly sentence: string;
}

/** Every group that is torn. Groups are what must not be: patients, studies and near-duplicates. */
export function findLeaks(members: readonly SplitMember[]): Leak[] {
  const groups = new Map<string, SplitMember[]>();
  for (const member of members) {
    const group = groups.get(member.group);
    if (group) group.push(member);
    else groups.set(member.group, [member]);
  }
  const torn = [...groups.values()].filter((group) => group.some(({ split }) => split !== group[0]?.split));
  return torn.map((group) => ({ group: group[0]?.group ?? "", sentence: describeClosestPair(group) }));
}

/** Images of a torn group that are compared, of each split: a group may have tens of thousands. */
const COMPARED = 500;

/** Prefers what needs no measuring: one patient or study, then equal pixels, then the pair whose pictures differ least. */
function describeClosestPair(group: readonly SplitMember[]): string {
  const all = [...group].sort((a, b) => (a.source < b.source ? -1 : 1));
  const some = new Set(SPLITS.flatMap((split) => all.filter((member) => member.split === split).slice(0, COMPARED)));
  const sorted = all.filter((member) => some.has(member));
  let best: { a: SplitMember; b: SplitMember; rank: number; why: string } | undefined;
  for (const [i, a] of sorted.entries()) {
    for (const b of sorted.slice(i + 1)) {
      if (a.split === b.split) continue;
      const kinship = kinshipOf(a, b);
      if (!best || kinship.rank < best.rank) best = { a, b, ...kinship };
      if (best.rank === 0) return sentence(best);
    }
  }
  if (!best) throw new Error("A group in one split alone cannot leak.");
  return sentence(best);
}

function kinshipOf(a: SplitMember, b: SplitMember): { rank: number; why: string } {
  if (a.patient !== null && a.patient === b.patient) return { rank: 0, why: "are of the same patient" };
  if (a.study !== null && a.study === b.study) return { rank: 0, why: "are of the same study" };
  if (a.sha256 === b.sha256) return { rank: 1, why: "have the same pixels" };
  const linked = "belong to one group by way of other images that link them";
  // Hashes of two kinds say nothing of each other.
  if (a.hash !== b.hash || a.phash === null || b.phash === null) return { rank: Number.MAX_VALUE, why: linked };
  const distance = hashDistance(a.phash, b.phash);
  const rank = 2 + distance;
  if (distance > NEAR_DUPLICATE_DISTANCE) return { rank, why: linked };
  const bits = distance === 1 ? "1 bit" : `${distance} bits`;
  return {
    rank,
    why: `are near-duplicates (distance ${bits} of 256; up to ${NEAR_DUPLICATE_DISTANCE} count as the same picture)`,
  };
}

function sentence({ a, b, why }: { a: SplitMember; b: SplitMember; why: string }): string {
  return `${a.source} (${a.split}) and ${b.source} (${b.split}) ${why}.`;
}

/**
 * Every current image of a group that is torn, second names of equal pixels included: a shard holds those once, and
 * would hide that they were asked for on both sides.
 */
export async function tornMembers({ warehouse }: { readonly warehouse: Warehouse }): Promise<SplitMember[]> {
  const members = await warehouse.ask(TORN_GROUPS, {});
  return members.flatMap((member) => {
    const split = asSplit(member.split);
    return split ? [{ ...member, split }] : [];
  });
}

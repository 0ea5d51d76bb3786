import { createHash } from "node:crypto";

/*
 * The Merkle tree of RFC 6962, section 2.1 (https://www.rfc-editor.org/rfc/rfc6962#section-2.1): SHA-256, leaves and nodes
 * told apart by their first byte. Pure: where hashes lie is the reader's affair, who gives those of perfect subtrees.
 */

/** The hash of the perfect subtree over leaves `index * 2^level` up to, and without, `(index + 1) * 2^level`. */
export type Nodes = (level: number, index: number) => Promise<Buffer>;

/** Bytes of a hash. */
export const HASH_BYTES = 32;

export const EMPTY_ROOT: Buffer = createHash("sha256").digest();

const LEAF = Buffer.of(0);
const NODE = Buffer.of(1);

export const leafHash = (data: Buffer | string): Buffer => createHash("sha256").update(LEAF).update(data).digest();

export const nodeHash = (left: Buffer, right: Buffer): Buffer =>
  createHash("sha256").update(NODE).update(left).update(right).digest();

/** The root of the tree over the first `size` leaves. */
export const rootOf = (nodes: Nodes, size: number): Promise<Buffer> =>
  size === 0 ? Promise.resolve(EMPTY_ROOT) : hashOf(nodes, 0, size);

/**
 * PATH: the hashes that lead from a leaf to the root.
 * @throws {RangeError} if there is no such leaf
 */
export async function inclusionProof(nodes: Nodes, index: number, size: number): Promise<Buffer[]> {
  if (!(index >= 0 && index < size)) throw new RangeError(`A tree of ${size} leaves has no leaf ${index}.`);
  const path = async (begin: number, end: number): Promise<Buffer[]> => {
    if (end - begin === 1) return [];
    const middle = begin + below(end - begin);
    return index < middle
      ? [...(await path(begin, middle)), await hashOf(nodes, middle, end)]
      : [...(await path(middle, end)), await hashOf(nodes, begin, middle)];
  };
  return path(0, size);
}

/**
 * PROOF: the hashes which show that a tree begins with the leaves of a smaller one.
 * @throws {RangeError} if the first is not the smaller
 */
export async function consistencyProof(nodes: Nodes, first: number, second: number): Promise<Buffer[]> {
  if (!(first >= 0 && first <= second)) throw new RangeError(`A tree of ${second} leaves has no first ${first}.`);
  const proof = async (begin: number, end: number, whole: boolean): Promise<Buffer[]> => {
    if (first === end) return whole ? [] : [await hashOf(nodes, begin, end)];
    const middle = begin + below(end - begin);
    return first <= middle
      ? [...(await proof(begin, middle, whole)), await hashOf(nodes, middle, end)]
      : [...(await proof(middle, end, false)), await hashOf(nodes, begin, middle)];
  };
  return first === 0 ? [] : proof(0, second, true);
}

/** The root that an inclusion proof leads to; undefined if it has too few hashes, or too many. */
export function rootOfInclusion(
  index: number,
  size: number,
  leaf: Buffer,
  proof: readonly Buffer[],
): Buffer | undefined {
  let used = proof.length;
  const up = (begin: number, end: number): Buffer | undefined => {
    if (end - begin === 1) return leaf;
    const middle = begin + below(end - begin);
    const sibling = proof[--used];
    const own = index < middle ? up(begin, middle) : up(middle, end);
    if (!sibling || !own) return undefined;
    return index < middle ? nodeHash(own, sibling) : nodeHash(sibling, own);
  };
  const root = up(0, size);
  return used === 0 ? root : undefined;
}

/** The largest power of two below a size of two or more. Sizes pass 2^31, where bit operations end. */
function below(size: number): number {
  let power = 1;
  while (power * 2 < size) power *= 2;
  return power;
}

async function hashOf(nodes: Nodes, begin: number, end: number): Promise<Buffer> {
  const size = end - begin;
  const level = Math.log2(size);
  if (Number.isInteger(level)) return nodes(level, begin / size);
  const middle = begin + below(size);
  return nodeHash(await hashOf(nodes, begin, middle), await hashOf(nodes, middle, end));
}

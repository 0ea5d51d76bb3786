import { HASH_BYTES, type Nodes, nodeHash } from "./merkle";

/*
 * Hashes in tiles of up to 256, as https://c2sp.org/tlog-tiles lays them out: tile L/N holds the hashes of tree level 8 L from
 * 256 N on. A tile that is not full has its width in its name, so each is created once and never replaced.
 */

const HEIGHT = 8;
const WIDTH = 2 ** HEIGHT;
/** Tiles that a reader keeps. A proof over a million leaves needs six. */
const KEPT = 64;

export interface Tile {
  /** `tile/0/x001/234.p/17` */
  readonly name: string;
  readonly content: Buffer;
}

/** Gives the content of the tile of a name; undefined where there is none. */
export type ReadTile = (name: string) => Promise<Buffer | undefined>;

/** A tile that is not there, or not as long as its name says. */
export class DamagedTile extends Error {
  constructor(readonly tile: string) {
    super(`The log's ${tile} is missing or damaged: npm run audit -- verify says more.`);
  }
}

/** @param width hashes in it, 1 to 256 */
export function tileName(level: number, index: number, width: number): string {
  const digits = String(index);
  const groups = digits.padStart(Math.ceil(digits.length / 3) * 3, "0").match(/\d{3}/g) as string[];
  const last = groups.pop();
  const path = [...groups.map((group) => `x${group}`), last].join("/");
  return `tile/${level}/${path}${width === WIDTH ? "" : `.p/${width}`}`;
}

/** Hashes of a level of tiles in a tree of a size. */
const countAt = (level: number, size: number): number => Math.floor(size / WIDTH ** level);

/** The hashes of a tree of one size, out of tiles; each is read once. */
export function nodesOf(read: ReadTile, size: number): Nodes {
  const kept = new Map<string, Promise<Buffer>>();
  const tile = (level: number, index: number): Promise<Buffer> => {
    const width = Math.min(WIDTH, countAt(level, size) - index * WIDTH);
    const name = tileName(level, index, width);
    const known = kept.get(name);
    if (known) return known;
    const found = readTile(read, level, index, width);
    if (kept.size >= KEPT) kept.clear();
    kept.set(name, found);
    return found;
  };
  return async (level, index) => {
    const span = 2 ** (level % HEIGHT);
    const first = index * span;
    const content = await tile(Math.floor(level / HEIGHT), Math.floor(first / WIDTH));
    return subtree(content, first % WIDTH, span);
  };
}

async function readTile(read: ReadTile, level: number, index: number, width: number): Promise<Buffer> {
  const name = tileName(level, index, width);
  // Of a size that no checkpoint has there may be the full tile alone.
  const content = (await read(name)) ?? (width < WIDTH ? await read(tileName(level, index, WIDTH)) : undefined);
  if (!content || content.length < width * HASH_BYTES) throw new DamagedTile(name);
  return content.subarray(0, width * HASH_BYTES);
}

function subtree(hashes: Buffer, first: number, span: number): Buffer {
  if (span === 1) return hashes.subarray(first * HASH_BYTES, (first + 1) * HASH_BYTES);
  return nodeHash(subtree(hashes, first, span / 2), subtree(hashes, first + span / 2, span / 2));
}

/**
 * The tiles that come with more leaves: of each level its last one, and those after it. What is read and made depends on
 * how many come, and not on how many there are.
 *
 * @throws {DamagedTile} if the last tiles of the tree cannot be read
 */
export async function tilesOfMore(read: ReadTile, size: number, leaves: readonly Buffer[]): Promise<Tile[]> {
  const tiles: Tile[] = [];
  let more = leaves;
  for (let level = 0; more.length > 0; level++) {
    const there = countAt(level, size);
    const begun = there % WIDTH;
    let index = Math.floor(there / WIDTH);
    const before = begun === 0 ? Buffer.alloc(0) : await readTile(read, level, index, begun);
    const all = Buffer.concat([before, ...more]);
    const above: Buffer[] = [];
    for (let at = 0; at < all.length; at += WIDTH * HASH_BYTES, index++) {
      const content = all.subarray(at, at + WIDTH * HASH_BYTES);
      const width = content.length / HASH_BYTES;
      tiles.push({ name: tileName(level, index, width), content });
      if (width === WIDTH) above.push(subtree(content, 0, WIDTH));
    }
    more = above;
  }
  return tiles;
}

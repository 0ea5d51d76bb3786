import { createHash } from "node:crypto";
import { type CreatableStore, ObjectNotFoundError, type ReadableStore, tryToCreate } from "../platform/stores";
import { type LeafData, leafBytes, readLeaf } from "./leaf";
import { leafHash, type Nodes, rootOf } from "./merkle";
import { type Checkpoint, decodeKey, encodeKey, type NoteKey, openCheckpoint } from "./note";
import { nodesOf, type ReadTile, tilesOfMore } from "./tiles";

/** Where a log lies: objects are added to it and none is replaced. */
export type LogStore = ReadableStore & CreatableStore;

/** What one checkpoint adds to a log. */
export interface Chunk {
  /** Leaves before it. */
  readonly from: number;
  readonly leaves: readonly LeafData[];
}

/**
 * Two logs begin alike and go on differently, or one was changed: an object that is to be added is there with another content.
 */
export class ForkedLog extends Error {}

const KEY = "key";
const ENTRIES = "entries/";
const CHECKPOINTS = "checkpoints/";
/** The content of an object, or undefined. @throws {ChecksumMismatchError} */
export async function contentOf(store: ReadableStore, name: string): Promise<Buffer | undefined> {
  try {
    return await store.read(name);
  } catch (error) {
    if (error instanceof ObjectNotFoundError) return undefined;
    throw error;
  }
}

/** Names sort as their numbers do. */
const DIGITS = 12;

export const numbered = (folder: string, number: number, ending = ""): string =>
  `${folder}${String(number).padStart(DIGITS, "0")}${ending}`;

/** The numbers that objects below a folder are named by, ascending. */
export async function numbersIn(store: ReadableStore, folder: string): Promise<number[]> {
  const numbers: number[] = [];
  for await (const { name } of store.listAll(folder)) {
    const [, number] = /\/(\d{12})(?:\.[a-z]+)?$/.exec(name) ?? [];
    if (number !== undefined) numbers.push(Number(number));
  }
  return numbers;
}

const entriesName = (from: number) => numbered(ENTRIES, from, ".jsonl");
const checkpointName = (size: number) => numbered(CHECKPOINTS, size);

/**
 * The log in one place.
 *
 *     key                         the public key that all checkpoints are signed by
 *     entries/<leaves before>     the leaves that came with a checkpoint, a line each
 *     tile/...                    their hashes, see tiles.ts
 *     checkpoints/<size>          signed notes, one after each entries/
 */
export class Log {
  constructor(readonly store: LogStore) {}

  /** Its key, or undefined before its first checkpoint. @throws {BadNote} */
  async key(): Promise<NoteKey | undefined> {
    const content = await this.content(KEY);
    return content && decodeKey(content.toString("utf8"));
  }

  /** Sizes at which there are checkpoints, ascending. */
  checkpoints(): Promise<number[]> {
    return numbersIn(this.store, CHECKPOINTS);
  }

  /** Leaves before each of its entries, ascending. */
  entries(): Promise<number[]> {
    return numbersIn(this.store, ENTRIES);
  }

  async note(size: number): Promise<string | undefined> {
    return (await this.content(checkpointName(size)))?.toString("utf8");
  }

  /** Its last checkpoint; undefined before the first. @throws {BadNote} */
  async newest(key: NoteKey): Promise<Checkpoint | undefined> {
    const size = (await this.checkpoints()).at(-1);
    const note = size === undefined ? undefined : await this.note(size);
    return note === undefined ? undefined : openCheckpoint(note, key);
  }

  /** The leaves that begin at a number, or undefined. A line that is no leaf is undefined itself. */
  async leaves(from: number): Promise<(LeafData | undefined)[] | undefined> {
    const content = await this.content(entriesName(from));
    if (!content) return undefined;
    return linesOf(content).map(readLeaf);
  }

  readonly readTile: ReadTile = (name) => this.content(name);

  /** Hashes of its first `size` leaves. */
  nodes(size: number): Nodes {
    return nodesOf(this.readTile, size);
  }

  /**
   * The root that it has, or will have, with a chunk. Tiles are added; what is there already is left as it is.
   * @throws {ForkedLog} @throws {DamagedTile}
   */
  async add({ from, leaves }: Chunk): Promise<Buffer> {
    await this.put(entriesName(from), leaves.map((leaf) => `${leafBytes(leaf)}\n`).join(""));
    const hashes = leaves.map((leaf) => leafHash(leafBytes(leaf)));
    for (const { name, content } of await tilesOfMore(this.readTile, from, hashes)) await this.put(name, content);
    const size = from + leaves.length;
    return rootOf(this.nodes(size), size);
  }

  /** Adds the checkpoint of a size, and the key before the first. @throws {ForkedLog} */
  async sign(size: number, note: string, key: NoteKey): Promise<void> {
    await this.put(KEY, `${encodeKey(key)}\n`);
    await this.put(checkpointName(size), note);
  }

  /** Whether its first `whole` leaves, at which it has a checkpoint, begin with the tree of another checkpoint. */
  async beginsWith({ size, root }: Checkpoint, whole: number): Promise<boolean> {
    return (await rootOf(this.nodes(whole), size)).equals(root);
  }

  private content(name: string): Promise<Buffer | undefined> {
    return contentOf(this.store, name);
  }

  private async put(name: string, content: Buffer | string): Promise<void> {
    if (await tryToCreate(this.store, name, content)) return;
    const there = await this.store.read(name);
    if (sha256(there) !== sha256(content))
      throw new ForkedLog(
        `${this.store.uri}/${name} is there with another content: the log was changed, or two logs went on from one state.`,
      );
  }
}

export function linesOf(content: Buffer): string[] {
  const lines = content.toString("utf8").split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

const sha256 = (content: Buffer | string) => createHash("sha256").update(content).digest("hex");

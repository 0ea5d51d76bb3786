import { createReadStream } from "node:fs";
import { copyFile } from "node:fs/promises";
import type { Pictures } from "../dataset";
import { DAY_MS } from "../platform/day";
import { type ObjectStore, readJson } from "../platform/stores";

const ROOT = "planning/";
/** A folder that no run has touched for as long is what a killed one left. */
const STALE_MS = DAY_MS;

/**
 * What the processes of one run leave each other while they plan, below `planning/` in the processed bucket: nothing of it
 * passes through the driver, and a task that is repeated finds it again.
 */
export class PlanningFolder {
  constructor(
    private readonly store: ObjectStore,
    /** Made for this run: letters, digits and hyphens. */
    private readonly run: string,
  ) {
    if (!/^[0-9a-zA-Z-]+$/.test(run)) throw new Error(`"${run}" is no name of a run.`);
  }

  /** Stores the images of a plan, unless the run has done so: all its processes plan of the same. */
  async keepImages(file: string): Promise<void> {
    await this.store.write(this.name("images.parquet"), createReadStream(file));
  }

  /** Copies the images that were stored to a file. False if there are none yet. */
  async images(file: string): Promise<boolean> {
    if (!(await this.store.stat(this.name("images.parquet")))) return false;
    const { path, release } = await this.store.materialize(this.name("images.parquet"));
    try {
      await copyFile(path, file);
    } finally {
      await release();
    }
    return true;
  }

  async keepHashes(piece: string, hashes: ReadonlyMap<string, string>): Promise<void> {
    await this.store.write(this.name(`hashes/${piece}.json`), JSON.stringify(Object.fromEntries(hashes)));
  }

  /** Hashes by image id, some at a time. */
  async *hashes(): AsyncGenerator<ReadonlyMap<string, string>> {
    for await (const { name } of this.store.listAll(this.name("hashes/")))
      yield new Map(Object.entries((await readJson(this.store, name)) as Record<string, string>));
  }

  /** Stores pictures, so that each search finds them. */
  async keepPictures({ words, fresh, allKnown, firsts }: IndexedPictures): Promise<void> {
    const parts = [words, firsts, fresh, allKnown].map(({ buffer, byteOffset, byteLength }) =>
      Buffer.from(buffer, byteOffset, byteLength),
    );
    await this.store.write(this.name("pictures"), Buffer.concat(parts));
  }

  async pictures(): Promise<IndexedPictures> {
    const read = await this.store.read(this.name("pictures"));
    // Words begin where four divides the address.
    const { buffer, byteOffset, byteLength } = read.byteOffset % 4 === 0 ? read : Uint8Array.from(read);
    const count = byteLength / BYTES_A_PICTURE;
    return {
      words: new Uint32Array(buffer, byteOffset, 8 * count),
      firsts: new Uint32Array(buffer, byteOffset + 32 * count, count),
      fresh: new Uint8Array(buffer, byteOffset + 36 * count, count),
      allKnown: new Uint8Array(buffer, byteOffset + 37 * count, count),
    };
  }

  async keepPairs(search: number, pairs: Uint32Array): Promise<void> {
    await this.store.write(this.name(`pairs/${search}`), Buffer.from(pairs.buffer, pairs.byteOffset, pairs.byteLength));
  }

  /** The pairs of so many searches. @throws if one is missing */
  async pairs(searches: number): Promise<Uint32Array[]> {
    const all: Uint32Array[] = [];
    for (let search = 0; search < searches; search++) {
      const bytes = Uint8Array.from(await this.store.read(this.name(`pairs/${search}`)));
      all.push(new Uint32Array(bytes.buffer));
    }
    return all;
  }

  /** Deletes what this run and those that died long ago have left. */
  async clean(now: number = Date.now()): Promise<void> {
    for await (const { name, updated } of this.store.listAll(ROOT))
      if (name.startsWith(this.name("")) || now - Date.parse(updated) > STALE_MS) await this.store.delete(name);
  }

  private name(part: string): string {
    return `${ROOT}${this.run}/${part}`;
  }
}

/** Pictures, and the position of the first image of each. */
export type IndexedPictures = Pictures & { readonly firsts: Uint32Array };

/** A hash, a position and two marks. */
const BYTES_A_PICTURE = 32 + 4 + 2;

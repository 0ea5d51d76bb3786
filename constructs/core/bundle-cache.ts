import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Keeps bundles in dist/, so that a synth bundles only what has changed. A bundle is found by a key over all that it can
 * be made of: every source file of the folders (also a new one, which may shadow another), the lock file, which fixes the
 * packages, and how it is bundled.
 */
export class BundleCache {
  private readonly folder: string;

  /** @param sources folders, from the root, of everything that is bundled */
  constructor(
    private readonly root: string,
    private readonly sources: readonly string[],
  ) {
    this.folder = join(root, "dist", ".bundles");
  }

  /** @param recipe whatever else decides what a bundle is: the bundler's version and options */
  key(recipe: unknown): string {
    const hash = createHash("sha256").update(JSON.stringify(recipe));
    for (const path of [
      "package-lock.json",
      "tsconfig.json",
      ...this.sources.flatMap((folder) => filesBelow(this.root, folder)),
    ]) {
      const content = readFileSync(join(this.root, path));
      hash.update(`${path}:${content.byteLength}:`).update(content);
    }
    return hash.digest("hex");
  }

  /** A capability's bundle under a key; undefined if there is none, or not whole. */
  get(name: string, key: string): CachedBundle | undefined {
    return readBundle(this.folder, `${name}-${key}`);
  }

  /** Replaces what the capability had. Another synth at the same time sees no bundle or a whole one. */
  put(name: string, key: string, bundle: CachedBundle): void {
    mkdirSync(this.folder, { recursive: true });
    for (const file of readdirSync(this.folder))
      if (file.startsWith(`${name}-`)) rmSync(join(this.folder, file), { force: true });
    writeBundle(this.folder, `${name}-${key}`, bundle);
  }
}

export interface CachedBundle {
  /** Of the files, see {@link file://./runtime-bundle.ts}. */
  readonly sha256: string;
  readonly zip: Uint8Array;
}

/** A bundle that lies in a folder as NAME.zip and NAME.json; undefined if there is none, or not whole. */
export function readBundle(folder: string, name: string): CachedBundle | undefined {
  try {
    const description = readFileSync(join(folder, `${name}.json`), "utf8");
    const { sha256, zipSha256 } = JSON.parse(description) as Record<string, string>;
    const zip = readFileSync(join(folder, `${name}.zip`));
    return sha256 !== undefined && digest(zip) === zipSha256 ? { sha256, zip } : undefined;
  } catch {
    return undefined;
  }
}

/** Lays a bundle down for {@link readBundle}. @param folder exists */
export function writeBundle(folder: string, name: string, { sha256, zip }: CachedBundle): void {
  const write = (file: string, content: Uint8Array | string) => {
    const partial = join(folder, `partial-${process.pid}`);
    writeFileSync(partial, content);
    renameSync(partial, join(folder, file));
  };
  write(`${name}.zip`, zip);
  write(`${name}.json`, JSON.stringify({ sha256, zipSha256: digest(zip) }));
}

const digest = (content: Uint8Array): string => createHash("sha256").update(content).digest("hex");

/** Files below a folder, as paths from the root, in a fixed order. */
function filesBelow(root: string, folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .sort();
}

import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { unzipSync } from "fflate";

/**
 * Keeps bundles in dist/, so that a synth bundles only what has changed. A bundle is found by a key over all that it can
 * be made of: every source file of the runtime (also a new one, which may shadow another), the lock file, which fixes the
 * packages, and how it is bundled.
 */
export class BundleCache {
  private readonly folder: string;

  constructor(private readonly root: string) {
    this.folder = join(root, "dist", ".bundles");
  }

  /** @param recipe whatever else decides what a bundle is: the bundler's version and options */
  key(recipe: unknown): string {
    const hash = createHash("sha256").update(JSON.stringify(recipe));
    for (const path of ["package-lock.json", "tsconfig.json", ...sources(this.root, "runtime")]) {
      const content = readFileSync(join(this.root, path));
      hash.update(`${path}:${content.byteLength}:`).update(content);
    }
    return hash.digest("hex");
  }

  /** The zip of a capability under a key, with its files; undefined if there is none that can be read. */
  get(name: string, key: string): { zip: Uint8Array; files: Map<string, Uint8Array> } | undefined {
    try {
      const zip = readFileSync(this.path(name, key));
      const files = new Map(Object.entries(unzipSync(zip)));
      return { zip, files };
    } catch {
      return undefined;
    }
  }

  /** Replaces what the capability had. Another synth at the same time sees no file or the whole. */
  put(name: string, key: string, zip: Uint8Array): void {
    const path = this.path(name, key);
    mkdirSync(this.folder, { recursive: true });
    for (const file of readdirSync(this.folder))
      if (file.startsWith(`${name}-`) && file.endsWith(".zip")) rmSync(join(this.folder, file), { force: true });
    writeFileSync(`${path}.${process.pid}`, zip);
    renameSync(`${path}.${process.pid}`, path);
  }

  private path(name: string, key: string): string {
    return join(this.folder, `${name}-${key}.zip`);
  }
}

/** Files below a folder, as paths from the root, in a fixed order. */
function sources(root: string, folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .sort();
}

import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { unzipSync, type Zippable, zipSync } from "fflate";

/** A capability's code, ready to ship. */
export interface Bundle {
  /** SHA-256, in hex, over relative paths and content. Equal code has an equal hash on every machine. */
  readonly sha256: string;
  readonly zip: Uint8Array;
}

/** What is in a bundle: relative path (POSIX) -> content. */
export function bundleFiles(bundle: Bundle): ReadonlyMap<string, Uint8Array> {
  return new Map(Object.entries(unzipSync(bundle.zip)));
}

/** Lays a bundle's files down in a folder. */
export function unpackBundle(bundle: Bundle, folder: string): void {
  for (const [path, content] of bundleFiles(bundle)) {
    const target = join(folder, path);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, content);
  }
}

/** SHA-256 over every file's path and content, in the order of the paths. Lengths keep neighbours apart. */
export function hashFiles(files: ReadonlyMap<string, Uint8Array>): string {
  const hash = createHash("sha256");
  for (const [path, content] of sorted(files)) {
    hash.update(`${Buffer.byteLength(path)}:${path}:${content.byteLength}:`).update(content);
  }
  return hash.digest("hex");
}

/** A zip whose bytes depend on paths and content only. */
export function zipFiles(files: ReadonlyMap<string, Uint8Array>): Uint8Array {
  // The first moment that a zip can hold, in local time as the format has it: the same bytes in every time zone.
  const mtime = new Date(1980, 0, 1, 0, 0, 0);
  const unix = 3;
  const entries: Zippable = {};
  for (const [path, content] of sorted(files)) {
    entries[path] = [content, { mtime, os: unix, attrs: 0o100644 << 16, level: 4 }];
  }
  return zipSync(entries);
}

const sorted = (files: ReadonlyMap<string, Uint8Array>) => [...files].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));

import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

/**
 * The folder of package.json, found upwards from this file, which runs from constructs/ and from dist/constructs/ of a
 * checkout, and from lib/constructs/ of the package.
 */
export function repositoryRoot(from: string = __dirname): string {
  for (let folder = from; ; folder = dirname(folder)) {
    if (existsSync(join(folder, "package.json"))) return folder;
    if (dirname(folder) === folder)
      throw new Error(`There is no package.json in ${from} or above it: run this from a checkout or from the package.`);
  }
}

/** Whether sources are here to make bundles from: npm packs no package-lock.json, and the package has its bundles made. */
export const isCheckout = (root: string = repositoryRoot()): boolean => existsSync(join(root, "package-lock.json"));

import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

/** The folder of package-lock.json, found upwards from this file, which runs from constructs/ and from dist/constructs/. */
export function repositoryRoot(from: string = __dirname): string {
  for (let folder = from; ; folder = dirname(folder)) {
    if (existsSync(join(folder, "package-lock.json"))) return folder;
    if (dirname(folder) === folder)
      throw new Error(
        `There is no package-lock.json in ${from} or above it: run this from a checkout of the repository.`,
      );
  }
}

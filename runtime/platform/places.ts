import { readdirSync, readlinkSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";

/**
 * The real path of a place that need not be there yet: links are followed as far as there is something, also one that
 * leads to nothing, since what is written to it would lie there.
 */
export function realPlace(path: string): string {
  const at = resolve(path);
  try {
    return realpathSync.native(at);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // What cannot be looked at stands for itself: whoever uses it says what is wrong.
    if ((code !== "ENOENT" && code !== "ENOTDIR") || dirname(at) === at) return at;
  }
  const target = linkTarget(at);
  return target === undefined ? join(realPlace(dirname(at)), basename(at)) : realPlace(resolve(dirname(at), target));
}

/**
 * Whether a place is a folder that exists, or lies inside it, or would. Folders are told by their numbers in the file
 * system, not by their names: case, links and trailing slashes do not matter.
 */
export function isWithin(place: string, folder: string): boolean {
  const identity = identityOf(folder);
  if (identity === undefined) return false;
  for (let at = realPlace(place); ; at = dirname(at)) {
    if (identityOf(at) === identity) return true;
    if (dirname(at) === at) return false;
  }
}

/** Where the links that lie in a folder lead to. */
export function linksIn(folder: string): string[] {
  try {
    const entries = readdirSync(folder, { withFileTypes: true });
    return entries.filter((entry) => entry.isSymbolicLink()).map(({ name }) => realPlace(join(folder, name)));
  } catch {
    return [];
  }
}

function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

function identityOf(path: string): string | undefined {
  try {
    const { dev, ino } = statSync(path, { bigint: true });
    return `${dev} ${ino}`;
  } catch {
    return undefined;
  }
}

import { execFile } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/**
 * The commit that this program was started from, and whether its files have been changed since; undefined where that is
 * not known: in a bundle, in an image, without git. Of a repository around the program, not its own, nothing is said.
 *
 * @param from a folder of the program
 */
export async function sourceCommit(from: string = __dirname): Promise<string | undefined> {
  const root = checkoutOf(from);
  if (root === undefined) return undefined;
  // A hook or a tool may have pointed git at another repository; and who only asks must not hold up who commits.
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith("GIT_"));
  const env = { ...Object.fromEntries(own), GIT_OPTIONAL_LOCKS: "0" };
  const git = async (...args: readonly string[]) =>
    (await run("git", ["-C", root, ...args], { env, timeout: 10_000 })).stdout.trim();
  try {
    const commit = await git("rev-parse", "--short=12", "HEAD");
    const changed = await git("status", "--porcelain", "--untracked-files=no");
    return changed === "" ? commit : `${commit}, with changes that are not committed`;
  } catch {
    return undefined;
  }
}

/** The uppermost folder of the program, if it is a checkout itself. */
function checkoutOf(from: string): string | undefined {
  for (let folder = realpathSync(from); dirname(folder) !== folder; folder = dirname(folder))
    // The workspace below, runtime/, has a package.json too.
    if (existsSync(join(folder, "package-lock.json"))) return existsSync(join(folder, ".git")) ? folder : undefined;
  return undefined;
}

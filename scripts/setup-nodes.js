/**
 * Brings the versions of Node that this project runs on, from the npm registry, into .parts/nodes/, once: the oldest that
 * package.json allows and the newest of each major. Prints a line a version; exits 1 if one is missing.
 */
const { spawnSync } = require("node:child_process");
const { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } = require("node:fs");
const { join } = require("node:path");
const { ROOT, run, withLock } = require("./parts");

/** By major; the oldest of the first is the lower bound of "engines". */
const VERSIONS = { 20: "20.19.0", 22: "22.23.3", 24: "24.21.0" };
const NODES = join(ROOT, ".parts", "nodes");

/** The folder to put first on PATH. */
const folderOf = (major) => join(NODES, VERSIONS[major], "bin");

/** @returns what was done, for people */
function bring(major) {
  const version = VERSIONS[major];
  const works = () =>
    spawnSync(join(folderOf(major), "node"), ["--version"], { encoding: "utf8" }).stdout?.trim() === `v${version}`;
  return withLock("nodes", () => {
    if (works()) return `${version}, already there`;
    const name = `node-${process.platform}-${process.arch}@${version}`;
    mkdirSync(NODES, { recursive: true });
    // Beside its place, so that what is in place is whole.
    const scratch = mkdtempSync(join(NODES, "new-"));
    try {
      run("npm", ["pack", "--silent", name, "--pack-destination", scratch]);
      const [archive] = readdirSync(scratch);
      run("tar", ["-xzf", join(scratch, archive), "-C", scratch]);
      rmSync(join(NODES, version), { recursive: true, force: true });
      renameSync(join(scratch, "package"), join(NODES, version));
    } catch (error) {
      throw new Error(`${name} cannot be had from the npm registry: ${error.message}`);
    } finally {
      rmSync(scratch, { recursive: true, force: true });
    }
    if (!works()) throw new Error(`${name} does not run on this machine.`);
    return `${version}, installed`;
  });
}

module.exports = { VERSIONS, bring, folderOf };

if (require.main === module) {
  for (const major of Object.keys(VERSIONS)) {
    try {
      console.log(`Node ${major}: ${bring(major)}`);
    } catch (error) {
      console.error(`Node ${major}: missing. ${error.message}`);
      process.exitCode = 1;
    }
  }
}

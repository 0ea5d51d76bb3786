/**
 * Takes out of a folder's node_modules what no program loads: packages that only others for another platform need (npm 10
 * leaves them there), source maps, types and sources of TypeScript and C++, headers, manuals, tests, and the builds of
 * TensorFlow.js for browsers, and onnxruntime for other platforms, all of which its one package holds. Licences stay. Both
 * images are built with it.
 *
 * node prune-packages.js FOLDER
 */
const { existsSync, readFileSync, readdirSync, rmSync, rmdirSync } = require("node:fs");
const { join } = require("node:path");

const LICENCE = /^(licen[cs]e|notice|copying|third[-_ ]?party)/i;
const NEVER_LOADED = [
  /\.(map|[cm]?tsx?|markdown|md|c|cc|cpp|h|hpp|gypi?|mk|o|a|bat|tsbuildinfo)$/i,
  /_test\.js$/,
  // tf-core.fesm.min.js, tf.js and the like: Node loads tf-core.node.js.
  /^tf(-[\w-]+)?(\.(es2017|fesm))?(\.min)?\.js$/,
];
/** Folders of node-gyp, and what TensorFlow.js has for another platform. */
const FOLDERS = new Set(["obj.target", ".deps", "miniprogram"]);
/** Folders of a package's own tests, in some of which lie keys. */
const TESTS = new Set(["test", "tests", "__tests__"]);

/** @returns how many files are gone */
function prune(folder) {
  let removed = 0;
  const entries = readdirSync(folder, { withFileTypes: true });
  const isPackage = entries.some(({ name }) => name === "package.json");
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      if (FOLDERS.has(entry.name) || (isPackage && TESTS.has(entry.name))) rmSync(path, { recursive: true });
      else removed += prune(path);
    } else if (!LICENCE.test(entry.name) && NEVER_LOADED.some((pattern) => pattern.test(entry.name))) {
      rmSync(path);
      removed++;
    }
  }
  if (readdirSync(folder).length === 0) rmdirSync(folder);
  return removed;
}

/** Removes the packages that the folder's own package.json does not reach through those that are installed. */
function removeOrphans(folder) {
  const { packages } = readJson(folder, "node_modules", ".package-lock.json");
  /** Where Node finds a package from a place in the tree. */
  const locate = (from, name) => {
    for (let place = from; ; place = place.slice(0, Math.max(0, place.lastIndexOf("/node_modules/")))) {
      const path = `${place ? `${place}/` : ""}node_modules/${name}`;
      if (packages[path] || place === "") return packages[path] ? path : undefined;
    }
  };
  const needs = ({ dependencies, optionalDependencies, peerDependencies }) =>
    Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies });
  const reached = new Set();
  const queue = needs(readJson(folder, "package.json")).map((name) => locate("", name));
  for (let path = queue.pop(); path !== undefined || queue.length > 0; path = queue.pop()) {
    if (path === undefined || reached.has(path)) continue;
    reached.add(path);
    queue.push(...needs(packages[path]).map((name) => locate(path, name)));
  }
  const orphans = Object.keys(packages).filter((path) => !reached.has(path));
  // npm's own list of what is there would go on naming them.
  for (const path of [...orphans, "node_modules/.package-lock.json"])
    rmSync(join(folder, path), { recursive: true, force: true });
  return orphans;
}

/** Leaves of onnxruntime the binaries that this machine loads: bin/napi-v<n>/<platform>/<arch>. */
function removeOtherBinaries(folder) {
  const binaries = join(folder, "node_modules", "onnxruntime-node", "bin");
  const others = (place, mine) =>
    foldersOf(place)
      .filter((name) => name !== mine)
      .map((name) => join(place, name));
  const removed = foldersOf(binaries).flatMap((api) => {
    const place = join(binaries, api);
    return [...others(place, process.platform), ...others(join(place, process.platform), process.arch)];
  });
  for (const path of removed) rmSync(path, { recursive: true });
}

const foldersOf = (place) => (existsSync(place) ? readdirSync(place) : []);
const readJson = (...path) => JSON.parse(readFileSync(join(...path), "utf8"));

const [folder] = process.argv.slice(2);
const orphans = removeOrphans(folder);
removeOtherBinaries(folder);
const files = prune(join(folder, "node_modules"));
console.log(
  `Taken out of node_modules: ${files} files that no program loads; of other platforms ${orphans.join(", ") || "nothing"}`,
);

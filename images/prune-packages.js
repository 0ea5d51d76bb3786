/**
 * Takes out of node_modules what no program loads: source maps, types and sources of TypeScript and C++, headers, manuals,
 * tests, and the builds of TensorFlow.js for browsers. Licences stay. Both images are built with it.
 *
 * node prune-packages.js FOLDER
 */
const { readdirSync, rmSync, rmdirSync } = require("node:fs");
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

/** @returns how many files are gone */
function prune(folder) {
  let removed = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      if (FOLDERS.has(entry.name)) rmSync(path, { recursive: true });
      else removed += prune(path);
    } else if (!LICENCE.test(entry.name) && NEVER_LOADED.some((pattern) => pattern.test(entry.name))) {
      rmSync(path);
      removed++;
    }
  }
  if (readdirSync(folder).length === 0) rmdirSync(folder);
  return removed;
}

console.log(`${prune(process.argv[2])} files that no program loads were taken out of ${process.argv[2]}`);

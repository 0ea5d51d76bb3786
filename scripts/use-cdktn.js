#!/usr/bin/env node
/*
 * Makes cdktn, the community's successor of the archived cdktf, what every import of "cdktf" finds, in this repository and
 * in the bindings of the provider: an alias in package.json. `--back` takes it away again. It edits package.json alone;
 * npm install (which it names) brings it about. See docs/decisions/cdktf.md.
 */
const { readFileSync, writeFileSync } = require("node:fs");
const { join } = require("node:path");

const BINDINGS = "@cdktf/provider-google";
const ORIGINAL = { installed: "0.21.0", peer: "^0.21.0" };

const file = join(process.env.BRAIN_TUMOR_ROOT ?? join(__dirname, ".."), "package.json");
const manifest = JSON.parse(readFileSync(file, "utf8"));
const { devDependencies, peerDependencies, overrides } = manifest;
const unknown = process.argv.slice(2).filter((word) => word !== "--back");
if (unknown.length > 0) {
  console.error(`${unknown.join(" ")}: only --back is known.`);
  process.exit(2);
}
if (process.argv.includes("--back")) {
  devDependencies.cdktf = ORIGINAL.installed;
  peerDependencies.cdktf = ORIGINAL.peer;
  delete overrides[BINDINGS];
} else {
  const alias = `npm:cdktn@${devDependencies.cdktn}`;
  devDependencies.cdktf = alias;
  peerDependencies.cdktf = alias;
  // The bindings ask for cdktf 0.21; they call nothing that cdktn has changed, which tests/stacks holds.
  overrides[BINDINGS] = { cdktf: "$cdktf" };
}
writeFileSync(file, `${JSON.stringify(manifest, null, 2)}\n`);
console.log(`package.json: "cdktf" is ${devDependencies.cdktf}. Next: npm install && node scripts/complete-lock.js`);

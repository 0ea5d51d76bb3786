/** What verifies the audit log's proofs and checkpoints in the tests, with libraries of others. */
const { createHash } = require("node:crypto");
const { existsSync, mkdirSync, readFileSync } = require("node:fs");
const { dirname, join } = require("node:path");
const { findGo, run, withLock } = require("./parts");

const SOURCES = join(__dirname, "..", "tests", "support", "merkle-judge");

/** Named by its sources, so that changed ones are built anew. */
function merkleJudge() {
  const hash = createHash("sha256");
  for (const name of ["main.go", "go.mod", "go.sum"]) hash.update(readFileSync(join(SOURCES, name)));
  return join(__dirname, "..", ".parts", "bin", `merkle-judge-${hash.digest("hex").slice(0, 12)}`);
}

function bringMerkleJudge() {
  const binary = merkleJudge();
  return withLock("merkle-judge", () => {
    if (existsSync(binary)) return "already there";
    const go = findGo();
    if (!go)
      throw new Error("Install Go 1.24 or newer (https://go.dev/dl/): the audit log's proofs are verified by it.");
    mkdirSync(dirname(binary), { recursive: true });
    run(go, ["build", "-trimpath", "-buildvcs=false", "-o", binary, "."], { cwd: SOURCES });
    return "built";
  });
}

module.exports = { bringMerkleJudge, merkleJudge };

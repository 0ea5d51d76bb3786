import { spawnSync } from "node:child_process";

const { merkleJudge } = require("../../scripts/merkle-judge") as { merkleJudge: () => string };

/**
 * What github.com/transparency-dev/merkle and golang.org/x/mod/sumdb/note say of proofs, as `npm run audit` prints them: "ok",
 * or what is wrong, of each.
 */
export function judge(proofs: readonly object[]): readonly string[] {
  const { stdout, error } = spawnSync(merkleJudge(), {
    input: proofs.map((proof) => JSON.stringify(proof)).join("\n"),
    encoding: "utf8",
    maxBuffer: 64 * 2 ** 20,
  });
  if (error) throw new Error(`${error.message}. npm run setup:tests builds it.`);
  return stdout.trimEnd().split("\n");
}

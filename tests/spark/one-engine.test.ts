import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expectEqual, FIVE_WAYS_TIMEOUT, fiveWays } from "../support/five-ways";

const CLI = resolve(__dirname, "../../dist/runtime/cli/main.js");

let root: string;
beforeAll(() => {
  process.env.LOG_LEVEL = "fatal";
  root = mkdtempSync(join(tmpdir(), "one-engine-"));
});
afterAll(() => rmSync(root, { recursive: true }));

test(
  "evaluate, explain, score on Spark, serve and replay give a scan the same probability",
  async () => {
    const found = await fiveWays(root, async (_, folder) => {
      const args = ["spark", "score", "--out", folder, "--master", "local[2]", "--memory", "1g"];
      const { status, stderr } = spawnSync(process.execPath, [CLI, ...args], { encoding: "utf8" });
      if (status !== 0) throw new Error(`spark score ended with ${status}: ${stderr}`);
    });
    expectEqual(found);
  },
  FIVE_WAYS_TIMEOUT,
);

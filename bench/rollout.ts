import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { print } from "../tools/command";
import { readJson } from "../tools/synthesized";
import { table } from "../tools/table";
import { hospitalsOf } from "./hospitals";
import type { BenchOptions } from "./main";
import { measureTree } from "./process-tree";
import { ROOT } from "./runs";

const SIZES = "100";

/**
 * How long Terraform and the real provider take to plan every stack of some hospitals by `npm run rollout -- plan`, and what
 * the whole tree of processes holds at most. It calls nobody: first plans read nothing.
 */
export async function benchRollout({ json, sizes = SIZES }: BenchOptions): Promise<void> {
  const measured = [];
  for (const hospitals of sizes.split(",").map(Number)) measured.push(await measure(hospitals));
  const right = (title: string) => ({ title, width: 20, align: "right" as const });
  print(
    table(
      ["HOSPITALS", "STACKS", "SECONDS", "PROCESSOR SECONDS", "PEAK MIB"].map(right),
      measured.map(({ hospitals, stacks, seconds, cpuSeconds, peakMiB }) =>
        [hospitals, stacks, seconds.toFixed(0), cpuSeconds.toFixed(0), peakMiB.toFixed(0)].map(String),
      ),
    ),
  );
  if (json) writeFileSync(json, `${JSON.stringify(measured, null, 2)}\n`);
}

async function measure(hospitals: number) {
  const scratch = mkdtempSync(join(tmpdir(), "bench-rollout-"));
  try {
    const lines = join(scratch, "hospitals.json");
    // A prod hospital with its state in a file is refused.
    writeFileSync(lines, JSON.stringify(hospitalsOf(hospitals).map((line) => ({ ...line, tier: "test" }))));
    const out = join(scratch, "rollout");
    const args = ["plan", "--hospitals", lines, "--out", out, "--states", scratch];
    const env = { ...process.env, GOOGLE_OAUTH_ACCESS_TOKEN: "dummy", USER_PROJECT_OVERRIDE: "false" };
    const main = join(ROOT, "dist", "tools", "rollout", "index.js");
    const run = await measureTree(process.execPath, [main, ...args], { env });
    const { stacks } = readJson(join(out, "review.json"), "The plan") as { stacks: object };
    return { hospitals, stacks: Object.keys(stacks).length, ...run, peakMiB: run.peakMiB.all ?? 0 };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

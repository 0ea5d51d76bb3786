import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { writeBundle } from "../constructs/core/bundle-cache";
import { repositoryRoot } from "../constructs/core/repository";
import { bundleRuntime, PACKED_BUNDLES } from "../constructs/core/runtime-bundle";
import { deliverContract } from "../runtime/deliver/contract";
import { featuresContract } from "../runtime/features/contract";
import { ingestContract } from "../runtime/ingest/contract";
import { monitorContract } from "../runtime/monitor/contract";
import { pacsContract } from "../runtime/pacs/contract";
import { preprocessContract } from "../runtime/preprocess/contract";
import { retrainContract } from "../runtime/retrain/contract";
import { scoreContract } from "../runtime/score/contract";
import { IMAGE_CONTRACTS } from "../stacks/images";
import { EXIT, ifMain, runTool, tool } from "./command";

/** Everything that a stack deploys, or names by its hash. */
const DEPLOYED = [
  ingestContract,
  pacsContract,
  deliverContract,
  preprocessContract,
  featuresContract,
  scoreContract,
  monitorContract,
  retrainContract,
  ...Object.values(IMAGE_CONTRACTS),
];

/** What npm runs before it packs, and before the constructs are compiled into the same folder: the bundles of this version. */
export async function prepack(args: readonly string[]): Promise<number> {
  const program = tool(
    "prepack",
    "Empties lib/ and lays down the bundles of this version, for npm pack, which runs it.",
  );
  return runTool(
    program,
    () => {
      const root = repositoryRoot();
      rmSync(join(root, "lib"), { recursive: true, force: true });
      const folder = join(root, PACKED_BUNDLES);
      mkdirSync(folder, { recursive: true });
      for (const contract of DEPLOYED) writeBundle(folder, contract.name, bundleRuntime(contract));
      return EXIT.done;
    },
    args,
  );
}

ifMain(module, prepack);

import { existsSync } from "node:fs";
import { EXIT, ifMain, print, runTool, tool } from "./command";
import { diffGolden, GOLDEN_FOLDER, goldenStack, readGolden, showDifferences, writeGolden } from "./golden";
import { withTierStacks } from "./tiers";

/** The command `npm run golden:update`. */
export async function updateGolden(args: readonly string[]): Promise<number> {
  const program = tool(
    "golden:update",
    "Writes what the stacks of every tier are made of, and prints what changed by that.",
  );
  return runTool(
    program,
    () =>
      withTierStacks(undefined, (stacks) => {
        const before = existsSync(GOLDEN_FOLDER) ? readGolden() : new Map();
        const after = new Map(stacks.map((stack) => [stack.name, goldenStack(stack)]));
        let changes = 0;
        for (const name of [...new Set([...before.keys(), ...after.keys()])].sort()) {
          const differences = diffGolden(before.get(name) ?? {}, after.get(name) ?? {});
          changes += differences.length;
          if (differences.length > 0) print(showDifferences(name, differences));
        }
        writeGolden(after);
        print(`${after.size} stacks in tests/stacks/golden: ${changes} differences from before.`);
        return EXIT.done;
      }),
    args,
  );
}

ifMain(module, updateGolden);

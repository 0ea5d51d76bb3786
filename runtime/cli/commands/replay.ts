import { Command } from "commander";
import { DISCLAIMER } from "../../intake";
import { EXIT, requireWorkspace } from "../command-line";
import { out } from "../options";

/** `replay REQUEST --out DIR [--json]` */
export function replayCommand(): Command {
  return new Command("replay")
    .description("give an answer of serve again from what is kept of it, and say whether it is equal")
    .argument("<request>", "the field request of the answer")
    .addOption(out())
    .option("--json", "print what was found as JSON")
    .action(async (request: string, { out, json = false }: { out: string; json?: boolean }) => {
      requireWorkspace(out);
      const { openWorkspace } = await import("../../platform/workspace.js");
      const { NoRequest, NothingToReplay, replay } = await import("../../serve/index.js");
      const workspace = await openWorkspace(out);
      try {
        const replayed = await replay(workspace, request);
        process.stdout.write(json ? `${JSON.stringify(replayed)}\n` : `${replayed.sentence}\n${DISCLAIMER}\n`);
        if (!replayed.equal) process.exitCode = EXIT.failed;
      } catch (error) {
        if (!(error instanceof NothingToReplay)) throw error;
        process.stderr.write(`${error.message}\n`);
        process.exitCode = error instanceof NoRequest ? EXIT.usage : EXIT.failed;
      } finally {
        await workspace.close();
      }
    });
}

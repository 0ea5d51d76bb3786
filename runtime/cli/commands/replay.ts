import { Command } from "commander";
import { DISCLAIMER } from "../../intake";
import { ConfigurationError } from "../../platform/config";
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
      if (!/^[0-9a-f-]{36}$/.test(request))
        throw new ConfigurationError("The request", [`"${request}" is none: take the field request of an answer.`]);
      const { openWorkspace } = await import("../../platform/workspace.js");
      const { NothingToReplay, replay } = await import("../../serve/index.js");
      const workspace = await openWorkspace(out);
      try {
        const replayed = await replay(workspace, request);
        process.stdout.write(json ? `${JSON.stringify(replayed)}\n` : `${replayed.sentence}\n${DISCLAIMER}\n`);
        if (!replayed.equal) process.exitCode = EXIT.failed;
      } catch (error) {
        if (!(error instanceof NothingToReplay)) throw error;
        process.stderr.write(`${error.message}\n`);
        process.exitCode = EXIT.failed;
      } finally {
        await workspace.close();
      }
    });
}

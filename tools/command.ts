import { Command, CommanderError } from "commander";
import { ConfigurationError } from "../runtime/platform/config";

/** Exit codes of every command of this project. */
export const EXIT = { done: 0, failed: 1, usage: 2, interrupted: 130 } as const;

/** A command of `tools/`; wrong usage ends with 2 in place of commander's own exit. */
export function tool(name: string, description: string): Command {
  return new Command(`npm run ${name} --`)
    .description(description)
    .helpOption("--help", "this text")
    .exitOverride()
    .showHelpAfterError(`See npm run ${name} -- --help.`)
    .configureHelp({ helpWidth: 110 });
}

/**
 * Runs a command, and says what went wrong.
 * @param program its action returns the exit code, or nothing for 0
 * @param args what follows the command's name
 * @returns the exit code
 */
export async function runTool(
  program: Command,
  action: () => number | Promise<number>,
  args: readonly string[],
): Promise<number> {
  let code: number = EXIT.done;
  program.action(async () => {
    code = await action();
  });
  try {
    await program.parseAsync([...args], { from: "user" });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
    return report(error);
  }
}

/** Says what went wrong, and returns the exit code for it. */
function report(error: unknown): number {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  return error instanceof ConfigurationError ? EXIT.usage : EXIT.failed;
}

/** Runs a command when its file is the one that was started. */
export function ifMain(module: NodeModule, run: (args: readonly string[]) => Promise<number>): void {
  if (require.main !== module) return;
  run(process.argv.slice(2)).then(
    (code) => {
      process.exitCode = code;
    },
    (error) => {
      process.exitCode = report(error);
    },
  );
}

export const print = (text: string) => process.stdout.write(`${text}\n`);

import { Command } from "commander";
import { requireAll } from "../../platform/config";
import { requireFreePort } from "../../platform/port";
import { EXIT, requireWorkspace } from "../command-line";
import { DEFAULT_PORT, host, keepDays, out, port, prevalence, seed } from "../options";

interface ServeFlags {
  readonly out: string;
  readonly port?: number;
  readonly host: string;
  readonly keepDays?: number;
  readonly prevalence?: number;
}

export function serveCommand(): Command {
  return new Command("serve")
    .description("serve the current model and the page")
    .addOption(out())
    .addOption(seed())
    .addOption(port())
    .addOption(host())
    .addOption(keepDays())
    .addOption(prevalence())
    .action(async ({ out, port: at = DEFAULT_PORT, host, keepDays, prevalence }: ServeFlags) => {
      await requireAll(
        () => requireWorkspace(out),
        () => requireCallers(host),
        () => requireFreePort(at, host),
      );
      await serveUntilStopped(out, at, host, { keepDays, prevalence });
    });
}

/** @throws {ConfigurationError} if the environment does not say properly who may ask a server on that address */
export async function requireCallers(host: string): Promise<void> {
  const { localCallers } = await import("../../serve/index.js");
  localCallers(host);
}

/** Half a second is long for who polls on this machine, and short for who waits for the prompt. */
const DRAIN_SECONDS = 0.5;

export async function serveUntilStopped(
  directory: string,
  at: number,
  host: string,
  { keepDays, prevalence }: { readonly keepDays?: number | undefined; readonly prevalence?: number | undefined } = {},
): Promise<void> {
  const { localCallers, serveWorkspace } = await import("../../serve/index.js");
  const server = await serveWorkspace({
    workspace: directory,
    port: at,
    host,
    callers: localCallers(host),
    ...(keepDays === undefined ? {} : { keepDays }),
    ...(prevalence === undefined ? {} : { prevalence }),
  });
  process.stdout.write(`Serving ${directory} on ${server.url} (Ctrl-C stops it)\n`);
  if (server.problem !== null)
    process.stdout.write(`${server.problem}\nPredictions are refused until there is a model that can be used.\n`);
  const stop = () => {
    void server.close(DRAIN_SECONDS).then(() => process.exit(EXIT.done));
  };
  process.once("SIGINT", stop);
  process.once("SIGTERM", stop);
}

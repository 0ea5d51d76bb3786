import { Command } from "commander";
import { LOOPBACK, requireFreePort } from "../../platform/port";
import { EXIT, requireWorkspace } from "../command-line";
import { DEFAULT_PORT, out, port, seed } from "../options";

export function serveCommand(): Command {
  return new Command("serve")
    .description("serve the current model and the page on 127.0.0.1")
    .addOption(out())
    .addOption(seed())
    .addOption(port())
    .action(async ({ out, port: at = DEFAULT_PORT }: { out: string; port?: number }) => {
      requireWorkspace(out);
      await requireFreePort(at, LOOPBACK);
      await serveUntilStopped(out, at);
    });
}

export async function serveUntilStopped(directory: string, at: number): Promise<void> {
  const { serveWorkspace } = await import("../../serve/index.js");
  const server = await serveWorkspace({ workspace: directory, port: at });
  process.stdout.write(`Serving ${directory} on ${server.url} (Ctrl-C stops it)\n`);
  if (!server.ready) {
    process.stdout.write("There is no model in it yet: predictions are refused until npm run train has made one.\n");
  }
  const stop = () => {
    void server.close().then(() => process.exit(EXIT.done));
  };
  process.once("SIGINT", stop);
  process.once("SIGTERM", stop);
}

import { Command, Option } from "commander";
import type { FolderNames } from "../../intake";
import { requireFreePort } from "../../platform/port";
import { readSummary } from "../../platform/summary";
import { DEFAULT_WORKSPACE, PHANTOM_WORKSPACE } from "../../platform/workspace";
import type { Backend } from "../../tensorflow";
import { wholeNumber } from "../command-line";
import { add, backend, check, DEFAULT_PORT, epochs, host, labels, port, seed } from "../options";
import { requireCallers, serveUntilStopped } from "./serve";

interface DemoFlags {
  readonly out?: string;
  readonly serve: boolean;
  readonly data?: string;
  readonly limit?: number;
  readonly epochs?: number;
  readonly seed?: number;
  readonly backend?: Backend;
  readonly port?: number;
  readonly host: string;
  readonly labels?: FolderNames;
  readonly add?: boolean;
  readonly check?: boolean;
}

export function demoCommand(): Command {
  return new Command("demo")
    .description("run every step over a folder of scans (or over drawn phantoms) and serve the model")
    .option("--data <dir>", "folder with Cancer/ and Non-Cancer/; without it, phantoms are drawn")
    .addOption(
      new Option("--out <dir>", "workspace").default(
        undefined,
        `"${DEFAULT_WORKSPACE}", and "${PHANTOM_WORKSPACE}" without --data`,
      ),
    )
    .addOption(seed())
    .addOption(epochs())
    .addOption(backend())
    .addOption(port())
    .addOption(host())
    .addOption(labels())
    .addOption(add())
    .addOption(check())
    .option("--limit <n>", "at most this many scans, balanced over the label folders", wholeNumber(1))
    .option("--no-serve", "exit when done, instead of serving the model")
    .action(async ({ serve, port: at = DEFAULT_PORT, host, labels: names, ...flags }: DemoFlags) => {
      const out = flags.out ?? (flags.data === undefined ? PHANTOM_WORKSPACE : DEFAULT_WORKSPACE);
      const { takeIn } = await import("../take-in.js");
      const { phantomSeed } = await import("../workspace-data.js");
      const own = flags.data === undefined ? await phantomSeed(out) : undefined;
      const given = flags.seed ?? own ?? (await readSummary({ directory: out })).seed;
      const options = { ...flags, ...(names ? { names } : {}), out, seed: given };
      // Whoever will serve hears before the work that it cannot be.
      const checks = serve ? [() => requireCallers(host), () => requireFreePort(at, host)] : [];
      if (!(await takeIn(options, ...checks))) return;
      const { runDemo } = await import("../demo.js");
      await runDemo({ ...options, beside: own !== undefined && own !== given });
      if (serve) await serveUntilStopped(out, at, host);
    });
}

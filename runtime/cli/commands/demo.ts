import { Command } from "commander";
import type { Backend } from "../../model";
import { wholeNumber } from "../command-line";
import { backend, DEFAULT_PORT, epochs, out, port, seed } from "../options";
import { serveUntilStopped } from "./serve";

interface DemoFlags {
  readonly out: string;
  readonly serve: boolean;
  readonly data?: string;
  readonly limit?: number;
  readonly epochs?: number;
  readonly seed?: number;
  readonly backend?: Backend;
  readonly port?: number;
}

export function demoCommand(): Command {
  return new Command("demo")
    .description("run every step over a folder of scans (or over drawn phantoms) and serve the model")
    .option("--data <dir>", "folder with Cancer/ and Non-Cancer/; without it, phantoms are drawn")
    .addOption(out())
    .addOption(seed())
    .addOption(epochs())
    .addOption(backend())
    .addOption(port())
    .option("--limit <n>", "at most this many scans, balanced over the label folders", wholeNumber(1))
    .option("--no-serve", "exit when done, instead of serving the model")
    .action(async ({ serve, port: at, ...options }: DemoFlags) => {
      const { runDemo } = await import("../demo.js");
      await runDemo(options);
      if (serve) await serveUntilStopped(options.out, at ?? DEFAULT_PORT);
    });
}

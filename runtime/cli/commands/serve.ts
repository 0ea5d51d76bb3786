import { Command } from "commander";
import { ConfigurationError, requireAll } from "../../platform/config";
import { pinnedModel, shadowModel } from "../../platform/environment";
import { requireFreePort } from "../../platform/port";
import { EXIT, requireWorkspace } from "../command-line";
import { DEFAULT_PORT, host, keepDays, modelOption, out, port, prevalence, seed } from "../options";

interface ServeFlags {
  readonly out: string;
  readonly port?: number;
  readonly host: string;
  readonly keepDays?: number;
  readonly prevalence?: number;
  readonly pin?: string;
  readonly shadow?: string;
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
    .addOption(
      modelOption(
        "--pin <model>",
        "answer with this model, whichever is current: what a canary's revision does",
        pinnedModel,
      ).env("PINNED_MODEL"),
    )
    .addOption(
      modelOption(
        "--shadow <model>",
        "ask this model (or current) beside the one that answers, after each answer, to compare the two: nobody is told what it says",
        shadowModel,
      ).env("SHADOW_MODEL"),
    )
    .action(async ({ out, port: at = DEFAULT_PORT, host, pin, shadow, ...rest }: ServeFlags) => {
      await requireAll(
        () => requireWorkspace(out),
        () => requireCallers(host),
        () => requireFreePort(at, host),
        () => requireTwo(pin, shadow),
      );
      const named = [pin, shadow].filter((model) => model !== undefined && model !== "current");
      if (named.length > 0) {
        const { inWorkspace, requireModels } = await import("../models.js");
        await inWorkspace(out, ({ buckets }) => requireModels(buckets.models, ...(named as string[])));
      }
      await serveUntilStopped(out, at, host, { ...rest, pinned: pin, shadow });
    });
}

/** @throws {ConfigurationError} if the environment does not say properly who may ask a server on that address */
export async function requireCallers(host: string): Promise<void> {
  const { localCallers } = await import("../../serve/index.js");
  localCallers(host);
}

/** Half a second is long for who polls on this machine, and short for who waits for the prompt. */
const DRAIN_SECONDS = 0.5;

/** @throws {ConfigurationError} if what answers would be compared with itself */
function requireTwo(pin: string | undefined, shadow: string | undefined): void {
  if (shadow === undefined || (shadow === "current" ? pin !== undefined : shadow !== pin)) return;
  throw new ConfigurationError("The command", [
    `--shadow ${shadow} is the model that answers: name another, or pin the one that answers with --pin.`,
  ]);
}

export async function serveUntilStopped(
  directory: string,
  at: number,
  host: string,
  {
    keepDays,
    prevalence,
    ...bound
  }: {
    readonly keepDays?: number | undefined;
    readonly prevalence?: number | undefined;
    readonly pinned?: string | undefined;
    readonly shadow?: string | undefined;
  } = {},
): Promise<void> {
  const { localCallers, serveWorkspace } = await import("../../serve/index.js");
  const server = await serveWorkspace({
    workspace: directory,
    port: at,
    host,
    callers: localCallers(host),
    ...bound,
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

import { setTimeout as sleep } from "node:timers/promises";
import { type Command, InvalidArgumentError, Option } from "commander";
import type { CanaryStep } from "../../canary";
import { RUN_SERVICE } from "../../platform/cloud-run";
import { ConfigurationError } from "../../platform/config";
import type { CanaryPlace } from "../canary";
import { EXIT, interruptible, wholeNumber } from "../command-line";
import { anywhere, type PlaceFlags, placeOf, print } from "./models";

interface Flags extends PlaceFlags {
  readonly service?: string;
  readonly json?: true;
}

interface AdvanceFlags extends Flags {
  readonly wait?: true;
  readonly every: number;
}

/** Adds `models canary start | status | advance | finish | abort`. */
export function addCanary(models: Command): void {
  const canary = models
    .command("canary")
    .description(
      "try a model out beside the current one: on a share of a Cloud Run service's requests (--service), else as a shadow that answers nobody",
    );
  shared(canary.command("start"))
    .description(
      "begin: the model answers a share of the requests, if the change plan would let it take over; as a shadow it is asked by serve --shadow",
    )
    .argument("<id>", "the model's id, as models -- list shows it")
    .option(
      "--share <percent>",
      "of the requests; by default, and at most, the first of the change plan",
      wholeNumber(1),
    )
    .action(async (id: string, flags: Flags & { readonly share?: number }, command: Command) => {
      if (flags.share !== undefined && flags.service === undefined)
        throw new ConfigurationError("The command", [
          "--share is one of a Cloud Run service's requests: name the service with --service, or leave --share out to have a shadow.",
        ]);
      const { start } = await import("../canary.js");
      await tell(flags, () => start(placeIn(flags, command), id, flags.share));
    });
  shared(canary.command("status"))
    .description("what is tried out, what it was given, and what the change plan says of it now; nothing is changed")
    .action(async (flags: Flags, command: Command) => {
      const { status } = await import("../canary.js");
      await tell(flags, () => status(placeIn(flags, command)));
    });
  shared(canary.command("advance"))
    .description(
      "take it back where it is shown to do harm; give it the plan's next share, and after the last promote it, where it is shown to do none; else say what is missing",
    )
    .option("--wait", "go on until it is promoted or taken back")
    .addOption(new Option("--every <seconds>", "with --wait: how often").argParser(wholeNumber(1)).default(300))
    .action(async (flags: AdvanceFlags, command: Command) => {
      const { advance, advanceUntilOver } = await import("../canary.js");
      const place = placeIn(flags, command);
      if (!flags.wait) {
        await tell(flags, () => advance(place, { finish: false }));
        return;
      }
      const interruption = interruptible();
      const { signal } = interruption;
      try {
        await tell(flags, () =>
          advanceUntilOver({ ...place, signal }, async (step) => {
            show(flags, step);
            await sleep(flags.every * 1000, undefined, { signal });
          }),
        );
      } finally {
        interruption.release();
      }
    });
  shared(canary.command("finish"))
    .description("promote it at once, where it is shown to do no harm, whichever shares are left")
    .action(async (flags: Flags, command: Command) => {
      const { advance } = await import("../canary.js");
      await tell(flags, () => advance(placeIn(flags, command), { finish: true }));
    });
  shared(canary.command("abort"))
    .description("take it back: all requests go to what is deployed, and the current model answers them")
    .option("--reason <text>", "what is written down", "A person took it back.")
    .action(async (flags: Flags & { readonly reason: string }, command: Command) => {
      const { abort } = await import("../canary.js");
      await tell(flags, () => abort(placeIn(flags, command), flags.reason));
    });
}

const shared = (command: Command) =>
  anywhere(command).addOption(
    new Option("--service <name>", "projects/PROJECT/locations/REGION/services/NAME, whose requests are shared")
      .env("CLOUD_RUN_SERVICE")
      .argParser((text) => {
        if (RUN_SERVICE.test(text)) return text;
        throw new InvalidArgumentError(`"${text}" must be projects/PROJECT/locations/REGION/services/NAME.`);
      }),
  );

const placeIn = (flags: Flags, command: Command): CanaryPlace => ({
  place: placeOf(flags, command),
  service: flags.service,
});

/** Does a step and says what came of it: exit 1 where it was refused, or the model was taken back. */
async function tell(flags: Flags, work: () => Promise<CanaryStep | undefined>): Promise<void> {
  const { json } = flags;
  const [{ CanaryRefused }, { NotMoved }, { CloudRunError }] = await Promise.all([
    import("../../canary/index.js"),
    import("../../serve/index.js"),
    import("../../platform/cloud-run.js"),
  ]);
  try {
    const step = await work();
    show(flags, step);
    if (step?.canary.state === "rolled-back") process.exitCode = EXIT.failed;
  } catch (error) {
    if (error instanceof CloudRunError) {
      if (json) print({ code: "cloud-run", reason: error.message });
      else process.stderr.write(`${error.message}\n`);
    } else if (error instanceof CanaryRefused || error instanceof NotMoved) {
      const { code, message, clause } = error;
      if (json) print({ code, reason: message, ...(clause ? { clause } : {}) });
      else process.stderr.write(`${message}\n`);
    } else throw error;
    process.exitCode = EXIT.failed;
  }
}

function show({ json }: Flags, step: CanaryStep | undefined): void {
  if (json) print(step ?? null);
  else process.stdout.write(step ? described(step) : "No model was ever tried out here.\n");
}

function described({ canary, given, judgement, next }: CanaryStep): string {
  const { candidate, stable, state, mode, share, startedAt, reason } = canary;
  const place = mode === "shadow" ? "asked beside it" : `on ${share} % of the requests`;
  const states: Readonly<Record<typeof state, string>> = {
    starting: `${candidate} is being started beside ${stable}.`,
    running: `${candidate} is tried out beside ${stable}, ${place}, since ${startedAt}.`,
    promoted: `${candidate} was promoted.`,
    "rolled-back": `${candidate} was taken back.`,
    aborted: `${candidate} was taken back by a person.`,
  };
  const lines = [states[state]];
  if (given !== null && given !== share)
    lines.push(`Cloud Run gives it ${given} %: models -- canary advance, or abort, puts that right.`);
  if (state === "running" && judgement)
    for (const { state: found, sentence } of judgement.findings) lines.push(`${found}: ${sentence}`);
  else lines.push(reason);
  if (state === "running" && mode === "shadow") lines.push(`It is asked by: npm run serve -- --shadow ${candidate}`);
  if (next) lines.push(`Next: ${next.sentence} ${next.commands.join(", ")}`);
  return `${lines.join("\n")}\n`;
}

import { existsSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { CommanderError, InvalidArgumentError } from "commander";
import { ConfigurationError } from "../platform/config";
import { diskError } from "../platform/disk";
import { createLogger } from "../platform/logging";
import { occupying } from "../platform/occupancy";
import { createProgress } from "../platform/progress";
import type { StepContext, StepOutcome } from "../platform/step";
import { countDataset, readSummary, updateSummary } from "../platform/summary";
import { DEFAULT_WORKSPACE, makeFolder, openWorkspace, PHANTOM_WORKSPACE } from "../platform/workspace";

/** Exit codes of every command. */
export const EXIT = { done: 0, failed: 1, usage: 2, interrupted: 130 } as const;

export interface StepOptions {
  /** Workspace. */
  readonly out: string;
  readonly seed?: number;
}

/**
 * Runs one step on a workspace: progress, interruption, timing, summary. What the step found worth saying goes to
 * stderr.
 */
export async function runStep<O extends StepOutcome>(
  name: string,
  options: StepOptions,
  work: (context: StepContext) => Promise<O>,
): Promise<O> {
  const workspace = await openWorkspace(options.out).catch((error) =>
    rejectFolder("The workspace", options.out, error),
  );
  const interruption = interruptible();
  try {
    const seed = options.seed ?? (await readSummary(workspace)).seed;
    const context: StepContext = {
      workspace,
      seed,
      log: createLogger(name, { keepNames: true }),
      progress: createProgress(name),
      signal: interruption.signal,
    };
    const started = performance.now();
    const outcome = await occupying(workspace.directory, name, false, () => work(context));
    const seconds = (performance.now() - started) / 1000;
    const { items, skipped, rejected, notes = [], summary = {} } = outcome;
    for (const note of notes) process.stderr.write(`${name}: ${note}\n`);
    const dataset = await countDataset(workspace);
    await updateSummary(workspace, { name, seconds, items, skipped, rejected }, { seed, dataset, ...summary });
    process.stderr.write(
      `${name}: ${items} done, ${skipped} done before, ${rejected} refused, ${seconds.toFixed(1)} s\n`,
    );
    interruption.signal.throwIfAborted();
    return outcome;
  } finally {
    interruption.release();
    await workspace.close();
  }
}

/**
 * Makes the folder of a command's results, or its workspace, before any work is done for them.
 *
 * @throws {ConfigurationError} if it cannot be a folder
 */
export async function makeOutputFolder(out: string, subject = "The results"): Promise<void> {
  await makeFolder(resolve(out)).catch((error) => rejectFolder(subject, out, error));
}

/**
 * @throws {ConfigurationError} if there is no folder: a mistyped name must not become an empty workspace
 */
export function requireWorkspace(out: string): void {
  const elsewhere = out === DEFAULT_WORKSPACE && existsSync(PHANTOM_WORKSPACE);
  const advice = elsewhere
    ? `The phantoms of npm run demo are in ${PHANTOM_WORKSPACE}: add --out ${PHANTOM_WORKSPACE}. npm run demo -- --data DIR makes one of scans.`
    : `npm run demo -- --data DIR, or npm run ingest -- --data DIR --out ${out}, makes one.`;
  const problems = folderProblems("--out", out, advice);
  if (problems.length > 0) throw new ConfigurationError("The workspace", problems);
}

/** What is wrong with an option that has to name a folder: at most one sentence, with the advice. */
export function folderProblems(option: string, folder: string, advice: string): string[] {
  if (!existsSync(folder)) return [`${option} ${folder} is not there. ${advice}`];
  return statSync(folder).isDirectory() ? [] : [`${option} ${folder} is no folder. ${advice}`];
}

/** What is wrong with the folder for results, which need not be there yet: at most one sentence. */
export function outputProblems(out: string): string[] {
  return !existsSync(out) || statSync(out).isDirectory() ? [] : [cannotBeFolder(out, "it is a file")];
}

const cannotBeFolder = (out: string, why: string) => `--out ${out} cannot be a folder here (${why}).`;

function rejectFolder(subject: string, out: string, error: NodeJS.ErrnoException): never {
  // What is full now may be the right place all the same.
  if (error.syscall !== "mkdir" || ["ENOSPC", "EDQUOT", "EMFILE", "ENFILE", "EIO"].includes(error.code ?? ""))
    throw error;
  throw new ConfigurationError(subject, [cannotBeFolder(out, String(error.code))]);
}

/** Ctrl-C asks a step to stop at a safe point; a second one ends the process at once. */
export function interruptible(): { readonly signal: AbortSignal; release(): void } {
  const controller = new AbortController();
  const stop = () => {
    if (controller.signal.aborted) process.exit(EXIT.interrupted);
    process.stderr.write("\nStopping at the next safe point. The same command goes on from there.\n");
    controller.abort();
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  return {
    signal: controller.signal,
    release() {
      process.off("SIGINT", stop);
      process.off("SIGTERM", stop);
    },
  };
}

/** Says what went wrong and gives the process its exit code. */
export function reportFailure(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
  if (isInterruption(error)) {
    process.stderr.write("Interrupted. The same command goes on from here.\n");
    return EXIT.interrupted;
  }
  const told = error instanceof ConfigurationError ? error : (diskError(error) ?? error);
  process.stderr.write(`${told instanceof Error ? told.message : String(told)}\n`);
  if (process.env.DEBUG && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  return error instanceof ConfigurationError || isMisdirected(error) ? EXIT.usage : EXIT.failed;
}

function isInterruption(error: unknown): boolean {
  return error instanceof Error && ["AbortError", "InterruptedError", "TrainingInterrupted"].includes(error.name);
}

/** An option that names a place where nothing of the kind lies. */
function isMisdirected(error: unknown): boolean {
  return (error as { readonly code?: unknown } | undefined)?.code === "missing-file";
}

/** Parser of a port number; 0: a free one. */
export function portNumber(text: string): number {
  const value = wholeNumber()(text);
  if (value > 65_535) throw new InvalidArgumentError(`"${text}" is not a port: the highest is 65535.`);
  return value;
}

/** Parser of a whole number from `least` on, for a command's option. */
export function wholeNumber(least = 0): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^[0-9]+$/.test(text) || !Number.isSafeInteger(value) || value < least) {
      throw new InvalidArgumentError(`"${text}" is not a whole number from ${least} on.`);
    }
    return value;
  };
}

/** Parser of a bucket's name: one without gs:// would quietly become a folder here. */
export function bucketUri(text: string): string {
  if (!/^gs:\/\/[^/]+\/?$/.test(text)) {
    throw new InvalidArgumentError(`"${text}" is not gs://BUCKET. For a workspace on this machine use --out.`);
  }
  return text;
}

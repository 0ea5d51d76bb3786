import { existsSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import type { FolderNames } from "../intake";
import { ConfigurationError } from "../platform/config";
import { createProgress, type Progress } from "../platform/progress";
import { folderProblems, interruptible, makeOutputFolder, outputProblems } from "./command-line";
import { backend, check, labels, seed } from "./options";
import { WORKSPACE_FILE } from "./workspace-data";

export interface FolderFlags {
  readonly model: string;
  readonly data: string;
  readonly out: string;
  readonly seed?: number;
  readonly backend?: string;
  readonly labels?: FolderNames;
  readonly check?: boolean;
}

/** What such a command found. */
interface FolderResult {
  readonly rejected: number;
  readonly notes: readonly string[];
  /** Whether the model learnt from drawn phantoms alone. */
  readonly synthetic: boolean;
}

/** A command that takes a model over a folder and writes results elsewhere, without a workspace. */
export function folderCommand(name: string, description: string): Command {
  return (
    new Command(name)
      .description(description)
      .requiredOption("--model <dir>", "folder of a model: WORKSPACE/models/ID")
      .requiredOption("--data <dir>", "folder with Cancer/, Non-Cancer/, Unlabelled/")
      .requiredOption("--out <dir>", "where the results go")
      .addOption(seed())
      .addOption(labels())
      .addOption(check())
      // Scripts of before give it: it is taken, and said to be of no use.
      .addOption(backend().hideHelp())
  );
}

/**
 * Runs what reads a folder and writes results, without a workspace.
 *
 * @returns undefined where the folder was only to be looked at
 */
export async function overFolder<R extends FolderResult>(
  name: string,
  { labels: names, check, backend, ...options }: FolderFlags,
  work: (
    options: FolderFlags & {
      readonly names?: FolderNames;
      readonly seed: number;
      readonly progress: Progress;
      readonly signal: AbortSignal;
    },
  ) => Promise<R>,
): Promise<R | undefined> {
  if (backend) process.stderr.write(`${name}: --backend is not used: every answer comes from onnxruntime.\n`);
  const problems = [
    ...folderProblems("--model", options.model, "npm run train makes one: WORKSPACE/models/ID."),
    ...folderProblems("--data", options.data, "It holds Cancer/ and Non-Cancer/, with scans."),
    ...outputProblems(options.out),
    ...(existsSync(join(options.out, WORKSPACE_FILE))
      ? [`--out ${options.out} is a workspace, which has results of its own. Give a folder for these.`]
      : []),
  ];
  if (problems.length > 0) throw new ConfigurationError("The command", problems);
  const { openInput } = await import("../intake/index.js");
  const { apartProblems, printCheck } = await import("./take-in.js");
  const input = await openInput(options.data, names);
  const among = apartProblems(options.out, input);
  if (check) await printCheck(input);
  if (among.length > 0) throw new ConfigurationError("The command", among);
  if (check) return undefined;
  await makeOutputFolder(options.out);
  const interruption = interruptible();
  try {
    const progress = createProgress(name);
    const { seed: given = 0 } = options;
    const told = { ...options, ...(names ? { names } : {}), seed: given };
    const result = await work({ ...told, progress, signal: interruption.signal });
    const { notes, rejected, synthetic } = result;
    for (const note of notes) process.stderr.write(`${name}: ${note}\n`);
    process.stdout.write(`${name}: results are in ${options.out}; files refused, each with its reason: ${rejected}.\n`);
    if (synthetic) process.stdout.write(`${SYNTHETIC}\n`);
    return result;
  } finally {
    interruption.release();
  }
}

const SYNTHETIC = "SYNTHETIC: this model learnt from drawn phantoms alone. What it says of scans means nothing.";

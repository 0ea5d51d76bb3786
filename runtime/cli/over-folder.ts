import { Command } from "commander";
import type { Backend } from "../model";
import { ConfigurationError } from "../platform/config";
import { createProgress, type Progress } from "../platform/progress";
import { folderProblems, interruptible, makeOutputFolder, outputProblems } from "./command-line";
import { backend, seed } from "./options";

export interface FolderFlags {
  readonly model: string;
  readonly data: string;
  readonly out: string;
  readonly seed?: number;
  readonly backend?: Backend;
}

/** A command that takes a model over a folder and writes results elsewhere, without a workspace. */
export function folderCommand(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .requiredOption("--model <dir>", "folder of a model: WORKSPACE/models/ID")
    .requiredOption("--data <dir>", "folder with Cancer/, Non-Cancer/, Unlabelled/")
    .requiredOption("--out <dir>", "where the results go")
    .addOption(seed())
    .addOption(backend());
}

/** Runs what reads a folder and writes results, without a workspace. */
export async function overFolder<R extends { readonly rejected: number; readonly notes: readonly string[] }>(
  name: string,
  options: FolderFlags,
  work: (
    options: FolderFlags & { readonly seed: number; readonly progress: Progress; readonly signal: AbortSignal },
  ) => Promise<R>,
): Promise<R> {
  const problems = [
    ...folderProblems("--model", options.model, "npm run train makes one: WORKSPACE/models/ID."),
    ...folderProblems("--data", options.data, "It holds Cancer/ and Non-Cancer/, with scans."),
    ...outputProblems(options.out),
  ];
  if (problems.length > 0) throw new ConfigurationError("The command", problems);
  await makeOutputFolder(options.out);
  const interruption = interruptible();
  try {
    const progress = createProgress(name);
    const { seed: given = 0 } = options;
    const result = await work({ ...options, seed: given, progress, signal: interruption.signal });
    const { notes, rejected } = result;
    for (const note of notes) process.stderr.write(`${name}: ${note}\n`);
    process.stdout.write(`${name}: results are in ${options.out}; files refused, each with its reason: ${rejected}.\n`);
    return result;
  } finally {
    interruption.release();
  }
}

import { type FolderNames, type Input, openInput } from "../intake";
import { ConfigurationError, requireAll } from "../platform/config";
import { BUCKETS } from "../platform/contract";
import { isWithin, linksIn } from "../platform/places";
import { createProgress } from "../platform/progress";
import { interruptible, makeOutputFolder, outputProblems } from "./command-line";
import { claimWorkspace, folderSource, phantomSource, readWorkspaceData, refusal, type Source } from "./workspace-data";

export interface TakeInFlags {
  /** Workspace; none where the scans go to a bucket. */
  readonly out: string | undefined;
  /** Folder of scans; without one, phantoms of `seed` are drawn. */
  readonly data?: string;
  readonly seed?: number;
  readonly limit?: number;
  readonly names?: FolderNames;
  readonly add?: boolean;
  readonly check?: boolean;
}

/**
 * What comes before scans are put into a workspace: everything that would stop the command is found before any work, and
 * the workspace is claimed for them.
 *
 * @param further checks of the command's own
 * @returns whether to go on: not where the person only wanted to know
 * @throws {ConfigurationError} with all that is wrong
 */
export async function takeIn(flags: TakeInFlags, ...further: readonly (() => Promise<void>)[]): Promise<boolean> {
  const { out, data, seed = 0, limit, names, add = false, check = false } = flags;
  if (check && data === undefined) {
    throw new ConfigurationError("The command", ["--check looks at a folder of scans: name it with --data DIR."]);
  }
  let input: Input | undefined;
  let source: Source | undefined = out === undefined || data !== undefined ? undefined : phantomSource(seed, limit);
  let findings: ConfigurationError | undefined;
  await requireAll(
    ...further,
    () => {
      const problems = out === undefined ? [] : outputProblems(out);
      if (problems.length > 0) throw new ConfigurationError("The workspace", problems);
    },
    async () => {
      if (data === undefined) return;
      input = await openInput(data, names);
      if (out === undefined) return;
      source = folderSource(out, input, limit);
      const problems = [...apartProblems(out, input), ...ownPartProblems(out, data)];
      if (problems.length > 0) throw new ConfigurationError("The command", problems);
    },
    async () => {
      if (out === undefined || source === undefined) return;
      const problem = refusal(out, await readWorkspaceData(out, source), source, add);
      if (problem !== undefined) throw new ConfigurationError("The workspace", [problem]);
    },
  ).catch((error) => {
    if (!check || !(error instanceof ConfigurationError)) throw error;
    findings = error;
  });
  if (check) {
    if (input) await printCheck(input);
    if (findings) throw findings;
    return false;
  }
  if (out !== undefined && source !== undefined) {
    await makeOutputFolder(out, "The workspace");
    await claimWorkspace(out, source, add);
  }
  return true;
}

/** Prints what `--check` finds, for which every file is read. */
export async function printCheck(input: Input): Promise<void> {
  const { checkFolder } = await import("../ingest/index.js");
  const interruption = interruptible();
  try {
    const lines = await checkFolder(input, { progress: createProgress("check"), signal: interruption.signal });
    process.stdout.write(`${[`${input.folder.directory}: looked at, nothing was changed.`, ...lines].join("\n")}\n`);
  } finally {
    interruption.release();
  }
}

/** What is wrong with a place for results: it must not lie among a person's originals. At most one sentence. */
export function apartProblems(out: string, { folder }: Input): string[] {
  const originals = [folder.directory, ...folder.linked];
  const places = [out, ...linksIn(out)];
  if (!places.some((place) => originals.some((original) => isWithin(place, original)))) return [];
  return [
    `--out ${out} is --data ${folder.directory} or lies inside it, where it would be written among the originals. Give a folder outside.`,
  ];
}

/** Phantoms may lie in the workspace that they are for, and so may a person's scans; what the workspace made may not. */
function ownPartProblems(out: string, data: string): string[] {
  const part = [...BUCKETS, ".store"].find((name) => isWithin(data, `${out}/${name}`));
  if (part === undefined) return [];
  return [
    `--data ${data} is a part of the workspace --out ${out} itself (${part}/). What has landed is ingested by npm run ingest without --data.`,
  ];
}

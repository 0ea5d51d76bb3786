import { randomBytes } from "node:crypto";
import { rename, rm, writeFile } from "node:fs/promises";
import type { WithMessageForLogs } from "./names-in-logs";

/** What a disk refuses, and what a person does about it. https://man7.org/linux/man-pages/man3/errno.3.html */
const REFUSALS: Readonly<Record<string, { readonly what: string; readonly why: string; readonly todo: string }>> = {
  ENOSPC: { what: "written", why: "the disk is full", todo: "Free some space on it" },
  EDQUOT: { what: "written", why: "your share of the disk is used up", todo: "Delete what you do not need there" },
  EROFS: {
    what: "written",
    why: "the disk is read-only",
    todo: "Have it mounted for writing, or choose a folder on another disk",
  },
  EFBIG: {
    what: "written",
    why: "it would be larger than this process or the disk allows",
    todo: "Raise the limit (ulimit -f unlimited), or choose a folder on another disk",
  },
  EIO: { what: "read or written", why: "the disk reports an error", todo: "Check the disk, or choose another" },
  EACCES: { what: "opened", why: "you have no right to it", todo: "Change its rights or those of its folder" },
  EPERM: { what: "opened", why: "you have no right to it", todo: "Change its rights or those of its folder" },
  EMFILE: { what: "opened", why: "this process has too many files open", todo: "Raise the limit (ulimit -n 4096)" },
  ENFILE: { what: "opened", why: "this machine has too many files open", todo: "End what else runs on it" },
};

/** The words of the C library, for errors that carry no code: those of DuckDB. */
const WORDS: Readonly<Record<string, string>> = {
  "No space left on device": "ENOSPC",
  "Disk quota exceeded": "EDQUOT",
  "Read-only file system": "EROFS",
  "File too large": "EFBIG",
  "Input/output error": "EIO",
  "Permission denied": "EACCES",
  "Too many open files": "EMFILE",
};

/** A file that the disk does not give or take: which, why and what to do. What was done before is not lost. */
export class DiskError extends Error implements WithMessageForLogs {
  readonly forLogs: string;

  constructor(
    /** Path; undefined where the system does not say. */
    readonly file: string | undefined,
    readonly code: string,
    options?: ErrorOptions,
  ) {
    const { what, why, todo } = REFUSALS[code] ?? { what: "used", why: "the disk refuses it", todo: "Check the disk" };
    const rest = `cannot be ${what}: ${why} (${code}). ${todo}; the same command then goes on.`;
    super(`${file ?? "A file"} ${rest}`, options);
    this.forLogs = `A file ${rest}`;
    this.name = "DiskError";
  }
}

/**
 * What the disk refused, if that is what an error or one of its causes is about.
 *
 * @param file that was worked on, where the error itself does not name one
 */
export function diskError(error: unknown, file?: string): DiskError | undefined {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    if (at instanceof DiskError) return at;
    const { code, path, syscall } = at as NodeJS.ErrnoException;
    const said = code ?? codeInWords(at.message);
    // Ports and programs are refused with the same codes.
    if (said === undefined || !(said in REFUSALS) || /^(?:spawn|listen|bind|connect|kill)/.test(syscall ?? ""))
      continue;
    return new DiskError(file ?? path ?? /file "([^"]+)"/.exec(at.message)?.[1], said, { cause: error });
  }
  return undefined;
}

function codeInWords(message: string): string | undefined {
  if (!message.includes("IO Error")) return undefined;
  return Object.entries(WORDS).find(([words]) => message.includes(words))?.[1];
}

/** Does what touches one file. @throws {DiskError} naming it, where the disk is what fails */
export async function onDisk<T>(file: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw diskError(error, file) ?? error;
  }
}

/**
 * Writes a file so that there is the old one or the whole new one, whatever happens meanwhile.
 *
 * @param beside where it is made; a fixed name where what a kill leaves behind would add up
 * @throws {DiskError}
 */
export async function writeWhole(
  path: string,
  content: string | Uint8Array,
  beside = `${path}.${process.pid}-${randomBytes(4).toString("hex")}`,
): Promise<void> {
  await onDisk(path, async () => {
    try {
      await writeFile(beside, content);
      await rename(beside, path);
    } catch (error) {
      await rm(beside, { force: true }).catch(() => undefined);
      throw error;
    }
  });
}

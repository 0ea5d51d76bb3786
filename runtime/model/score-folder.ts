import { readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { DEFAULT_LIMITS, RejectedImage } from "../imaging";
import type { InputFile, Label } from "../intake";
import type { Classifier } from "./classifier";
import { UnusableModelError } from "./model-files";
import type { ScoredScan } from "./score";

/** What became of one file of an input folder. */
export type FileResult = {
  readonly file: InputFile;
  /** The folder's; undefined where it says none. */
  readonly label: Label | undefined;
} & ({ readonly scored: ScoredScan } | { readonly rejected: { readonly code: string; readonly message: string } });

/** Files that are under way at a time: every thread has one, and the next is read meanwhile. */
const AHEAD = 2 * availableParallelism();

/**
 * Scores every scan of a folder, in the folder's order. A file that cannot be used gives its reason and never stops the
 * rest; a file outside the label folders is refused as ingest refuses it. Masks and the manifest are no scans and are
 * passed over.
 *
 * @throws {UnusableModelError} if the model gives no probabilities
 */
export async function* scoreFolder(
  classifier: Classifier,
  files: readonly InputFile[],
  signal?: AbortSignal,
): AsyncGenerator<FileResult> {
  const scans = files.filter(({ input }) => input.kind === "scan" || input.kind === "stray");
  const running: Promise<FileResult>[] = [];
  let next = 0;
  try {
    for (let done = 0; done < scans.length; done++) {
      signal?.throwIfAborted();
      while (next < scans.length && running.length < AHEAD) {
        const result = scoreFile(classifier, scans[next++] as InputFile, signal);
        // Awaited in order below; a failure of a later one must not count as unhandled meanwhile.
        result.catch(() => undefined);
        running.push(result);
      }
      yield await (running.shift() as Promise<FileResult>);
    }
  } finally {
    await Promise.allSettled(running);
  }
}

async function scoreFile(classifier: Classifier, file: InputFile, signal?: AbortSignal): Promise<FileResult> {
  if (file.input.kind !== "scan") {
    const message = file.input.kind === "stray" ? file.input.message : "The file is no scan.";
    return { file, label: undefined, rejected: { code: "outside-label-folders", message } };
  }
  const { label } = file.input;
  try {
    return { file, label, scored: await classifier.score(await readScan(file), signal ? { signal } : {}) };
  } catch (error) {
    signal?.throwIfAborted();
    // What ails the machine or the model is no fault of the file.
    if (error instanceof UnusableModelError || ["EMFILE", "ENFILE"].includes(codeOf(error))) throw error;
    if (error instanceof RejectedImage) return { file, label, rejected: { code: error.code, message: error.message } };
    const cause = error instanceof Error ? error.message : String(error);
    const code = (error as NodeJS.ErrnoException).syscall ? "unreadable" : "internal-error";
    return { file, label, rejected: { code, message: `The file could not be read: ${cause}` } };
  }
}

const codeOf = (error: unknown) => String((error as NodeJS.ErrnoException).code ?? "");

/** @throws {RejectedImage} before anything is read of a file that is larger than the limit. */
async function readScan(file: InputFile): Promise<Buffer> {
  if (file.size > DEFAULT_LIMITS.bytes) {
    const mebibytes = (bytes: number) => Math.ceil(bytes / 2 ** 20).toLocaleString("en-US");
    throw new RejectedImage(
      "file-too-large",
      `The file has ${mebibytes(file.size)} MiB; at most ${mebibytes(DEFAULT_LIMITS.bytes)} MiB are read.`,
    );
  }
  return readFile(file.path);
}

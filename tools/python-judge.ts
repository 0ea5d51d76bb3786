import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { lstatSync, readdirSync, statSync } from "node:fs";
import { open, readFile } from "node:fs/promises";
import { endianness } from "node:os";
import type { Writable } from "node:stream";
import { DEFAULT_LIMITS, decodeScan, type ImageFormat, RejectedImage, sniffFormat } from "../runtime/imaging";
import { ConfigurationError } from "../runtime/platform/config";
import { createProgress } from "../runtime/platform/progress";
import { EXIT } from "./command";

/** Names of files are bytes; this keeps each as it is. */
const NAMES = "latin1";

/** A comparison in Python, which is told of files and of what was decoded from them. */
export class PythonJudge {
  private constructor(private readonly child: ChildProcessByStdio<Writable, null, null>) {}

  /**
   * Tells a comparison of every file of a folder; returns its exit code, done or failed.
   *
   * @param arguments_ of Python: the script first
   * @param peer whom it compares with, for sentences
   * @param tell decodes a file and tells of it
   */
  static async run(
    python: string,
    arguments_: readonly string[],
    { files, peer, noun }: { readonly files: readonly string[]; readonly peer: string; readonly noun: string },
    tell: (path: string, judge: PythonJudge) => Promise<void>,
  ): Promise<number> {
    const child = spawn(python, [...arguments_], { stdio: ["pipe", "inherit", "inherit"] });
    const ended = once(child, "exit") as Promise<[number | null, NodeJS.Signals | null]>;
    // Whoever ends early is spoken of below; what is then written to it is lost in any case.
    child.stdin.on("error", () => undefined);
    const judge = new PythonJudge(child);
    const progress = createProgress(noun);
    let at = "";
    await judge.send({ files });
    progress.start(files.length);
    for (const path of files) {
      at = path;
      if (child.exitCode !== null || child.signalCode !== null) break;
      await tell(path, judge);
      progress.advance();
    }
    progress.finish();
    child.stdin.end();
    const [code, signal] = await ended;
    if (code === EXIT.done || code === EXIT.failed) return code;
    throw new Error(
      `The comparison with ${peer} ended by ${signal ?? `exit code ${code}`}, at ${at} or a file before it.`,
    );
  }

  /**
   * Waits until it was taken, so that no more than a page lies in memory; or until there is nobody who takes it.
   * @param samples follow the line, little-endian
   */
  send(message: object, samples?: Uint8Array): Promise<void> {
    return new Promise((taken) => {
      const line = Buffer.from(`${JSON.stringify(message)}\n`);
      this.child.stdin.write(samples ? Buffer.concat([line, samples]) : line, () => taken());
    });
  }
}

/** What a command ends with that found nothing to compare: nothing was shown then. */
export function unlessNothing(code: number, compared: number, files: number, data: string, noun: string): number {
  if (compared > 0 || code !== EXIT.done) return code;
  process.stderr.write(`None of the ${files} files below ${data} is ${noun}, so nothing was compared.\n`);
  return EXIT.failed;
}

/** The bytes of samples, little-endian. */
export function littleEndian({ buffer, byteOffset, byteLength, BYTES_PER_ELEMENT }: NumberArray): Buffer {
  const bytes = Buffer.from(buffer, byteOffset, byteLength);
  if (BYTES_PER_ELEMENT === 1 || endianness() === "LE") return bytes;
  const copy = Buffer.from(bytes);
  return BYTES_PER_ELEMENT === 2 ? copy.swap16() : BYTES_PER_ELEMENT === 4 ? copy.swap32() : copy.swap64();
}

type NumberArray = Pick<Uint16Array, "buffer" | "byteOffset" | "byteLength" | "BYTES_PER_ELEMENT">;

export const sentenceOf = ({ code, message }: RejectedImage) => ({ code, message });

/** The files below the folder that `--data` names. @throws {ConfigurationError} */
export function filesOfFolder(data: string): readonly string[] {
  if (!statSync(data, { throwIfNoEntry: false })?.isDirectory()) {
    throw new ConfigurationError("--data", [`"${data}" is no folder. Give one that holds image files.`]);
  }
  const files = filesBelow(data);
  if (files.length === 0) throw new ConfigurationError("--data", [`"${data}" holds no file. Give one that does.`]);
  return files;
}

/** Paths below a folder, of files and of links to files; links to folders are not followed. */
function filesBelow(folder: string, below = ""): string[] {
  return readdirSync(inFolder(folder, below), NAMES)
    .sort()
    .flatMap((name) => {
      const path = below === "" ? name : `${below}/${name}`;
      const entry = lstatSync(inFolder(folder, path));
      if (entry.isDirectory()) return filesBelow(folder, path);
      return statSync(inFolder(folder, path), { throwIfNoEntry: false })?.isFile() ? [path] : [];
    });
}

export function inFolder(folder: string, path: string): Buffer {
  return Buffer.concat([Buffer.from(`${folder}/`), Buffer.from(path, NAMES)]);
}

/** Enough to tell what a file is, bytes. */
const FIRST_BYTES = 1024;

/** What a file of a folder is, by its first bytes. */
export async function formatOf(data: string, path: string): Promise<ImageFormat | undefined> {
  const file = await open(inFolder(data, path), "r");
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(FIRST_BYTES), 0, FIRST_BYTES, 0);
    return sniffFormat(buffer.subarray(0, bytesRead)).format;
  } finally {
    await file.close();
  }
}

/** A picture of any size is compared; ingest takes none that is smaller than its limit. */
const LIMITS = { minimumSide: 1 };

/**
 * Tells of each page of a file: its samples follow its line (16 bits: little-endian), or there is a code and a sentence; then
 * that the file has ended.
 */
export async function tellOfPages(data: string, path: string, judge: PythonJudge): Promise<void> {
  let refused = false;
  try {
    const file = inFolder(data, path);
    if (statSync(file).size > DEFAULT_LIMITS.bytes) {
      throw new RejectedImage("file-too-large", "The file has more bytes than the limit.");
    }
    for await (const decoded of decodeScan(await readFile(file), LIMITS)) {
      const { page, pages } = decoded;
      if ("rejected" in decoded) {
        await judge.send({ path, page, pages, ...sentenceOf(decoded.rejected) });
        continue;
      }
      const { width, height, depth, pixels } = decoded.image;
      const samples = littleEndian(pixels);
      await judge.send({ path, page, pages, width, height, depth, bytes: samples.length }, samples);
    }
  } catch (error) {
    // Whatever else is thrown has no code, so the file counts as lost.
    if (!(error instanceof RejectedImage)) {
      process.stderr.write(`${path}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
      return;
    }
    refused = true;
    await judge.send({ path, page: 1, pages: 1, ...sentenceOf(error) });
  }
  await judge.send({ path, end: true, refused });
}

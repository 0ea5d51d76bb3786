import { type ChildProcessByStdio, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { lstatSync, readdirSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { endianness } from "node:os";
import { join } from "node:path";
import type { Writable } from "node:stream";
import { repositoryRoot } from "../constructs/core/repository";
import { DEFAULT_LIMITS, decodeScan, RejectedImage } from "../runtime/imaging";
import { ConfigurationError } from "../runtime/platform/config";
import { createProgress } from "../runtime/platform/progress";
import { EXIT, ifMain, runTool, tool } from "./command";

/** What compares, and prints what it found. */
const COMPARISON = join(repositoryRoot(), "scripts", "verify-pixels.py");
/** A picture of any size is compared; ingest takes none that is smaller than its limit. */
const LIMITS = { minimumSide: 1 };
/** Names of files are bytes; this keeps each as it is. */
const NAMES = "latin1";

type Comparison = ChildProcessByStdio<Writable, null, null>;

/** What is told of a file and its pages; a page's samples follow its line (16 bits: little-endian). */
type Message =
  | { readonly files: readonly string[] }
  | ({ readonly path: string; readonly page: number; readonly pages: number } & (
      | { readonly width: number; readonly height: number; readonly depth: 8 | 16; readonly bytes: number }
      | { readonly code: string; readonly message: string }
    ))
  | { readonly path: string; readonly end: true; readonly refused: boolean };

/** Decodes every file below a folder, and has Pillow decode it too. */
export function verifyPixels(args: readonly string[]): Promise<number> {
  const program = tool(
    "verify:pixels",
    "Compares every decoded grey value of the pictures below a folder with Pillow's.",
  )
    .requiredOption(
      "--data <dir>",
      "a folder with image files, in any order and with any names; nothing is written there",
    )
    .option("--python <command>", "a Python 3.10 or newer that has Pillow", process.env.PYTHON ?? "python3")
    .option("--list", "name every file, not only the first of each kind")
    .addHelpText(
      "after",
      "\nExits with 1 if a picture differs by more than 1 and no listed exception explains it, or if a file was lost: neither\n" +
        `decoded nor refused with a code. Pillow, if you have none: ${installPillow("python3")}.`,
    );
  return runTool(
    program,
    () => {
      const { data, python, list } = program.opts<{ data: string; python: string; list?: true }>();
      const folder = statSync(data, { throwIfNoEntry: false });
      if (!folder?.isDirectory()) {
        throw new ConfigurationError("--data", [`"${data}" is no folder. Give one that holds image files.`]);
      }
      const files = filesBelow(data);
      if (files.length === 0) throw new ConfigurationError("--data", [`"${data}" holds no file. Give one that does.`]);
      requirePillow(python);
      return compare(data, files, python, list ? ["--list"] : []);
    },
    args,
  );
}

const installPillow = (python: string) =>
  `${python} -m venv .parts/pillow && .parts/pillow/bin/pip install Pillow, then --python .parts/pillow/bin/python`;

function requirePillow(python: string): void {
  const question = "import sys; print(*sys.version_info[:2], sep='.'); import PIL.Image";
  const { error, status, stdout } = spawnSync(python, ["-c", question], { encoding: "utf8" });
  const [major = 0, minor = 0] = (stdout ?? "").trim().split(".").map(Number);
  const problem = error
    ? `"${python}" cannot be started (${error.message}). Install Python 3.10 or newer, or give the path of one.`
    : major < 3 || (major === 3 && minor < 10)
      ? `"${python}" is no Python 3.10 or newer. Give the path of one.`
      : status !== 0
        ? `"${python}" has no Pillow, which the pictures are compared with. Install it: ${installPillow(python)}.`
        : undefined;
  if (problem) throw new ConfigurationError("--python", [problem]);
}

async function compare(
  data: string,
  files: readonly string[],
  python: string,
  options: readonly string[],
): Promise<number> {
  const comparison = spawn(python, [COMPARISON, data, ...options], { stdio: ["pipe", "inherit", "inherit"] });
  const ended = once(comparison, "exit") as Promise<[number | null, NodeJS.Signals | null]>;
  // Whoever ends early is spoken of below; what is then written to it is lost in any case.
  comparison.stdin.on("error", () => undefined);
  const progress = createProgress("pictures");
  let at = "";
  await send(comparison, { files });
  progress.start(files.length);
  for (const path of files) {
    at = path;
    if (comparison.exitCode !== null || comparison.signalCode !== null) break;
    await decodeFile(data, path, comparison);
    progress.advance();
  }
  progress.finish();
  comparison.stdin.end();
  const [code, signal] = await ended;
  if (code === EXIT.done || code === EXIT.failed) return code;
  throw new Error(
    `The comparison with Pillow ended by ${signal ?? `exit code ${code}`}, at ${at} or a file before it.`,
  );
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

function inFolder(folder: string, path: string): Buffer {
  return Buffer.concat([Buffer.from(`${folder}/`), Buffer.from(path, NAMES)]);
}

async function decodeFile(data: string, path: string, comparison: Comparison): Promise<void> {
  let refused = false;
  try {
    const file = inFolder(data, path);
    if (statSync(file).size > DEFAULT_LIMITS.bytes) {
      throw new RejectedImage("file-too-large", "The file has more bytes than the limit.");
    }
    for await (const decoded of decodeScan(await readFile(file), LIMITS)) {
      const { page, pages } = decoded;
      if ("rejected" in decoded) {
        await send(comparison, { path, page, pages, ...sentenceOf(decoded.rejected) });
        continue;
      }
      const { width, height, depth, pixels } = decoded.image;
      const samples = Buffer.from(pixels.buffer, pixels.byteOffset, pixels.byteLength);
      const ordered = depth === 16 && endianness() === "BE" ? Buffer.from(samples).swap16() : samples;
      await send(comparison, { path, page, pages, width, height, depth, bytes: ordered.length }, ordered);
    }
  } catch (error) {
    // Whatever else is thrown has no code, so the file counts as lost.
    if (!(error instanceof RejectedImage)) {
      process.stderr.write(`${path}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
      return;
    }
    refused = true;
    await send(comparison, { path, page: 1, pages: 1, ...sentenceOf(error) });
  }
  await send(comparison, { path, end: true, refused });
}

const sentenceOf = ({ code, message }: RejectedImage) => ({ code, message });

/** Waits until it was taken, so that no more than a page lies in memory; or until there is nobody who takes it. */
function send({ stdin }: Comparison, message: Message, samples?: Buffer): Promise<void> {
  return new Promise((taken) => {
    const line = Buffer.from(`${JSON.stringify(message)}\n`);
    stdin.write(samples ? Buffer.concat([line, samples]) : line, () => taken());
  });
}

ifMain(module, verifyPixels);

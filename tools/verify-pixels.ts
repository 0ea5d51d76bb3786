import { spawnSync } from "node:child_process";
import { statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { repositoryRoot } from "../constructs/core/repository";
import { DEFAULT_LIMITS, decodeScan, RejectedImage } from "../runtime/imaging";
import { ConfigurationError } from "../runtime/platform/config";
import { ifMain, runTool, tool } from "./command";
import { filesOfFolder, inFolder, littleEndian, PythonJudge, sentenceOf } from "./python-judge";

/** What compares, and prints what it found. */
const COMPARISON = join(repositoryRoot(), "scripts", "verify-pixels.py");
/** A picture of any size is compared; ingest takes none that is smaller than its limit. */
const LIMITS = { minimumSide: 1 };
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
      const files = filesOfFolder(data);
      requirePillow(python);
      const options = [COMPARISON, data, ...(list ? ["--list"] : [])];
      return PythonJudge.run(python, options, { files, peer: "Pillow", noun: "pictures" }, (path, judge) =>
        decodeFile(data, path, judge),
      );
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

/**
 * Tells of each page of a file: its samples follow its line (16 bits: little-endian), or there is a code and a sentence; then
 * that the file has ended.
 */
async function decodeFile(data: string, path: string, judge: PythonJudge): Promise<void> {
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

ifMain(module, verifyPixels);

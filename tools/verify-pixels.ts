import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { repositoryRoot } from "../constructs/core/repository";
import { ConfigurationError } from "../runtime/platform/config";
import { ifMain, runTool, tool } from "./command";
import { filesOfFolder, PythonJudge, tellOfPages } from "./python-judge";

/** What compares, and prints what it found. */
const COMPARISON = join(repositoryRoot(), "scripts", "verify-pixels.py");

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
        tellOfPages(data, path, judge),
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

ifMain(module, verifyPixels);

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(__dirname, "..", "..");
const PARTS = join(ROOT, ".parts", "dicom");

/** The Python that has pydicom. */
export function pydicomPython(): string {
  const python = join(PARTS, "bin", "python");
  if (!existsSync(python)) throw new Error("pydicom is not installed: run npm run setup:tests.");
  return python;
}

/** Runs Python with pydicom. @throws {Error} with what it said, if it fails */
export function runPydicom(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(pydicomPython(), args, { encoding: "utf8", maxBuffer: 2 ** 28 });
  if (status !== 0) throw new Error(`Python ended with ${status}: ${stderr}`);
  return stdout;
}

/** The folder of the 172 files that pydicom is tested with. */
export function pydicomTestFiles(): string {
  const code =
    "import os, pydicom; print(os.path.join(os.path.dirname(pydicom.__file__), 'data', 'test_files'), end='')";
  return runPydicom("-c", code);
}

/** The command as a person runs it. */
export function runVerifyDicom(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const command = [join(ROOT, "dist", "tools", "verify-dicom.js"), "--python", pydicomPython(), ...args];
  const { status, stdout, stderr } = spawnSync(process.execPath, command, { encoding: "utf8", maxBuffer: 2 ** 28 });
  if (status !== 0 && status !== 1) throw new Error(`verify:dicom ended with ${status}: ${stderr}`);
  return { status, stdout, stderr };
}

/** Lines below a heading of what it printed, without their dashes. */
export function entriesBelow(stdout: string, heading: string): string[] {
  const lines = stdout.split("\n");
  const at = lines.findIndex((line) => /^ *\d/.test(line) && line.includes(heading));
  if (at < 0) throw new Error(`There is no "${heading}" in what was printed:\n${stdout}`);
  const rest = lines.slice(at + 1);
  const end = rest.findIndex((line) => !line.startsWith("           - "));
  return rest.slice(0, end < 0 ? undefined : end).map((line) => line.slice(13));
}

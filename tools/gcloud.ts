import { spawnSync } from "node:child_process";

/** A command line and its arguments. */
export type CommandLine = readonly [program: string, ...args: string[]];

/** Runs a command of the Google Cloud CLI and returns what it prints; tests put their own in its place. */
export type Runner = (command: CommandLine) => string;

/** @throws with what the command said. */
export const runCommand: Runner = ([program, ...args]) => {
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: "utf8", maxBuffer: 1 << 28 });
  if (error && (error as NodeJS.ErrnoException).code === "ENOENT")
    throw new Error(
      `${program} is not on PATH: install the Google Cloud CLI (https://cloud.google.com/sdk/docs/install).`,
    );
  if (status !== 0)
    throw new Error(`"${showCommand([program, ...args])}" failed: ${(stderr || error?.message || "").trim()}`);
  return stdout;
};

/** A list that a command prints with --format=json; empty where it prints nothing. */
export function runForList<T>(run: Runner, command: CommandLine): T[] {
  const text = run([...command, "--format=json"]).trim();
  return text === "" ? [] : (JSON.parse(text) as T[]);
}

/** As one would type it. */
export const showCommand = (command: readonly string[]) =>
  command.map((word) => (/^[\w./:=@,%+-]+$/.test(word) ? word : `'${word.replace(/'/g, `'\\''`)}'`)).join(" ");

import { readFileSync } from "node:fs";
import { createRequire, SourceMap, type SourceMapPayload } from "node:module";
import { dirname, join, relative, resolve } from "node:path";
import { compileFunction } from "node:vm";
import { type BuildFailure, buildSync } from "esbuild";
import { repositoryRoot } from "../constructs/core/repository";
import { ConfigurationError } from "../runtime/platform/config";
import type { HospitalLine } from "./config";
import type { PlatformLine } from "./platform-config";

/** Files in place of stacks/hospitals.ts: JSON, or a program (.ts, .js and the like) that exports what that file exports. */
export interface LinesChoice {
  /** A list of hospitals. @default the variable HOSPITALS_FILE */
  readonly hospitals?: string | undefined;
  /** The platform's line. @default the variable PLATFORM_FILE, or what the program with the hospitals exports */
  readonly platform?: string | undefined;
}

/** As they were written: hospitals and platform are validated by the app. */
export interface Lines {
  readonly hospitals: readonly HospitalLine[];
  readonly platform: PlatformLine;
  /** What the list of hospitals is called in an error. */
  readonly subject: string;
}

/** What each option says in a command's help. */
export const LINES_HELP = {
  hospitals: "a list of hospitals (JSON or TypeScript) in place of stacks/hospitals.ts (or HOSPITALS_FILE)",
  platform: "the platform's line, in place of the one in stacks/hospitals.ts (or PLATFORM_FILE)",
} as const;

/** The file that an engineer edits, as errors name it. */
export const HOSPITALS_FILE = "stacks/hospitals.ts";

interface ShippedLines {
  readonly hospitals: readonly HospitalLine[];
  readonly platform: PlatformLine;
}

let shipped: ShippedLines | undefined;

/**
 * The lines of `stacks/hospitals.ts`. It is the one source that tsc does not compile before a command: a wrong key would
 * end there, in the compiler's words, and never reach the validation that names every problem in ours. Editors and
 * `npm run typecheck` check its types.
 * @throws {ConfigurationError} if the file cannot be read as TypeScript, or fails while it is run
 */
export function shippedLines(): ShippedLines {
  shipped ??= loadProgram(join(repositoryRoot(), HOSPITALS_FILE), HOSPITALS_FILE) as unknown as ShippedLines;
  return shipped;
}

/** A choice with what the environment says where the command line says nothing. */
export function withVariables(
  { hospitals, platform }: LinesChoice,
  variables: Readonly<Record<string, string | undefined>> = process.env,
): LinesChoice {
  return {
    hospitals: hospitals ?? (variables.HOSPITALS_FILE || undefined),
    platform: platform ?? (variables.PLATFORM_FILE || undefined),
  };
}

/**
 * The lines that a command works on: from the files that were chosen, otherwise the shipped ones.
 * @throws {ConfigurationError} if a file cannot be read, does not compile or run, or lacks what it is for
 */
export function chooseLines(choice: LinesChoice, defaults?: readonly HospitalLine[]): Lines {
  const { hospitals: file, platform: platformFile } = withVariables(choice);
  const given = file === undefined ? undefined : readFile(file, "hospitals");
  const hospitals =
    given === undefined ? (defaults ?? shippedLines().hospitals) : (given.value as readonly HospitalLine[]);
  const platform =
    platformFile === undefined
      ? (given?.exports?.platform ?? shippedLines().platform)
      : readFile(platformFile, "platform").value;
  return { hospitals, platform: platform as PlatformLine, subject: file ?? HOSPITALS_FILE };
}

type Kind = "hospitals" | "platform";

const SUBJECTS: Readonly<Record<Kind, string>> = { hospitals: "The list of hospitals", platform: "The platform" };

export const isProgram = (file: string) => /\.[cm]?[jt]s$/.test(file);

interface FileContent {
  /** What the file is for, not validated. */
  readonly value: unknown;
  /** Everything that it exports, if it is a program. */
  readonly exports?: Readonly<Record<string, unknown>> | undefined;
}

function readFile(file: string, kind: Kind): FileContent {
  const refuse = (problem: string) => new ConfigurationError(SUBJECTS[kind], [problem]);
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    const why =
      (error as NodeJS.ErrnoException).code === "ENOENT"
        ? "does not exist"
        : `cannot be read: ${(error as Error).message}`;
    throw refuse(`The file ${file} ${why}. Name a .json or .ts file with --${kind}.`);
  }
  if (isProgram(file)) {
    const exports = loadProgram(file, SUBJECTS[kind]);
    if (exports[kind] !== undefined) return { value: exports[kind], exports };
    const names = Object.keys(exports);
    throw refuse(
      `The file ${file} exports ${names.length === 0 ? "nothing" : names.join(", ")}; it must export "${kind}", as ${HOSPITALS_FILE} does.`,
    );
  }
  try {
    return { value: JSON.parse(text.replace(/^\uFEFF/, "")) as unknown };
  } catch (error) {
    throw refuse(`The file ${file} is not JSON: ${(error as Error).message}.`);
  }
}

/**
 * Compiles a file with what it imports beside it, and runs it, without looking at types; packages are those that it finds by
 * itself.
 * @param subject what an error is about
 * @returns its exports
 * @throws {ConfigurationError} with file and line of what the parser, or the run, says
 */
export function loadProgram(file: string, subject: string): Record<string, unknown> {
  const path = resolve(file);
  const { code, map } = compile(path, subject);
  const module = { exports: {} as Record<string, unknown> };
  try {
    const run = compileFunction(code, ["module", "exports", "require", "__filename", "__dirname"], { filename: path });
    run(module, module.exports, createRequire(path), path, dirname(path));
  } catch (error) {
    const where = originOf(error, path, map) ?? file;
    const message = String((error as Error | undefined)?.message ?? error).split("\n")[0];
    throw new ConfigurationError(subject, [`${where}: the file fails when it is run: ${message}`]);
  }
  return module.exports;
}

function compile(path: string, subject: string): { readonly code: string; readonly map: SourceMap } {
  try {
    const { outputFiles } = buildSync({
      entryPoints: [path],
      outfile: `${path}.cjs`,
      write: false,
      bundle: true,
      packages: "external",
      platform: "node",
      target: "node20",
      format: "cjs",
      sourcemap: "external",
      logLevel: "silent",
      tsconfigRaw: {},
    });
    const text = (ending: string) => outputFiles.find((output) => output.path.endsWith(ending))?.text ?? "";
    return { code: text(".cjs"), map: new SourceMap(JSON.parse(text(".map")) as SourceMapPayload) };
  } catch (error) {
    const { errors } = error as Partial<BuildFailure>;
    if (errors === undefined) throw error;
    throw new ConfigurationError(
      subject,
      errors.map(({ text, location }) => {
        const where = location ? place(location.file, location.line, location.column + 1) : path;
        return `${where}: ${text.replace(/\.?$/, ".")}`;
      }),
    );
  }
}

/** Where in the sources an error was thrown: FILE:LINE:COLUMN, from 1. */
function originOf(error: unknown, path: string, map: SourceMap): string | undefined {
  const { stack = "" } = (error ?? {}) as Error;
  const at = stack.indexOf(`${path}:`);
  const [, line, column] = /^(\d+):(\d+)/.exec(stack.slice(at + path.length + 1)) ?? [];
  if (at < 0 || line === undefined) return undefined;
  const entry = map.findEntry(Number(line) - 1, Number(column) - 1);
  if (!("originalSource" in entry)) return undefined;
  return place(resolve(dirname(path), entry.originalSource), entry.originalLine + 1, entry.originalColumn + 1);
}

const place = (file: string, line: number, column: number) => `${relative("", resolve(file))}:${line}:${column}`;

import { createRequire } from "node:module";
import { dirname, join, relative } from "node:path";
import { compileFunction } from "node:vm";
import { type BuildFailure, buildSync } from "esbuild";
import { repositoryRoot } from "../constructs/core/repository";
import { ConfigurationError } from "../runtime/platform/config";
import type { HospitalLine } from "./config";
import type { PlatformLine } from "./platform-config";

/** The file that an engineer edits, as errors name it. */
export const HOSPITALS_FILE = "stacks/hospitals.ts";

/** What `stacks/hospitals.ts` exports, before anything of it is validated. */
export interface ShippedLines {
  readonly hospitals: readonly HospitalLine[];
  readonly platform: PlatformLine;
}

let shipped: ShippedLines | undefined;

/**
 * The lines of `stacks/hospitals.ts`. It is the one source that tsc does not compile before a command: a wrong key would
 * end there, in the compiler's words, and never reach the validation that names every problem in ours. Editors and
 * `npm run typecheck` check its types.
 * @throws {ConfigurationError} if the file cannot be read as TypeScript, or fails while it is evaluated.
 */
export function shippedLines(): ShippedLines {
  shipped ??= loadTypeScript(join(repositoryRoot(), HOSPITALS_FILE)) as unknown as ShippedLines;
  return shipped;
}

/**
 * Evaluates a TypeScript file, and what it imports by relative paths, without looking at types.
 * @param file absolute path
 * @returns its exports
 * @throws {ConfigurationError} with the line and what the parser, or the evaluation, says.
 */
export function loadTypeScript(file: string): Readonly<Record<string, unknown>> {
  const module = { exports: {} as Record<string, unknown> };
  try {
    const names = ["module", "exports", "require", "__filename", "__dirname"];
    const evaluate = compileFunction(javaScriptOf(file), names, { filename: file });
    evaluate(module, module.exports, createRequire(file), file, dirname(file));
    return module.exports;
  } catch (error) {
    const { errors } = error as Partial<BuildFailure>;
    throw new ConfigurationError(
      relative(repositoryRoot(), file),
      errors?.map(({ text, location }) => `Line ${location?.line ?? 1}: ${text}.`) ?? [
        `Evaluating it fails: ${(error as Error).message ?? error}.`,
      ],
    );
  }
}

function javaScriptOf(file: string): string {
  const { outputFiles } = buildSync({
    entryPoints: [file],
    bundle: true,
    packages: "external",
    platform: "node",
    format: "cjs",
    target: "node20",
    logLevel: "silent",
    write: false,
    tsconfigRaw: {},
  });
  return outputFiles[0]?.text ?? "";
}

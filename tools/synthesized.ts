import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { ConfigurationError } from "../runtime/platform/config";

export type Json = Record<string, unknown>;

/** A stack as it was synthesized. */
export interface SynthesizedStack {
  readonly name: string;
  readonly json: Json;
  /** The folder that Terraform runs in. */
  readonly folder: string;
  /** Names of the stacks that are deployed before it. */
  readonly dependencies: readonly string[];
}

const FILE = "cdk.tf.json";

/**
 * Reads what `npm run synth` wrote.
 * @param folder an output folder (with stacks/ in it), the folder of one stack, or one with folders of stacks
 * @throws {ConfigurationError} where there are no stacks, or one is not JSON.
 */
export function readStacks(folder: string): SynthesizedStack[] {
  const subject = "The folder of synthesized stacks";
  if (!existsSync(folder) || !statSync(folder).isDirectory())
    throw new ConfigurationError(subject, [
      `The folder ${folder} does not exist: run "npm run synth" first, or name another with --dir.`,
    ]);
  const parent = existsSync(join(folder, "stacks")) ? join(folder, "stacks") : folder;
  const folders = existsSync(join(parent, FILE))
    ? [parent]
    : readdirSync(parent)
        .sort()
        .map((name) => join(parent, name))
        .filter((path) => existsSync(join(path, FILE)));
  if (folders.length === 0)
    throw new ConfigurationError(subject, [
      `There is no ${FILE} in ${folder} or in the folders below it: name the --out of "npm run synth".`,
    ]);
  const manifest = readManifest(join(parent, "..", "manifest.json"));
  return folders.map((path) => {
    const name = basename(resolve(path));
    return { name, json: readJson(join(path, FILE), subject), folder: path, dependencies: manifest[name] ?? [] };
  });
}

/** Each stack's dependencies, from the manifest that cdktf writes beside the stacks; empty where there is none. */
function readManifest(file: string): Readonly<Record<string, readonly string[]>> {
  if (!existsSync(file)) return {};
  const { stacks } = readJson(file, "The manifest of the synthesized stacks") as {
    stacks?: Record<string, { dependencies?: string[] }>;
  };
  return Object.fromEntries(Object.entries(stacks ?? {}).map(([name, { dependencies }]) => [name, dependencies ?? []]));
}

export function readJson(file: string, subject: string): Json {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new ConfigurationError(subject, [`The file ${file} cannot be read: ${(error as Error).message}.`]);
  }
  try {
    const json: unknown = JSON.parse(text.replace(/^\uFEFF/, ""));
    if (typeof json === "object" && json !== null && !Array.isArray(json)) return json as Json;
  } catch (error) {
    throw new ConfigurationError(subject, [`The file ${file} is not JSON: ${(error as Error).message}.`]);
  }
  throw new ConfigurationError(subject, [`The file ${file} does not hold a JSON object.`]);
}

/** Gives work a folder that is gone afterwards: once it has returned, or what it promised has come. */
export function withScratch<T>(work: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), "brain-tumor-tool-"));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  let result: T;
  try {
    result = work(folder);
  } catch (error) {
    remove();
    throw error;
  }
  if (result instanceof Promise) return result.finally(remove) as T;
  remove();
  return result;
}

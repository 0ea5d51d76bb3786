import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "../constructs/core/repository";
import type { Json, SynthesizedStack } from "./synthesized";

export const GOLDEN_FOLDER = join(repositoryRoot(), "tests", "stacks", "golden");

/** Address (`google_storage_bucket.landing`, `output.landing_uri`, `terraform.backend`) to configuration. */
export type GoldenStack = Readonly<Record<string, unknown>>;

/**
 * A stack in a form that two commits can be compared in: by address, JSON in strings opened up, and without what changes
 * with every edit of the runtime (hashes of bundles) or names a version or a construct.
 */
export function goldenStack({ json }: Pick<SynthesizedStack, "json">): GoldenStack {
  const entries: [string, unknown][] = [];
  for (const kind of ["resource", "data"])
    for (const [type, instances] of Object.entries(record(json[kind])))
      for (const [id, config] of Object.entries(record(instances)))
        entries.push([`${kind === "data" ? "data." : ""}${type}.${id}`, readable(config)]);
  for (const [name, output] of Object.entries(record(json.output))) entries.push([`output.${name}`, readable(output)]);
  for (const [name, setting] of Object.entries(record(json.terraform)))
    entries.push([`terraform.${name}`, readable(setting)]);
  entries.push(["provider", readable(json.provider)]);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
}

function readable(value: unknown): unknown {
  if (typeof value === "string") return readableString(value);
  if (Array.isArray(value)) return value.map(readable);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => key !== "//")
      .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
      .map(([key, item]) => [key, readable(item)]),
  );
}

function readableString(text: string): unknown {
  if (/^[[{]/.test(text))
    try {
      return { json: readable(JSON.parse(text)) };
    } catch {
      // It only looks like JSON.
    }
  const hashed = text.replace(HASH, "<hash>");
  return hashed.includes("\n") ? { lines: hashed.split("\n") } : hashed;
}

/** SHA-256 in hex, or its first half, as it stands in names of objects and assets; digests of images stay. */
const HASH = /(?<![0-9a-f:])(?:[0-9a-f]{64}|[0-9a-f]{32})(?![0-9a-f])/g;

export interface Difference {
  readonly address: string;
  /** From the resource on; empty for the resource itself. */
  readonly path: string;
  readonly change: "added" | "removed" | "changed";
  readonly before?: unknown;
  readonly after?: unknown;
}

/** What differs between two forms of a stack, by address and path. */
export function diffGolden(before: GoldenStack, after: GoldenStack): Difference[] {
  const differences: Difference[] = [];
  const compare = (address: string, path: string, a: unknown, b: unknown): void => {
    if (JSON.stringify(a) === JSON.stringify(b)) return;
    if (a === undefined) differences.push({ address, path, change: "added", after: b });
    else if (b === undefined) differences.push({ address, path, change: "removed", before: a });
    else if (Array.isArray(a) && Array.isArray(b))
      for (let index = 0; index < Math.max(a.length, b.length); index++)
        compare(address, `${path}[${index}]`, a[index], b[index]);
    else if (isRecord(a) && isRecord(b))
      for (const key of [...new Set([...Object.keys(a), ...Object.keys(b)])].sort())
        compare(address, path === "" ? key : `${path}.${key}`, a[key], b[key]);
    else differences.push({ address, path, change: "changed", before: a, after: b });
  };
  for (const address of [...new Set([...Object.keys(before), ...Object.keys(after)])].sort())
    compare(address, "", before[address], after[address]);
  return differences;
}

/** Differences as a reviewer reads them: `~ google_x.y path: old -> new`. */
export function showDifferences(stack: string, differences: readonly Difference[]): string {
  const sign = { added: "+", removed: "-", changed: "~" };
  const lines = differences.map(({ address, path, change, before, after }) => {
    const where = path === "" ? address : `${address} ${path}`;
    if (change === "changed") return `  ${sign[change]} ${where}: ${short(before)} -> ${short(after)}`;
    const value = change === "added" ? after : before;
    return path === "" ? `  ${sign[change]} ${where}` : `  ${sign[change]} ${where}: ${short(value)}`;
  });
  return [`${stack}:`, ...lines].join("\n");
}

const short = (value: unknown) => {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 120 ? `${text.slice(0, 117)}...` : text;
};

/** Every golden file, by its stack's name. */
export function readGolden(folder: string = GOLDEN_FOLDER): Map<string, GoldenStack> {
  const files = readdirSync(folder).filter((name) => name.endsWith(".json"));
  return new Map(
    files
      .sort()
      .map((name) => [
        name.slice(0, -".json".length),
        JSON.parse(readFileSync(join(folder, name), "utf8")) as GoldenStack,
      ]),
  );
}

export function writeGolden(stacks: ReadonlyMap<string, GoldenStack>, folder: string = GOLDEN_FOLDER): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const [name, stack] of stacks)
    writeFileSync(join(folder, `${name}.json`), `${JSON.stringify(stack, null, 2)}\n`);
}

const isRecord = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const record = (value: unknown): Json => (isRecord(value) ? value : {});

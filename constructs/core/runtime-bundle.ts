import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { Construct } from "constructs";
import type { BuildOptions } from "esbuild";
import { unzipSync, type Zippable, zipSync } from "fflate";
import type { RuntimeContract } from "../../runtime/platform/contract";
import { BundleCache, readBundle } from "./bundle-cache";
import { AssetType, TerraformAsset } from "./cdktf";
import { prunePackageLock, readPackageLock } from "./package-lock";
import { isCheckout, repositoryRoot } from "./repository";

/**
 * Packages that cannot live inside a bundle and are installed beside it: they load a native binary, a WebAssembly file or a
 * worker from their own folder, or have to be one instance for several packages (TensorFlow.js).
 */
export const INSTALLED_PACKAGES = [
  "@duckdb/node-api",
  "@node-rs/crc32",
  "@tensorflow/tfjs-backend-wasm",
  "@tensorflow/tfjs-core",
  "@tensorflow/tfjs-layers",
  "onnxruntime-node",
  "piscina",
  "sharp",
] as const;

export const ENTRY_FILE = "index.js";

/** A capability's code, ready to ship. */
export interface Bundle {
  /** SHA-256, in hex, over relative paths and content. Equal code has an equal hash on every machine. */
  readonly sha256: string;
  readonly zip: Uint8Array;
}

/** What is in a bundle: relative path (POSIX) -> content. */
export function bundleFiles(bundle: Bundle): ReadonlyMap<string, Uint8Array> {
  return new Map(Object.entries(unzipSync(bundle.zip)));
}

const bundles = new Map<string, Bundle>();

/** Where the package has its bundles, from its root. */
export const PACKED_BUNDLES = join("lib", "bundles");

/** What a bundle is made from. */
export type BundleSource = Pick<RuntimeContract, "name" | "entry" | "workers" | "packages">;

/**
 * Bundles a contract's entry once per process, and once per state of the code: every hospital ships the same bytes. The
 * package brings the bundles of its version: made again from another app's packages, they would be others.
 */
export function bundleRuntime(contract: BundleSource): Bundle {
  const known = bundles.get(contract.entry);
  if (known) return known;
  const root = repositoryRoot();
  const bundle = isCheckout(root) ? madeBundle(contract, root) : packedBundle(contract, root);
  bundles.set(contract.entry, bundle);
  return bundle;
}

function madeBundle(contract: BundleSource, root: string): Bundle {
  const cache = new BundleCache(root);
  const { version } = bundler();
  const key = cache.key({ ...bundling(contract), version, packages: contract.packages, layout: LAYOUT });
  const stored = cache.get(contract.name, key);
  if (stored) return stored;
  const files = createFiles(contract, root);
  const bundle = { sha256: hashFiles(files), zip: zipFiles(files) };
  cache.put(contract.name, key, bundle);
  return bundle;
}

function packedBundle({ name }: BundleSource, root: string): Bundle {
  const bundle = readBundle(join(root, PACKED_BUNDLES), name);
  if (bundle) return bundle;
  throw new Error(
    `The package brain-tumor-stack has no bundle "${name}", or it was changed after it was packed: install it again.`,
  );
}

/** Loaded where it is needed: the package does without it. */
const bundler = () => require("esbuild") as typeof import("esbuild");

/** Counts the changes of what lies in a bundle beside the code. */
const LAYOUT = 2;

/** A worker keeps its file's name and stands beside the entry, where the code looks for it. */
const bundling = ({ entry, workers = [] }: BundleSource) =>
  ({
    entryPoints: [{ in: entry, out: "index" }, ...workers.map((path) => ({ in: path, out: basename(path, ".ts") }))],
    outdir: ".",
    bundle: true,
    platform: "node",
    target: "node22",
    format: "cjs",
    sourcemap: false,
    // A function's name is part of what it says in an error.
    keepNames: true,
    legalComments: "none",
    external: INSTALLED_PACKAGES.flatMap((name) => [name, `${name}/*`]),
  }) satisfies BuildOptions;

function createFiles(contract: BundleSource, root: string): Map<string, Uint8Array> {
  const result = bundler().buildSync({
    ...bundling(contract),
    absWorkingDir: root,
    write: false,
    metafile: true,
    logLevel: "silent",
  });
  const code = result.outputFiles.map(({ path, contents }): [string, Uint8Array] => [basename(path), contents]);
  if (!code.some(([path]) => path === ENTRY_FILE)) throw new Error(`Bundling ${contract.entry} gave no ${ENTRY_FILE}.`);

  const imports = Object.values(result.metafile.outputs).flatMap((entry) => entry.imports);
  const installed = INSTALLED_PACKAGES.filter((name) =>
    imports.some((found) => found.external && (found.path === name || found.path.startsWith(`${name}/`))),
  );
  const lock = prunePackageLock(readPackageLock(root), `brain-tumor-stack-${contract.name}`, [
    ...(contract.packages ?? []),
    ...installed,
  ]);
  const manifest = {
    name: lock.name,
    version: "0.0.0",
    private: true,
    main: ENTRY_FILE,
    engines: { node: "22" },
    dependencies: lock.dependencies,
  };
  return new Map([...code, ["package-lock.json", json(lock.document)], ["package.json", json(manifest)]]);
}

const json = (value: unknown): Uint8Array => Buffer.from(`${JSON.stringify(value, null, 2)}\n`);

/** SHA-256 over every file's path and content, in the order of the paths. Lengths keep neighbours apart. */
export function hashFiles(files: ReadonlyMap<string, Uint8Array>): string {
  const hash = createHash("sha256");
  for (const [path, content] of sorted(files)) {
    hash.update(`${Buffer.byteLength(path)}:${path}:${content.byteLength}:`).update(content);
  }
  return hash.digest("hex");
}

/** A zip whose bytes depend on paths and content only. */
export function zipFiles(files: ReadonlyMap<string, Uint8Array>): Uint8Array {
  // The first moment that a zip can hold, in local time as the format has it: the same bytes in every time zone.
  const mtime = new Date(1980, 0, 1, 0, 0, 0);
  const unix = 3;
  const entries: Zippable = {};
  for (const [path, content] of sorted(files)) {
    entries[path] = [content, { mtime, os: unix, attrs: 0o100644 << 16, level: 4 }];
  }
  return zipSync(entries);
}

const sorted = (files: ReadonlyMap<string, Uint8Array>) => [...files].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));

let scratch: string | undefined;

/** A folder for files that wait to be copied into the synthesized stacks; gone when the process ends. */
function scratchFolder(): string {
  if (scratch === undefined) {
    const folder = mkdtempSync(join(tmpdir(), "brain-tumor-stack-"));
    process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
    scratch = folder;
  }
  return scratch;
}

/** A capability's code as an asset of the stack: it is uploaded by the same deploy as the infrastructure. */
export class RuntimeBundle extends Construct {
  readonly bundle: Bundle;
  /** Path of the zip, relative to the synthesized stack. */
  readonly path: string;
  /** Carries the hash: an unchanged runtime keeps its name, so nothing that refers to it is redeployed. */
  readonly objectName: string;

  constructor(scope: Construct, id: string, contract: BundleSource) {
    super(scope, id);
    this.bundle = bundleRuntime(contract);
    const file = join(scratchFolder(), `${contract.name}-${this.bundle.sha256}.zip`);
    // Once for all hospitals.
    if (!existsSync(file)) writeFileSync(file, this.bundle.zip);
    const asset = new TerraformAsset(this, "zip", {
      path: file,
      type: AssetType.FILE,
      assetHash: this.bundle.sha256.slice(0, 32),
    });
    this.path = asset.path;
    this.objectName = `${contract.name}/${this.bundle.sha256}.zip`;
  }
}

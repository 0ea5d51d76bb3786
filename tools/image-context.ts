import { copyFileSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { type Bundle, unpackBundle } from "../constructs/core/bundle-files";
import { repositoryRoot } from "../constructs/core/repository";
import type { ImageName } from "../stacks/images";

/** What builds an image, beside its Dockerfile and bundle: path in the repository, and below `build/` of the context. */
const BUILT_WITH: Readonly<Record<ImageName, Readonly<Record<string, string>>>> = {
  serve: { "images/prune-packages.js": "prune-packages.js" },
  train: {
    "images/prune-packages.js": "prune-packages.js",
    "scripts/parts.js": "scripts/parts.js",
    "scripts/setup-tensorflow.js": "scripts/setup-tensorflow.js",
    "scripts/requirements-tensorflow-gpu.txt": "scripts/requirements-tensorflow-gpu.txt",
    "scripts/requirements-cuda.txt": "scripts/requirements-cuda.txt",
  },
};

/** Lays out what an image is built from: the bundle, its Dockerfile, and `build/`. */
export function layOutContext(name: ImageName, bundle: Bundle, folder: string): void {
  unpackBundle(bundle, folder);
  for (const file of ["Dockerfile", ".dockerignore"])
    copyFileSync(join(repositoryRoot(), "images", name, file), join(folder, file));
  for (const [from, to] of Object.entries(BUILT_WITH[name])) {
    const target = join(folder, "build", to);
    mkdirSync(dirname(target), { recursive: true });
    copyFileSync(join(repositoryRoot(), from), target);
  }
  // gcloud has its own list, which would otherwise leave out what .gitignore names.
  writeFileSync(join(folder, ".gcloudignore"), "");
}

/** Every file of a context: relative path (POSIX) -> content, in the order of the paths. */
export function contextFiles(folder: string): ReadonlyMap<string, Buffer> {
  const paths = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((path) => statSync(join(folder, path)).isFile())
    .sort();
  return new Map(paths.map((path) => [path, readFileSync(join(folder, path))]));
}

/** Build arguments of a Dockerfile with their defaults: `ARG NAME=value`. */
export function dockerfileArguments(context: string): ReadonlyMap<string, string> {
  const text = readFileSync(join(context, "Dockerfile"), "utf8");
  return new Map([...text.matchAll(/^ARG (\w+)=(\S+)$/gm)].map(([, key = "", value = ""]) => [key, value]));
}

/** Exact versions of a requirements file, with the one hash that a package has where it has no other. */
export function pinnedWheels(
  context: string,
): readonly { readonly name: string; readonly version: string; readonly sha256?: string; readonly file: string }[] {
  return [...contextFiles(context)].flatMap(([path, content]) => {
    const file = basename(path);
    if (!/^requirements-.*\.txt$/.test(file)) return [];
    const text = content.toString("utf8").replace(/\\\n/g, " ");
    return [...text.matchAll(/^([\w-]+)==(\S+)(.*)$/gm)].map(([, name = "", version = "", rest = ""]) => {
      const hashes = [...rest.matchAll(/--hash=sha256:([0-9a-f]{64})/g)].map((match) => match[1]);
      return { name, version, file, ...(hashes.length === 1 ? { sha256: hashes[0] } : {}) };
    });
  });
}

import { readFileSync } from "node:fs";
import { join } from "node:path";

/** One entry of `packages` in a lock file of version 3. https://docs.npmjs.com/cli/configuring-npm/package-lock-json */
interface LockedPackage {
  readonly version?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
  readonly [key: string]: unknown;
}

export interface PackageLock {
  readonly lockfileVersion: number;
  readonly packages: Readonly<Record<string, LockedPackage>>;
}

export interface PrunedLock {
  readonly name: string;
  /** The roots with their exact versions. */
  readonly dependencies: Readonly<Record<string, string>>;
  /** The lock file to write beside the package.json of these dependencies: `npm ci` accepts the pair. */
  readonly document: PackageLock & { readonly name: string };
}

export function readPackageLock(root: string): PackageLock {
  return JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as PackageLock;
}

/**
 * The part of a lock file that some packages need: these and everything below them, at the same places.
 * @throws if a package or one of its required dependencies is not in the lock file.
 */
export function prunePackageLock(lock: PackageLock, name: string, roots: readonly string[]): PrunedLock {
  const kept = new Set<string>();
  /** Reached without passing an optional dependency: npm must not go on where one of these cannot be installed. */
  const required = new Set<string>();
  const queue: string[] = [];
  const keep = (path: string, isRequired: boolean) => {
    if (kept.has(path) && (required.has(path) || !isRequired)) return;
    kept.add(path);
    if (isRequired) required.add(path);
    queue.push(path);
  };

  const dependencies: Record<string, string> = {};
  for (const root of [...roots].sort()) {
    const path = `node_modules/${root}`;
    const version = lock.packages[path]?.version;
    if (!version)
      throw new Error(`package-lock.json does not have ${root}: add it with "npm install --save-exact ${root}".`);
    dependencies[root] = version;
    keep(path, true);
  }

  for (let path = queue.shift(); path !== undefined; path = queue.shift()) {
    const entry = lock.packages[path];
    if (!entry) continue;
    const optional = new Set([
      ...Object.keys(entry.optionalDependencies ?? {}),
      ...Object.entries(entry.peerDependenciesMeta ?? {}).flatMap(([peer, meta]) => (meta.optional ? [peer] : [])),
    ]);
    const wanted = { ...entry.peerDependencies, ...entry.optionalDependencies, ...entry.dependencies };
    for (const dependency of Object.keys(wanted)) {
      const found = locate(lock, path, dependency);
      if (found) keep(found, required.has(path) && !optional.has(dependency));
      else if (!optional.has(dependency))
        throw new Error(
          `package-lock.json is incomplete: ${path} needs ${dependency}. Run "npm install" to repair it.`,
        );
    }
  }

  const packages: Record<string, LockedPackage> = {
    "": { name, version: "0.0.0", dependencies, engines: { node: "22" } },
  };
  for (const path of [...kept].sort()) {
    // What was only a development dependency of the repository is a dependency of the bundle.
    const {
      dev: _dev,
      optional: _optional,
      devOptional: _devOptional,
      optionalDependencies,
      ...entry
    } = lock.packages[path] as LockedPackage;
    // npm ci refuses a lock file that names a package and does not have it, also one for another platform.
    const locked = Object.entries(optionalDependencies ?? {}).filter(
      ([name]) => locate(lock, path, name) !== undefined,
    );
    packages[path] = {
      ...entry,
      ...(locked.length > 0 ? { optionalDependencies: Object.fromEntries(locked) } : {}),
      ...(required.has(path) ? {} : { optional: true }),
    };
  }
  return {
    name,
    dependencies,
    document: { name, lockfileVersion: lock.lockfileVersion, packages },
  };
}

/** Where Node finds `dependency` from the package at `path`: the nearest node_modules upwards. */
function locate(lock: PackageLock, path: string, dependency: string): string | undefined {
  for (let folder = path; ; ) {
    const candidate = folder === "" ? `node_modules/${dependency}` : `${folder}/node_modules/${dependency}`;
    if (candidate in lock.packages) return candidate;
    if (folder === "") return undefined;
    const cut = folder.lastIndexOf("/node_modules/");
    folder = cut < 0 ? "" : folder.slice(0, cut);
  }
}

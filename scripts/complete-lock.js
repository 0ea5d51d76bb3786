#!/usr/bin/env node
/*
 * Completes package-lock.json with the platform packages that npm left out: behind a registry mirror that lacks, say, the
 * macOS builds of a library, `npm install` drops them from the lock file, and `npm ci` then refuses it everywhere. Run
 * it after `npm install` in such a place. It adds name, version and platform alone; packages of this platform are never
 * touched, but that npm is told to run no install script of {@link WITHOUT_SCRIPT}.
 */
const { readFileSync, writeFileSync } = require("node:fs");
const { join } = require("node:path");

const PLATFORM =
  /(android|darwin|linux|win32|freebsd|openharmony|aix|sunos|netbsd|openbsd)-(arm64|arm|x64|ia32|ppc64|riscv64|s390x|loong64|mips64el|wasm32)/;

/**
 * onnxruntime-node's script loads CUDA libraries from nuget.org, which nothing here uses, and fails `npm ci` where that
 * cannot be reached; what a processor needs lies in the package. npm 10 runs what the lock file says has a script, and
 * npm 11 asks `allowScripts` of package.json too.
 */
const WITHOUT_SCRIPT = ["node_modules/onnxruntime-node"];

const path = join(__dirname, "..", "package-lock.json");
const lock = JSON.parse(readFileSync(path, "utf8"));

/** Whether Node would find the package from a place in the tree. */
function isInstalled(from, name) {
  for (let place = from; ; place = place.slice(0, Math.max(0, place.lastIndexOf("/node_modules/")))) {
    if (lock.packages[`${place ? `${place}/` : ""}node_modules/${name}`]) return true;
    if (place === "") return false;
  }
}

for (const place of WITHOUT_SCRIPT) delete lock.packages[place]?.hasInstallScript;

const added = {};
for (const [place, entry] of Object.entries(lock.packages)) {
  if (place === "") continue;
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const platform = PLATFORM.exec(name);
    if (!platform || !/^\d/.test(version) || isInstalled(place, name)) continue;
    const [, os, cpu] = platform;
    added[`node_modules/${name}`] = {
      version,
      cpu: [cpu],
      ...(entry.dev ? { dev: true } : {}),
      ...(os === "linux" ? { libc: [name.includes("musl") ? "musl" : "glibc"] } : {}),
      optional: true,
      os: [os],
    };
  }
}

const { "": root, ...packages } = { ...lock.packages, ...added };
const sorted = Object.entries(packages).sort(([a], [b]) => a.localeCompare(b, "en"));
lock.packages = Object.fromEntries([["", root], ...sorted]);
writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
console.log(`${Object.keys(added).length} platform packages added to package-lock.json`);

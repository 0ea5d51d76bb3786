/**
 * What the setup scripts share: parts that are brought once into .parts/, which git ignores, and made again where an
 * installation was interrupted.
 */
const { spawnSync } = require("node:child_process");
const { createHash } = require("node:crypto");
const { mkdirSync, readFileSync, rmSync, writeFileSync } = require("node:fs");
const { join } = require("node:path");

/** Of the project. */
const ROOT = process.env.BRAIN_TUMOR_ROOT ?? join(__dirname, "..");

/** "3.10, 3.11 or 3.12" */
const list = (values) => `${values.slice(0, -1).join(", ")} or ${values.at(-1)}`;

/**
 * Runs a command to its end.
 * @throws {Error} with the last lines of what it said, if it fails
 */
function run(command, args, options = {}) {
  const { status, signal, stderr, error } = spawnSync(command, args, {
    encoding: "utf8",
    stdio: ["ignore", "ignore", "pipe"],
    // Compilers warn at length.
    maxBuffer: 64 * 2 ** 20,
    ...options,
  });
  if (status === 0) return;
  const said = (stderr ?? "").trim().split("\n").slice(-3).join(" ");
  throw new Error(`"${command} ${args.join(" ")}" failed: ${said || error?.message || `it was ended by ${signal}`}`);
}

/** Whether a command is there and answers. */
function has(command, question = "--version") {
  return spawnSync(command, [question], { stdio: "ignore" }).status === 0;
}

/** The command of the Go toolchain, or undefined. */
function findGo() {
  return ["go", "/usr/local/go/bin/go"].find((command) => has(command, "version"));
}

/**
 * Installs packages of Debian or Ubuntu, as root or through sudo where that asks nothing.
 * @throws {Error} a sentence that says what to do instead
 */
function aptInstall(packages) {
  const how = `On Debian and Ubuntu: sudo apt-get install ${packages.join(" ")}`;
  if (!has("apt-get")) throw new Error(`There is no ${packages.join(", ")}. Install it. ${how}`);
  const isRoot = process.getuid?.() === 0;
  if (!isRoot && spawnSync("sudo", ["-n", "true"]).status !== 0)
    throw new Error(`There is no ${packages.join(", ")}, and installing it needs root. ${how}`);
  const apt = (...args) => {
    const [command, ...rest] = [...(isRoot ? [] : ["sudo", "-n"]), "apt-get", ...args];
    run(command, rest, { env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" } });
  };
  apt("update", "-qq");
  apt("install", "-y", "-qq", "--no-install-recommends", ...packages);
}

/**
 * A Python that can make an environment.
 *
 * @param minors of Python 3, the one to look for first in front
 * @throws {Error} a sentence that says what is there instead
 */
function findPython(minors) {
  const found = [];
  const named = process.env.PYTHON ? [process.env.PYTHON] : [...minors.map((minor) => `python3.${minor}`), "python3"];
  for (const command of named) {
    const question = "import sys; print(*sys.version_info[:3], sep='.'); import ensurepip, venv";
    const { stdout, status } = spawnSync(command, ["-c", question], { encoding: "utf8" });
    const version = stdout?.trim();
    if (!version) continue;
    const [major, minor] = version.split(".").map(Number);
    if (major !== 3 || !minors.includes(minor)) found.push(`${command} is ${version}`);
    else if (status !== 0)
      found.push(`${command} is ${version} without venv (Debian, Ubuntu: apt-get install python3-venv)`);
    else return { command, version };
  }
  const what = found.length > 0 ? found.join(", ") : `there is no ${process.env.PYTHON ?? "python3"}`;
  const wanted = list([...minors].sort((a, b) => a - b).map((minor) => `3.${minor}`));
  throw new Error(`Python ${wanted} is needed: ${what}. Install one, or set PYTHON to its path.`);
}

/** Two commands that start at the same time install once. */
function withLock(name, work) {
  const file = join(ROOT, ".parts", `${name}.lock`);
  mkdirSync(join(ROOT, ".parts"), { recursive: true });
  const take = () => {
    try {
      writeFileSync(file, String(process.pid), { flag: "wx" });
      return true;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
      return false;
    }
  };
  while (!take()) {
    if (!holderLives(file)) rmSync(file, { force: true });
    else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
  }
  try {
    return work();
  } finally {
    rmSync(file, { force: true });
  }
}

function holderLives(file) {
  try {
    return process.kill(Number(readFileSync(file, "utf8")), 0);
  } catch (error) {
    return error.code !== "ESRCH";
  }
}

/** A Python environment in .parts with the packages of requirement files, in one or more sizes. */
class PythonEnvironment {
  /**
   * @param name its folder in .parts
   * @param minors of the Python 3 that its packages run on, the one to look for first in front
   * @param sets requirement files, relative to the project, by the name of the set; the smallest set first, each with
   *   the files of the one before it
   */
  constructor(name, minors, sets) {
    this.minors = minors;
    this.sets = sets;
    this.folder = join(ROOT, ".parts", name);
    this.python = join(this.folder, "bin", "python");
    this.stamp = join(this.folder, "installed.json");
  }

  /** Whether a set, or a larger one, is completely installed. */
  has(set) {
    const names = Object.keys(this.sets);
    return names.indexOf(this.installed()) >= names.indexOf(set);
  }

  /** The set that is completely installed. */
  installed() {
    try {
      const { set, sha256 } = JSON.parse(readFileSync(this.stamp, "utf8"));
      // The Python that the environment was made from may be gone.
      const runs = spawnSync(this.python, ["-c", ""]).status === 0;
      return runs && sha256 === this.digest(set) ? set : undefined;
    } catch {
      return undefined;
    }
  }

  /**
   * Installs a set; adds to a smaller one that is there.
   * @param begin is called with the version of Python before the environment is made, and with nothing where it is only added to
   * @param pipOptions more of pip's options
   */
  install(set, begin, pipOptions = []) {
    if (this.installed() === undefined) {
      const { command, version } = findPython(this.minors);
      begin(version);
      run(command, ["-m", "venv", "--clear", this.folder]);
    } else begin();
    rmSync(this.stamp, { force: true });
    const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", ...pipOptions];
    run(this.python, [...pip, "--requirement", join(ROOT, this.sets[set].at(-1))]);
    // Last, so that an installation that was interrupted has none.
    writeFileSync(this.stamp, JSON.stringify({ set, sha256: this.digest(set) }));
  }

  /** What a set pins, such as "numpy 1.26.4". */
  pins(set) {
    const text = readFileSync(join(ROOT, this.sets[set].at(-1)), "utf8");
    return text.match(/^[\w-]+==[^\s;\\]+/gm).map((pin) => pin.replace("==", " "));
  }

  digest(set) {
    const hash = createHash("sha256");
    for (const file of this.sets[set]) hash.update(readFileSync(join(ROOT, file)));
    return hash.digest("hex");
  }
}

/**
 * Brings an environment of one set of packages, the file of which is named after it.
 * @param name its folder in .parts
 * @param minors of the Python 3 that its packages run on
 * @param what a person knows it by
 * @param pipOptions more of pip's options
 * @returns {string} what was done
 */
function bringPython(name, minors, what, pipOptions = []) {
  const environment = new PythonEnvironment(name, minors, { base: [`scripts/requirements-${name}.txt`] });
  return withLock(name, () => {
    const [version] = environment.pins("base");
    if (environment.has("base")) return `${version}, already there`;
    const begin = (python) =>
      console.error(`${what}: installing it for Python ${python} into .parts/${name}; that takes half a minute.`);
    environment.install("base", begin, pipOptions);
    return `${version}, installed`;
  });
}

/** Brings a part and says in a line what was done, or why it is missing. */
function tellOfPart(name, bring) {
  try {
    console.log(`${name}: ${bring()}`);
  } catch (error) {
    console.error(`${name}: ${error.message}`);
    process.exitCode = 1;
  }
}

/** Of those that scientific packages have wheels for. */
const WHEEL_MINORS = [11, 12, 13];

module.exports = {
  PythonEnvironment,
  ROOT,
  aptInstall,
  bringPython,
  findGo,
  findPython,
  has,
  list,
  run,
  tellOfPart,
  WHEEL_MINORS,
  withLock,
};

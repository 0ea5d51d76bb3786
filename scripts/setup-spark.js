/**
 * Brings what runs Spark on one machine, once: .parts/spark, a Python environment with the packages of
 * spark/requirements.txt, and with --dev those of spark/requirements-dev.txt too. Prints what it did in a line; exits 1
 * with a sentence if Java or Python is missing. An installation that was interrupted is made again.
 */
const { spawnSync } = require("node:child_process");
const { createHash } = require("node:crypto");
const { mkdirSync, readFileSync, rmSync, writeFileSync } = require("node:fs");
const { join } = require("node:path");

const ROOT = process.env.BRAIN_TUMOR_ROOT ?? join(__dirname, "..");
const ENVIRONMENT = join(ROOT, ".parts", "spark");
const PYTHON = join(ENVIRONMENT, "bin", "python");
const SETS = { base: "requirements.txt", dev: "requirements-dev.txt" };
/** https://spark.apache.org/docs/3.5.7/ */
const JAVA_VERSIONS = [8, 11, 17];
/** Spark 3.5 and its pinned packages run on these. */
const PYTHON_MINORS = [11, 12, 10];

/** The version of the Java that Spark will start. */
function findJava() {
  const command = process.env.JAVA_HOME ? join(process.env.JAVA_HOME, "bin", "java") : "java";
  const where = process.env.JAVA_HOME ? `JAVA_HOME (${process.env.JAVA_HOME})` : "PATH";
  const how = "Install Java 17 (Debian, Ubuntu: apt-get install openjdk-17-jre-headless), or set JAVA_HOME to one.";
  const { status, stderr } = spawnSync(command, ["-version"], { encoding: "utf8" });
  if (status !== 0) throw new Error(`There is no Java on ${where}. ${how}`);
  const [, first, second] = /version "(\d+)(?:\.(\d+))?/.exec(stderr) ?? [];
  // Before 9, versions began with "1.".
  const version = Number(first === "1" ? second : first);
  if (!JAVA_VERSIONS.includes(version))
    throw new Error(`Spark 3.5 runs on Java ${list(JAVA_VERSIONS)}; the one on ${where} is ${version}. ${how}`);
  return version;
}

/** A Python that can make an environment. */
function findPython() {
  const found = [];
  const named = process.env.PYTHON ? [process.env.PYTHON] : [...PYTHON_MINORS.map((minor) => `python3.${minor}`)];
  for (const command of [...named, ...(process.env.PYTHON ? [] : ["python3"])]) {
    const question = "import sys; print(*sys.version_info[:3], sep='.'); import ensurepip, venv";
    const { stdout, status } = spawnSync(command, ["-c", question], { encoding: "utf8" });
    const version = stdout?.trim();
    if (!version) continue;
    const [major, minor] = version.split(".").map(Number);
    if (major !== 3 || !PYTHON_MINORS.includes(minor)) found.push(`${command} is ${version}`);
    else if (status !== 0)
      found.push(`${command} is ${version} without venv (Debian, Ubuntu: apt-get install python3-venv)`);
    else return { command, version };
  }
  const what = found.length > 0 ? found.join(", ") : `there is no ${process.env.PYTHON ?? "python3"}`;
  throw new Error(`Python 3.10, 3.11 or 3.12 is needed: ${what}. Install one, or set PYTHON to its path.`);
}

/** @returns what was done, for people */
function install(set) {
  const there = installed();
  if (there === "dev" || there === set) return `${describe(set)}, already there`;
  if (there === undefined) {
    const { command, version } = findPython();
    console.error(
      `Spark: installing ${describe(set)} for Python ${version} into .parts/spark; that takes a minute or two.`,
    );
    run(command, ["-m", "venv", "--clear", ENVIRONMENT]);
  } else console.error(`Spark: adding what checks the drivers to .parts/spark.`);
  rmSync(stampFile(), { force: true });
  run(PYTHON, [
    "-m",
    "pip",
    "install",
    "--quiet",
    "--disable-pip-version-check",
    "--requirement",
    join(ROOT, "spark", SETS[set]),
  ]);
  // Last, so that an installation that was interrupted has none.
  writeFileSync(stampFile(), JSON.stringify({ set, sha256: digest(set) }));
  return `${describe(set)}, installed`;
}

const stampFile = () => join(ENVIRONMENT, "installed.json");

/** The set that is completely installed. */
function installed() {
  try {
    const { set, sha256 } = JSON.parse(readFileSync(stampFile(), "utf8"));
    // The Python that the environment was made from may be gone.
    const runs = spawnSync(PYTHON, ["-c", ""]).status === 0;
    return runs && sha256 === digest(set) ? set : undefined;
  } catch {
    return undefined;
  }
}

function digest(set) {
  const hash = createHash("sha256");
  for (const file of set === "dev" ? [SETS.base, SETS.dev] : [SETS[set]]) hash.update(read(file));
  return hash.digest("hex");
}

const read = (file) => readFileSync(join(ROOT, "spark", file), "utf8");
const describe = (set) => {
  const packages = read(SETS.base)
    .match(/^[\w-]+==[^\s;]+$/gm)
    .map((pin) => pin.replace("==", " "));
  return `${packages.join(", ")}${set === "dev" ? " and what checks them" : ""}`;
};
const list = (values) => `${values.slice(0, -1).join(", ")} or ${values.at(-1)}`;

function run(command, args) {
  const { status, signal, stderr, error } = spawnSync(command, args, {
    encoding: "utf8",
    stdio: ["ignore", "ignore", "pipe"],
  });
  if (status === 0) return;
  const said = (stderr ?? "").trim().split("\n").slice(-3).join(" ");
  throw new Error(`"${command} ${args.join(" ")}" failed: ${said || error?.message || `it was ended by ${signal}`}`);
}

/** Two commands that start at the same time install once. */
function withLock(work) {
  const file = join(ROOT, ".parts", "spark.lock");
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

try {
  const java = findJava();
  const did = withLock(() => install(process.argv.includes("--dev") ? "dev" : "base"));
  console.log(`Spark: ${did}; Java ${java}`);
} catch (error) {
  console.error(`Spark: ${error.message}`);
  process.exitCode = 1;
}

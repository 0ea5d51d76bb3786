/**
 * Brings what runs Spark on one machine, once: .parts/spark, a Python environment with the packages of
 * spark/requirements.txt, and with --dev those of spark/requirements-dev.txt too. Prints what it did in a line; exits 1
 * with a sentence if Java or Python is missing. An installation that was interrupted is made again.
 */
const { spawnSync } = require("node:child_process");
const { join } = require("node:path");
const { PythonEnvironment, list, withLock } = require("./parts");

const BASE = "spark/requirements.txt";
/** Spark 3.5 and its pinned packages run on these. */
const PYTHON_MINORS = [11, 12, 10];
const environment = new PythonEnvironment("spark", PYTHON_MINORS, {
  base: [BASE],
  dev: [BASE, "spark/requirements-dev.txt"],
});
/** https://spark.apache.org/docs/3.5.7/ */
const JAVA_VERSIONS = [8, 11, 17];

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

/** @returns what was done, for people */
function install(set) {
  const what = `${environment.pins("base").join(", ")}${set === "dev" ? " and what checks them" : ""}`;
  if (environment.has(set)) return `${what}, already there`;
  environment.install(set, (python) =>
    console.error(
      python
        ? `Spark: installing ${what} for Python ${python} into .parts/spark; that takes a minute or two.`
        : "Spark: adding what checks the drivers to .parts/spark.",
    ),
  );
  return `${what}, installed`;
}

try {
  const java = findJava();
  const did = withLock("spark", () => install(process.argv.includes("--dev") ? "dev" : "base"));
  console.log(`Spark: ${did}; Java ${java}`);
} catch (error) {
  console.error(`Spark: ${error.message}`);
  process.exitCode = 1;
}

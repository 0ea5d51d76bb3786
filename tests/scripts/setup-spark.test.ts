import { spawnSync } from "node:child_process";
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";

const SCRIPT = resolve(__dirname, "../../scripts/setup-spark.js");

describe("npm run setup:spark", () => {
  let root: string;

  function executable(path: string, text: string): void {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, `#!/bin/bash\n${text}\n`, { mode: 0o755 });
  }

  /** A Python that writes down what it is asked for, and copies itself into the environments it makes. */
  function python(name: string, version: string, venv = "exit 0"): void {
    executable(
      join(root, "path", name),
      `case "$*" in
  *ensurepip*) echo ${version}; ${venv} ;;
  "-m venv"*) echo "venv" >>"${root}/asked"; mkdir -p "$4/bin"; cp "$0" "$4/bin/python" ;;
  *pip*) echo "$(basename "\${@: -1}")" >>"${root}/asked"; [[ ! -e "${root}/offline" ]] || { echo "no network" >&2; exit 1; } ;;
esac`,
    );
  }

  const java = (version: string) => executable(join(root, "path/java"), `echo 'openjdk version "${version}"' >&2`);

  function setup(args: readonly string[] = [], env: Readonly<Record<string, string>> = {}) {
    const { status, stdout, stderr } = spawnSync(process.execPath, [SCRIPT, ...args], {
      encoding: "utf8",
      env: { PATH: `${join(root, "path")}:/usr/bin:/bin`, BRAIN_TUMOR_ROOT: root, ...env },
    });
    const log = join(root, "asked");
    const asked = existsSync(log) ? readFileSync(log, "utf8").trim().split("\n") : [];
    rmSync(log, { force: true });
    return { status, stdout, stderr, asked };
  }

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "setup-spark-"));
    mkdirSync(join(root, "spark"));
    writeFileSync(join(root, "spark/requirements.txt"), "# what for\npyspark==3.5.9\nnumpy==1.26.4\n");
    writeFileSync(join(root, "spark/requirements-dev.txt"), "-r requirements.txt\nruff==0.17.6\n");
    python("python3.11", "3.11.7");
    java("17.0.15");
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  test("installs once, and says in a line what it did", () => {
    expect(setup()).toMatchObject({
      status: 0,
      stdout: "Spark: pyspark 3.5.9, numpy 1.26.4, installed; Java 17\n",
      asked: ["venv", "requirements.txt"],
    });
    const again = { status: 0, stdout: "Spark: pyspark 3.5.9, numpy 1.26.4, already there; Java 17\n", asked: [] };
    expect(setup()).toMatchObject(again);
    expect(setup(["--dev"])).toMatchObject({ status: 0, asked: ["requirements-dev.txt"] });
    expect(setup(["--dev"]).asked).toEqual([]);
    expect(setup()).toMatchObject(again);
  });

  test("installs again what has other requirements, was interrupted, or lost its Python", () => {
    setup(["--dev"]);
    appendFileSync(join(root, "spark/requirements.txt"), "pandas==2.1.4\n");
    expect(setup().asked).toEqual(["venv", "requirements.txt"]);
    rmSync(join(root, ".parts/spark/bin/python"));
    expect(setup().asked).toEqual(["venv", "requirements.txt"]);

    writeFileSync(join(root, "offline"), "");
    const failed = setup(["--dev"]);
    expect(failed).toMatchObject({ status: 1, asked: ["requirements-dev.txt"] });
    expect(failed.stderr).toMatch(/pip install .* failed: no network/);
    rmSync(join(root, "offline"));
    expect(setup(["--dev"]).asked).toEqual(["venv", "requirements-dev.txt"]);
    // Whoever held the lock was killed.
    writeFileSync(join(root, ".parts/spark.lock"), "4194999");
    expect(setup(["--dev"]).stdout).toMatch(/already there/);
    expect(existsSync(join(root, ".parts/spark.lock"))).toBe(false);
  });

  test.each([
    ["25.0.1", /Spark 3\.5 runs on Java 8, 11 or 17; the one on PATH is 25\. Install Java 17/],
    ["1.7.0_80", /the one on PATH is 7\./],
  ])("refuses Java %s", (version, said) => {
    java(version);
    expect(setup()).toMatchObject({ status: 1, stdout: "", stderr: expect.stringMatching(said), asked: [] });
  });

  test("takes Java from JAVA_HOME where that is set, and says when there is none", () => {
    executable(join(root, "jdk/bin/java"), `echo 'java version "1.8.0_452"' >&2`);
    expect(setup([], { JAVA_HOME: join(root, "jdk") }).stdout).toMatch(/Java 8\n$/);
    expect(setup([], { JAVA_HOME: "/nowhere" })).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/^Spark: There is no Java on JAVA_HOME \(\/nowhere\)\. Install Java 17/),
    });
  });

  test("takes the Python that fits, and says what is wrong with the others", () => {
    python("python3.11", "");
    python("python3", "3.13.0");
    python("python3.12", "3.12.3", "exit 1");
    python("python3.10", "");
    expect(setup()).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(
        /^Spark: Python 3\.10, 3\.11 or 3\.12 is needed: python3\.12 is 3\.12\.3 without venv \(.*python3-venv\), python3 is 3\.13\.0\. Install one, or set PYTHON/,
      ),
    });
    python("mine", "3.10.2");
    expect(setup([], { PYTHON: join(root, "path/mine") }).asked).toEqual(["venv", "requirements.txt"]);
  });
});

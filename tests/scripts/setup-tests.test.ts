import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const SCRIPT = resolve(__dirname, "../../scripts/setup-tests.js");

describe("the BigQuery server of npm run setup:tests", () => {
  let root: string;

  /** A Python that writes down what it is asked for; its environments load extensions once they were brought. */
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "setup-tests-"));
    mkdirSync(join(root, "scripts"));
    writeFileSync(join(root, "scripts/requirements-bigquery.txt"), "# what for\nbqemulator==1.4.0\nduckdb==1.5.5\n");
    const python = `#!/bin/bash
case "$*" in
  *ensurepip*) echo 3.11.7 ;;
  "-m venv"*) echo venv >>"${root}/asked"; mkdir -p "$4/bin"; cp "$0" "$4/bin/python" ;;
  *pip*) echo packages >>"${root}/asked" ;;
  *import_extension*) echo extensions >>"${root}/asked"; touch "$HOME/extensions"; [[ ! -e "${root}/offline" ]] || exit 1 ;;
  *LOAD*) [[ -e "$HOME/extensions" ]] ;;
esac
`;
    writeFileSync(join(root, "python"), python);
    chmodSync(join(root, "python"), 0o755);
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  function setup(python = join(root, "python")) {
    const { status, stdout, stderr } = spawnSync(process.execPath, [SCRIPT], {
      encoding: "utf8",
      env: { ...process.env, BRAIN_TUMOR_ROOT: root, PYTHON: python },
    });
    const log = join(root, "asked");
    const asked = existsSync(log) ? readFileSync(log, "utf8").trim().split("\n") : [];
    rmSync(log, { force: true });
    const [said] = `${stdout}\n${stderr}`.split("\n").filter((line) => /^BigQuery server: (?!installing)/.test(line));
    return { status, said, asked };
  }

  test("is installed once, and what an interruption left out is made up for", () => {
    expect(setup()).toMatchObject({
      said: "BigQuery server: bqemulator 1.4.0, installed",
      asked: ["venv", "packages", "extensions"],
    });
    expect(setup()).toMatchObject({ said: "BigQuery server: bqemulator 1.4.0, already there", asked: [] });
    rmSync(join(root, ".parts/bigquery/home/extensions"));
    expect(setup()).toMatchObject({ said: "BigQuery server: bqemulator 1.4.0, installed", asked: ["extensions"] });
    rmSync(join(root, ".parts/bigquery/installed.json"));
    expect(setup().asked).toEqual(["venv", "packages", "extensions"]);
  });

  test("that cannot be installed is a sentence, and the command fails", () => {
    expect(setup(join(root, "none"))).toEqual({
      status: 1,
      said: `BigQuery server: missing. Python 3.11, 3.12 or 3.13 is needed: there is no ${root}/none. Install one, or set PYTHON to its path.`,
      asked: [],
    });
    writeFileSync(join(root, "offline"), "");
    expect(setup()).toMatchObject({
      status: 1,
      said: expect.stringMatching(/^BigQuery server: missing\. ".*" failed/),
    });
  });
});

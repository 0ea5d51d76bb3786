import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const SCRIPT = resolve(__dirname, "../../scripts/setup-serving-peers.js");
const REQUIREMENTS = "bench/peers/requirements-serving.txt";

describe("scripts/setup-serving-peers.js", () => {
  let root: string;

  /** A Python of that version that writes down what pip installs. */
  function python(version: string): void {
    const text = `#!/bin/bash
case "$*" in
  *ensurepip*) echo ${version} ;;
  "-m venv"*) mkdir -p "$4/bin"; cp "$0" "$4/bin/python" ;;
  *pip*) [[ ! -e "${root}/offline" ]] || { echo "no network" >&2; exit 1; }; echo "\${@: -1}" >>"${root}/asked" ;;
esac`;
    writeFileSync(join(root, "path/python3"), text, { mode: 0o755 });
  }

  function setup() {
    const env = {
      PATH: `${join(root, "path")}:/usr/bin:/bin`,
      BRAIN_TUMOR_ROOT: root,
      PYTHON: join(root, "path/python3"),
    };
    const { status, stdout, stderr } = spawnSync(process.execPath, [SCRIPT], { encoding: "utf8", env });
    const log = join(root, "asked");
    return { status, stdout, stderr, installs: existsSync(log) ? readFileSync(log, "utf8").trim().split("\n") : [] };
  }

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "setup-serving-"));
    for (const folder of ["path", "bench/peers"]) mkdirSync(join(root, folder), { recursive: true });
    writeFileSync(join(root, REQUIREMENTS), "# what for\nfastapi==0.165.0\nonnxruntime==1.30.0\n");
    python("3.11.7");
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  test("installs once, and again only what was interrupted or has other requirements", () => {
    const file = join(root, REQUIREMENTS);
    writeFileSync(join(root, "offline"), "");
    expect(setup()).toMatchObject({ status: 1, stderr: expect.stringMatching(/no network/), installs: [] });
    rmSync(join(root, "offline"));
    const what = "Serving peers: fastapi 0.165.0, onnxruntime 1.30.0";
    expect(setup()).toMatchObject({ status: 0, stdout: `${what}, installed\n`, installs: [file] });
    expect(setup()).toMatchObject({ status: 0, stdout: `${what}, already there\n`, installs: [file] });
    writeFileSync(file, "fastapi==0.166.0\n");
    expect(setup()).toMatchObject({ status: 0, installs: [file, file] });
  });

  test("says which Python it needs", () => {
    python("3.9.2");
    expect(setup()).toMatchObject({
      ...{ status: 1, installs: [] },
      stderr: expect.stringMatching(/^Serving peers: Python 3\.11, 3\.12 or 3\.13 is needed: .* is 3\.9\.2\./),
    });
  });
});

import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const SCRIPTS = resolve(__dirname, "../../scripts");
const { VERSIONS } = require("../../scripts/setup-nodes") as { VERSIONS: Record<string, string> };

let root: string;
let commands: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "setup-nodes-"));
  commands = join(root, "commands");
  mkdirSync(commands);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** In place of the registry: packs a program that says the version it was asked for, and notes that it was asked. */
function registry(says = "v$version"): void {
  const script = `#!/bin/sh
set -e
echo "$*" >> ${root}/asked
version="\${3##*@}"
mkdir -p ${root}/packing/package/bin
printf '#!/bin/sh\\necho ${says}\\n' | sed "s/\\$version/$version/" > ${root}/packing/package/bin/node
chmod +x ${root}/packing/package/bin/node
tar -czf "$5/node.tgz" -C ${root}/packing package
`;
  writeFileSync(join(commands, "npm"), script);
  chmodSync(join(commands, "npm"), 0o755);
}

function run(script: string, ...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(SCRIPTS, script), ...args], {
    encoding: "utf8",
    env: { ...process.env, BRAIN_TUMOR_ROOT: root, PATH: `${commands}:${process.env.PATH}` },
  });
  return { status, stdout, stderr };
}
const asked = () => readFileSync(join(root, "asked"), "utf8").trim().split("\n").length;

test("the oldest of them is the oldest that package.json allows, and the newest major is the last that it allows", () => {
  const { engines } = JSON.parse(readFileSync(resolve(SCRIPTS, "../package.json"), "utf8"));
  const majors = Object.keys(VERSIONS).map(Number);
  expect(engines.node).toBe(`>=${VERSIONS[20]?.replace(/\.0$/, "")} <${Math.max(...majors) + 1}`);
});

test("brings each once, and leaves nothing beside", () => {
  registry();
  expect(run("setup-nodes.js")).toMatchObject({ status: 0, stdout: expect.stringContaining("Node 24: 24.") });
  expect(asked()).toBe(3);
  expect(readdirSync(join(root, ".parts", "nodes")).sort()).toEqual(Object.values(VERSIONS).sort());
  expect(run("setup-nodes.js")).toMatchObject({ status: 0, stdout: expect.stringMatching(/(already there\n.*){3}/) });
  expect(asked()).toBe(3);
});

test("makes again what was left half done", () => {
  registry();
  run("setup-nodes.js");
  writeFileSync(join(root, ".parts", "nodes", VERSIONS[22] ?? "", "bin", "node"), "cut sho");
  expect(run("setup-nodes.js").stdout).toMatch(/Node 22: \S+, installed/);
  expect(asked()).toBe(4);
});

test("says which cannot be had, and why", () => {
  writeFileSync(join(commands, "npm"), "#!/bin/sh\necho 'E404 not found' >&2; exit 1\n", { mode: 0o755 });
  const { status, stderr } = run("setup-nodes.js");
  expect(status).toBe(1);
  expect(stderr).toMatch(/Node 20: missing\. node-\S+@\S+ cannot be had from the npm registry: .*E404/);
  expect(readdirSync(join(root, ".parts", "nodes"))).toEqual([]);
  registry("another");
  expect(run("setup-nodes.js").stderr).toContain("does not run on this machine");
});

test("a version that is not tested on is wrong usage", () => {
  expect(run("test-nodes.js", "18")).toMatchObject({ status: 2, stderr: expect.stringContaining("20, 22, 24") });
});

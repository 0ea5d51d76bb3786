import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { type Json, PROD, PUSHED, synthesize, TEST } from "./synthesize";

const ROOT = resolve(__dirname, "../..");
const PACKAGES = join(ROOT, "node_modules");
const BINDINGS = "@cdktf/provider-google";
const TREES = ["stacks", "constructs", "runtime", "spark", "scripts", "web"];

/** A copy of the repository in which the switch is thrown. */
let copy: string;
const env = { ...process.env, CI: "true", CHECKPOINT_DISABLE: "1", DISABLE_VERSION_CHECK: "1" };
const manifest = (): Json => JSON.parse(readFileSync(join(copy, "package.json"), "utf8"));

beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), "with-cdktn-"));
  for (const path of [...TREES, "package.json", "package-lock.json", "tsconfig.json", "cdktf.json", "change-plan.json"])
    cpSync(join(ROOT, path), join(copy, path), { recursive: true });
});
afterAll(() => rmSync(copy, { recursive: true, force: true }));

const use = (...args: readonly string[]) =>
  spawnSync(process.execPath, [join(copy, "scripts/use-cdktn.js"), ...args], { encoding: "utf8" });

/** What npm install makes of the alias; npm itself would ask the registry. */
function install(): void {
  const modules = join(copy, "node_modules");
  mkdirSync(join(modules, "@cdktf"), { recursive: true });
  for (const name of readdirSync(PACKAGES))
    if (name !== "@cdktf" && name !== "cdktf") symlinkSync(join(PACKAGES, name), join(modules, name));
  symlinkSync(join(PACKAGES, "cdktn"), join(modules, "cdktf"));
  // Node and the compiler follow links: the bindings have to lie here to find this copy's "cdktf".
  cpSync(join(PACKAGES, BINDINGS, "package.json"), join(modules, BINDINGS, "package.json"), { recursive: true });
  for (const resource of usedResources())
    cpSync(join(PACKAGES, BINDINGS, "lib", resource), join(modules, BINDINGS, "lib", resource), { recursive: true });
}

function usedResources(): Set<string> {
  const found = new Set<string>();
  for (const tree of ["stacks", "constructs"])
    for (const entry of readdirSync(join(ROOT, tree), { recursive: true, withFileTypes: true })) {
      if (!entry.name.endsWith(".ts")) continue;
      const text = readFileSync(join(entry.parentPath, entry.name), "utf8");
      for (const [, resource = ""] of text.matchAll(/"@cdktf\/provider-google\/lib\/([a-z0-9-]+)"/g))
        found.add(resource);
    }
  return found;
}

const withoutStamp = (json: Json): Json => {
  const clone = structuredClone(json) as { "//"?: { metadata?: { version?: string } } };
  delete clone["//"]?.metadata?.version;
  return clone;
};

test("the switch to cdktn compiles, synthesizes the same stacks, and is taken by cdktf's command line", () => {
  // Fills the cache of bundles, which the copy takes along: its packages are links, which a bundle would name.
  const here = synthesize([PROD, TEST]).stacks;
  cpSync(join(ROOT, "dist/.bundles"), join(copy, "dist/.bundles"), { recursive: true });
  const before = readFileSync(join(copy, "package.json"), "utf8");
  expect(use()).toMatchObject({ status: 0, stdout: expect.stringContaining("npm:cdktn@") });
  expect(manifest()).toMatchObject({
    devDependencies: { cdktf: expect.stringMatching(/^npm:cdktn@\d/) },
    overrides: { [BINDINGS]: { cdktf: "$cdktf" } },
  });
  install();

  const compiler = join(PACKAGES, "typescript/bin/tsc");
  const compiled = spawnSync(process.execPath, [compiler, "-p", "tsconfig.json"], { cwd: copy, encoding: "utf8" });
  expect(compiled).toMatchObject({ status: 0, stdout: "" });
  const lines = join(copy, "lines.json");
  writeFileSync(lines, JSON.stringify([PROD, TEST]));
  writeFileSync(join(copy, "images.lock.json"), JSON.stringify({ version: 1, images: PUSHED.images }));
  execFileSync(process.execPath, ["dist/stacks/main.js", "--hospitals", lines], { cwd: copy, env, stdio: "pipe" });
  const written = (name: string): Json =>
    JSON.parse(readFileSync(join(copy, "cdktf.out/stacks", name, "cdk.tf.json"), "utf8"));
  const { version } = JSON.parse(readFileSync(join(PACKAGES, "cdktn/package.json"), "utf8")) as { version: string };
  for (const [name, stack] of here) {
    expect(withoutStamp(written(name))).toEqual(withoutStamp(stack.json));
    expect(written(name)).toMatchObject({ "//": { metadata: { version } } });
  }

  // The command line of cdktf 0.21 goes on working; its own copy of the library is not the app's.
  rmSync(join(copy, "cdktf.out"), { recursive: true });
  const cli = join(PACKAGES, "cdktf-cli/bundle/bin/cdktf");
  const variables = { ...env, HOSPITALS_FILE: lines, PATH: `${join(PACKAGES, ".bin")}:${process.env.PATH}` };
  execFileSync(process.execPath, [cli, "synth"], { cwd: copy, env: variables, stdio: "pipe" });
  for (const [name, stack] of here) expect(withoutStamp(written(name))).toEqual(withoutStamp(stack.json));

  expect(use("--back").status).toBe(0);
  expect(readFileSync(join(copy, "package.json"), "utf8")).toBe(before);
  expect(use("--bakc")).toMatchObject({ status: 2, stderr: expect.stringContaining("--bakc") });
}, 300_000);

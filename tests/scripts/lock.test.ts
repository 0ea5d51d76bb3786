import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const ROOT = join(__dirname, "../..");
const ONNX = "node_modules/onnxruntime-node";
interface Lock {
  readonly packages: Record<string, { hasInstallScript?: boolean; os?: string[]; dev?: boolean }>;
}
const read = <T>(...path: string[]) => JSON.parse(readFileSync(join(...path), "utf8")) as T;

/** Packages with a script that npm runs by the lock file. */
const withScript = ({ packages }: Lock) => Object.keys(packages).filter((place) => packages[place]?.hasInstallScript);

test("npm is told of no script that loads from elsewhere than the registry, and of every script whether it may run", () => {
  const scripts = withScript(read<Lock>(ROOT, "package-lock.json"));
  expect(scripts.length).toBeGreaterThan(0);
  expect(scripts).not.toContain(ONNX);
  const { allowScripts } = read<{ allowScripts: Record<string, boolean> }>(ROOT, "package.json");
  const named = Object.keys(allowScripts).map((name) => `node_modules/${name}`);
  // Those of other platforms, and of packages that only some machines have, are not asked about.
  expect(allowScripts["onnxruntime-node"]).toBe(false);
  for (const name of ["@swc/core", "esbuild"]) expect(allowScripts[name]).toBe(true);
  expect(named.filter((place) => place !== ONNX && !scripts.includes(place))).toEqual([]);
  // A setting that npm does not know would be said with every command.
  expect(readFileSync(join(ROOT, ".npmrc"), "utf8")).not.toMatch(/onnxruntime/);
});

test("what npm install has put back, complete-lock takes out again", () => {
  const folder = mkdtempSync(join(tmpdir(), "lock-"));
  try {
    mkdirSync(join(folder, "scripts"));
    copyFileSync(join(ROOT, "scripts/complete-lock.js"), join(folder, "scripts/complete-lock.js"));
    const lock = read<Lock>(ROOT, "package-lock.json");
    const wanted = `${JSON.stringify(lock, null, 2)}\n`;
    (lock.packages[ONNX] as { hasInstallScript?: boolean }).hasInstallScript = true;
    writeFileSync(join(folder, "package-lock.json"), JSON.stringify(lock));
    expect(spawnSync(process.execPath, ["scripts/complete-lock.js"], { cwd: folder }).status).toBe(0);
    expect(readFileSync(join(folder, "package-lock.json"), "utf8")).toBe(wanted);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

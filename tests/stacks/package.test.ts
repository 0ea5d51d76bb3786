import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { bundleRuntime } from "../../constructs/core/runtime-bundle";
import { buildApp } from "../../stacks/app";
import type { HospitalLine } from "../../stacks/config";
import { IMAGE_CONTRACTS, IMAGES, type ImageLock } from "../../stacks/images";
import type { PlatformLine } from "../../stacks/platform-config";

const ROOT = resolve(__dirname, "../..");
const FOREIGN = join(__dirname, "fixtures", "foreign-app");
const packages = join(ROOT, "node_modules");

/** What the app's main.ts says. */
const HOSPITAL: HospitalLine = {
  name: "mercy",
  tier: "prod",
  project: "acme-mercy",
  projectNumber: "222333444555",
  region: "us-central1",
};
const PLATFORM: PlatformLine = {
  project: "acme-platform",
  projectNumber: "111222333444",
  region: "us-central1",
  budget: 50,
};

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly exports: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly peerDependencies: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta: Readonly<Record<string, { readonly optional: boolean }>>;
}

/** Another team's app: it has the tarball that npm pack makes, what the package asks for, and a compiler; nothing else. */
let app: string;
let manifest: Manifest;
/** Those that every app has to have. */
let peers: readonly string[];
let packed: readonly { readonly path: string; readonly size: number }[];
let unpackedSize: number;

beforeAll(() => {
  app = mkdtempSync(join(tmpdir(), "foreign-app-"));
  const answer = execFileSync("npm", ["pack", "--json", "--pack-destination", app], {
    cwd: ROOT,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [tarball] = JSON.parse(answer.slice(answer.indexOf("[\n")));
  packed = tarball.files;
  unpackedSize = tarball.unpackedSize;
  const home = join(app, "node_modules", "brain-tumor-stack");
  mkdirSync(home, { recursive: true });
  execFileSync("tar", ["-xzf", join(app, tarball.filename), "-C", home, "--strip-components=1"]);
  manifest = JSON.parse(readFileSync(join(home, "package.json"), "utf8"));
  peers = Object.keys(manifest.peerDependencies).filter((name) => !manifest.peerDependenciesMeta[name]?.optional);
  for (const name of [...Object.keys(manifest.dependencies), ...peers, "@types/node", "undici-types"]) {
    mkdirSync(dirname(join(app, "node_modules", name)), { recursive: true });
    symlinkSync(join(packages, name), join(app, "node_modules", name));
  }
  cpSync(FOREIGN, app, { recursive: true });
  writeFileSync(join(app, "images.lock.json"), JSON.stringify(LOCK));
}, 300_000);

afterAll(() => rmSync(app, { recursive: true, force: true }));

const LOCK: ImageLock = {
  version: 1,
  images: Object.fromEntries(
    IMAGES.map((name) => [
      name,
      {
        image: `europe-west4-docker.pkg.dev/acme-platform/brain-tumor-images/${name}`,
        digest: `sha256:${"a".repeat(64)}`,
        bundle: bundleRuntime(IMAGE_CONTRACTS[name]).sha256,
      },
    ]),
  ),
};

function compile(...args: readonly string[]) {
  const compiler = join(packages, "typescript", "bin", "tsc");
  const { status, stdout } = spawnSync(process.execPath, [compiler, "-p", ".", ...args], {
    cwd: app,
    encoding: "utf8",
  });
  return { status, stdout };
}

/** Every file below a folder with the hash of its content. */
const filesBelow = (folder: string): Record<string, string> =>
  Object.fromEntries(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((path) => [relative(folder, path), createHash("sha256").update(readFileSync(path)).digest("hex")]),
  );

describe("the package, in another team's app", () => {
  test("holds compiled constructs with their types, the bundles, and scripts; no test, source, lock file or setting", () => {
    const paths = packed.map(({ path }) => path);
    const expected =
      /^(?:lib\/(?:stacks|constructs|runtime)\/.*\.(?:js|d\.ts)|lib\/bundles\/[a-z]+\.(?:json|zip)|constructs\/[a-z]+\/[a-z-]+\.sh|spark\/[a-z_]+\.py|package\.json|README\.md|CHANGELOG\.md|LICENSE)$/;
    expect(paths.filter((path) => !expected.test(path))).toEqual([]);
    // What an engineer of this repository edits, and what reads the command line, is no part of it.
    expect(paths.filter((path) => /hospitals\.|main\.|command\./.test(path))).toEqual([]);
    for (const path of ["lib/stacks/index.d.ts", "lib/bundles/train.zip", "spark/preprocess.py", "CHANGELOG.md"])
      expect(paths).toContain(path);
    // Of that the ten bundles are eleven.
    expect(unpackedSize).toBeLessThan(15_000_000);
    // Nobody who deploys the constructs installs what the processes run with.
    expect(Object.keys(manifest.dependencies)).toEqual(["fflate", "zod"]);
    expect(peers).toEqual(["@cdktf/provider-google", "cdktf", "constructs"]);
    expect(manifest).not.toHaveProperty("optionalDependencies");
  });

  test("asks for peers in ranges that the versions of this repository are in", () => {
    for (const name of peers) {
      const range = manifest.peerDependencies[name] ?? "";
      const { version } = JSON.parse(readFileSync(join(packages, name, "package.json"), "utf8")) as Manifest;
      const [, major, minor] = /^\^(\d+)\.(\d+)\./.exec(range) ?? [];
      expect(version.startsWith(major === "0" ? `0.${minor}.` : `${major}.`)).toBe(true);
    }
  });

  test("names what the processes import in one version, wherever it is named", () => {
    const read = (file: string) =>
      JSON.parse(readFileSync(join(ROOT, file), "utf8")) as Record<string, Record<string, string> | undefined>;
    const sections = ["dependencies", "devDependencies", "optionalDependencies", "peerDependencies"];
    const versions = (file: string) => Object.assign({}, ...sections.map((name) => read(file)[name] ?? {}));
    const here: Record<string, string> = versions("package.json");
    const twice = Object.entries<string>(versions("runtime/package.json")).filter(([name]) => name in here);
    expect(twice.map(([name]) => name)).toContain("sharp");
    for (const [name, version] of twice) expect({ [name]: here[name] }).toEqual({ [name]: version });
  });

  test.each([
    ["node16", "node16"],
    ["esnext", "bundler"],
  ])("has types for module %s and resolution %s, and no need of skipLibCheck", (module, resolution) => {
    // Compiled to files as well: what follows runs them, and node reads CommonJS here.
    const emit = module === "node16" ? [] : ["--noEmit"];
    expect(compile("--module", module, "--moduleResolution", resolution, ...emit)).toEqual({ status: 0, stdout: "" });
  });

  test("lets the compiler complain about wrong keys and values, in the hospital's and in the platform's line", () => {
    const right = readFileSync(join(FOREIGN, "main.ts"), "utf8");
    const mistakes = [
      ["region", "regoin", "'regoin' does not exist"],
      ["budget", "bugdet", "'bugdet' does not exist"],
      ['"prod"', '"production"', `'"production"' is not assignable`],
    ] as const;
    mistakes.forEach(([from, to], index) => {
      writeFileSync(join(app, `wrong-${index}.ts`), right.replace(from, to));
    });
    const { status, stdout } = compile("--noEmit", "--skipLibCheck");
    mistakes.forEach((_, index) => {
      rmSync(join(app, `wrong-${index}.ts`));
    });
    expect(status).not.toBe(0);
    const errors = stdout.split("\n").filter((line) => line.includes("error"));
    expect(errors).toEqual(
      mistakes.map(([, , words], index) => expect.stringMatching(new RegExp(`^wrong-${index}\\.ts.*${words}`))),
    );
  });

  test("ten lines give a hospital: node and npx cdktf synth write what this repository does, byte by byte", () => {
    expect(readFileSync(join(app, "main.ts"), "utf8").trim().split("\n").length).toBeLessThanOrEqual(10);
    const env = { ...process.env, CI: "true", CHECKPOINT_DISABLE: "1", DISABLE_VERSION_CHECK: "1" };
    execFileSync(process.execPath, ["main.js"], { cwd: app, env: { ...env, CDKTF_OUTDIR: "by-node" } });
    const cli = join(packages, "cdktf-cli/bundle/bin/cdktf");
    execFileSync(process.execPath, [cli, "synth", "--output", "by-cdktf"], { cwd: app, env, stdio: "pipe" });

    buildApp([HOSPITAL], { platform: PLATFORM, images: LOCK, outdir: join(app, "here"), variables: {} }).synth();
    const here = filesBelow(join(app, "here", "stacks"));
    // Both stacks of the hospital with their code, and those of the platform.
    expect(Object.keys(here).filter((path) => path.endsWith(".tf.json"))).toHaveLength(4);
    expect(Object.keys(here).filter((path) => path.endsWith(".zip")).length).toBeGreaterThanOrEqual(4);
    expect(filesBelow(join(app, "by-node", "stacks"))).toEqual(here);
    expect(filesBelow(join(app, "by-cdktf", "stacks"))).toEqual(here);
  });

  test("gives single constructs to a stack of the other team", () => {
    execFileSync(process.execPath, ["own-stack.js"], { cwd: app, env: { ...process.env, CDKTF_OUTDIR: "own" } });
    const own = JSON.parse(readFileSync(join(app, "own/stacks/archive/cdk.tf.json"), "utf8"));
    expect(own.resource.google_storage_bucket.slides).toMatchObject({
      name: "acme-pathology-slides-archive",
      uniform_bucket_level_access: true,
    });
  });

  test("refuses what was wrong in a line with every sentence, as here", () => {
    const program = `
      const { buildApp } = require("brain-tumor-stack");
      const line = { name: "x y", tier: "prod", project: "acme-x", projectNumber: 1, region: "mars" };
      buildApp([line], { platform: ${JSON.stringify(PLATFORM)}, outdir: "refused" });`;
    const { status, stderr } = spawnSync(process.execPath, ["-e", program], { cwd: app, encoding: "utf8" });
    expect(status).not.toBe(0);
    expect(stderr).toMatch(/"name" is "x y"[\s\S]*"projectNumber" is 1[\s\S]*"region" is "mars"/);
  });

  test("says so when a bundle was changed after it was packed", () => {
    const zip = join(app, "node_modules/brain-tumor-stack/lib/bundles/ingest.zip");
    const whole = readFileSync(zip);
    writeFileSync(zip, whole.subarray(1));
    try {
      const { status, stderr } = spawnSync(process.execPath, ["main.js"], { cwd: app, encoding: "utf8" });
      expect(status).not.toBe(0);
      expect(stderr).toContain('has no bundle "ingest", or it was changed after it was packed');
    } finally {
      writeFileSync(zip, whole);
    }
  });

  test("has no door but its exports", () => {
    const program = 'require("brain-tumor-stack/lib/stacks/app.js")';
    const { stderr } = spawnSync(process.execPath, ["-e", program], { cwd: app, encoding: "utf8" });
    expect(stderr).toContain("ERR_PACKAGE_PATH_NOT_EXPORTED");
  });
});

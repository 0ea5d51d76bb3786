import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ContainerImage, type LockedImage } from "../../constructs/core/container-image";
import { bundleFiles, bundleRuntime } from "../../constructs/core/runtime-bundle";
import { serveContract } from "../../runtime/serve/contract";
import { trainContract } from "../../runtime/train/contract";
import { type ImageLock, readImageLock } from "../../stacks/images";
import { image } from "../../tools/image";
import { NOTHING_PUSHED, PROD, PUSHED, stackOf, synthesize } from "../stacks/synthesize";

const DIGEST = `sha256:${"1f".repeat(32)}`;
const PLATFORM = { project: "mri-platform", region: "europe-west4" };

describe("npm run image", () => {
  let folder: string;
  let output: string;
  const path = process.env.PATH;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "image-command-"));
    output = "";
    for (const stream of [process.stdout, process.stderr])
      jest.spyOn(stream, "write").mockImplementation((text) => {
        output += String(text);
        return true;
      });
  });

  afterEach(() => {
    process.env.PATH = path;
    jest.restoreAllMocks();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Programs that note how they are called, copy the context they get, and answer. */
  function install(answers: Readonly<Record<string, string>>): void {
    for (const [name, answer] of Object.entries(answers)) {
      const file = join(folder, name);
      writeFileSync(
        file,
        `#!${process.execPath}
const fs = require("node:fs");
const args = process.argv.slice(2);
fs.appendFileSync(${JSON.stringify(join(folder, "calls.jsonl"))}, JSON.stringify(["${name}", ...args]) + "\\n");
const context = args.find((arg) => arg.includes("image-") && fs.existsSync(arg));
if (context) fs.cpSync(context, ${JSON.stringify(join(folder, "context"))}, { recursive: true });
${answer}`,
      );
      chmodSync(file, 0o755);
    }
    process.env.PATH = folder;
  }

  const calls = () =>
    readFileSync(join(folder, "calls.jsonl"), "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as string[]);
  const lock = () => JSON.parse(readFileSync(join(folder, "images.lock.json"), "utf8")) as ImageLock;
  const say = (text: string) => `process.stdout.write(${JSON.stringify(text)});`;

  test("builds and pushes with Docker, from the bundle and the Dockerfile alone, and writes the digest down", async () => {
    const bundle = bundleRuntime(serveContract);
    const name = "europe-west4-docker.pkg.dev/mri-platform/brain-tumor-images/serve";
    const tag = `${name}:bundle-${bundle.sha256.slice(0, 16)}`;
    install({ docker: `if (args[0] === "push") ${say(`2f1a: Pushed\nbundle: digest: ${DIGEST} size: 1994\n`)}` });
    expect(await image(["serve"], PLATFORM, folder)).toBe(0);

    expect(calls()).toEqual([
      ["docker", "build", "--platform", "linux/amd64", "--pull", "--tag", tag, expect.stringContaining("image-serve-")],
      ["docker", "push", tag],
    ]);
    const context = join(folder, "context");
    expect(readdirSync(context).sort()).toEqual(
      [".dockerignore", ".gcloudignore", "Dockerfile", ...bundleFiles(bundle).keys()].sort(),
    );
    for (const [file, content] of bundleFiles(bundle))
      expect(readFileSync(join(context, file)).equals(Buffer.from(content))).toBe(true);
    expect(existsSync(String(calls()[0]?.at(-1)))).toBe(false);
    expect(lock()).toEqual({
      version: 1,
      images: { serve: { image: name, digest: DIGEST, bundle: bundle.sha256 } },
    });
    expect(output).toContain(`${name}@${DIGEST}`);
  });

  test("builds with Cloud Build and asks the registry for the digest; the other image's entry stays", async () => {
    writeFileSync(
      join(folder, "images.lock.json"),
      JSON.stringify({ version: 1, images: { serve: PUSHED.images.serve } }),
    );
    install({
      gcloud: `if (args[0] === "artifacts") ${say(`${DIGEST}\n`)} else ${say(`built sha256:${"9".repeat(64)}\n`)}`,
    });
    const args = ["train", "--builder", "cloud-build", "--project", "mri-other", "--region", "us-central1"];
    expect(await image([...args, "--repository", "own-images"], PLATFORM, folder)).toBe(0);

    const bundle = bundleRuntime(trainContract);
    const name = "us-central1-docker.pkg.dev/mri-other/own-images/train";
    const tag = `${name}:bundle-${bundle.sha256.slice(0, 16)}`;
    const [build, describe] = calls();
    expect(build).toEqual(expect.arrayContaining(["gcloud", "builds", "submit", tag, "us-central1", "mri-other"]));
    expect(describe?.slice(0, 6)).toEqual(["gcloud", "artifacts", "docker", "images", "describe", tag]);
    expect(lock().images).toEqual({
      serve: PUSHED.images.serve,
      train: { image: name, digest: DIGEST, bundle: bundle.sha256 },
    });
    expect(readdirSync(join(folder, "context"))).toContain("replica-worker.js");
  });

  test.each([
    ["no digest", say("latest: pushed\n")],
    ["two digests", say(`a: digest: ${DIGEST} size: 1\nb: digest: sha256:${"2".repeat(64)} size: 1\n`)],
    ["a digest that is cut", say("a: digest: sha256:1f1f size: 1\n")],
  ])("with %s in the answer invents none: exit 1, no lock file", async (_what, answer) => {
    install({ docker: `if (args[0] === "push") ${answer}` });
    expect(await image(["serve"], PLATFORM, folder)).toBe(1);
    expect(output).toContain("docker push did not say the image's digest");
    expect(existsSync(join(folder, "images.lock.json"))).toBe(false);
  });

  test("a push that is refused says how to sign in: exit 1, and the lock file stays as it was", async () => {
    const before = JSON.stringify(PUSHED);
    writeFileSync(join(folder, "images.lock.json"), before);
    install({ docker: `if (args[0] === "push") process.exit(1);` });
    expect(await image(["serve"], PLATFORM, folder)).toBe(1);
    expect(output).toContain("gcloud auth configure-docker europe-west4-docker.pkg.dev");
    expect(readFileSync(join(folder, "images.lock.json"), "utf8")).toBe(before);
  });

  test("without the builder's program says so: exit 1", async () => {
    process.env.PATH = folder;
    expect(await image(["serve"], PLATFORM, folder)).toBe(1);
    expect(output).toContain("docker is not installed here");
  });

  test.each([
    [[], "missing required argument"],
    [["preprocess"], "Allowed choices are serve, train"],
    [["serve", "--builder", "kaniko"], "Allowed choices are docker, cloud-build"],
    [["serve", "--region", "Europe"], '--region is "Europe"'],
    [["serve", "--project", "UPPER", "--repository", "a/b"], '--repository is "a/b"'],
    [["serve", "--bilder", "docker"], "--bilder"],
  ])("%j is wrong usage: exit 2, and nothing is built", async (args, why) => {
    install({ docker: "" });
    expect(await image(args, PLATFORM, folder)).toBe(2);
    expect(output).toContain(why);
    expect(existsSync(join(folder, "calls.jsonl"))).toBe(false);
  });

  test("with no platform needs the registry's place on the command line", async () => {
    install({ docker: "" });
    expect(await image(["serve"], undefined, folder)).toBe(2);
    expect(output).toMatch(/--project is missing[\s\S]*--region is missing/);
  });

  test("--help lists the options", async () => {
    expect(await image(["--help"], PLATFORM, folder)).toBe(0);
    for (const option of ["--project", "--region", "--repository", "--builder", "mri-platform"])
      expect(output).toContain(option);
  });
});

describe("images.lock.json", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "image-lock-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  test("may be missing", () => {
    expect(readImageLock(folder)).toEqual(NOTHING_PUSHED);
  });

  test.each([
    ["is not JSON", "{", "is not JSON"],
    ["has a tag in place of a digest", { serve: { ...PUSHED.images.serve, digest: "latest" } }, "must be sha256:"],
    ["names another registry", { serve: { ...PUSHED.images.serve, image: "docker.io/a/b" } }, "docker.pkg.dev"],
    ["has an unknown image", { spark: PUSHED.images.serve }, "images"],
  ])("that %s is refused, with what to do", (_what, content, why) => {
    const text = typeof content === "string" ? content : JSON.stringify({ version: 1, images: content });
    writeFileSync(join(folder, "images.lock.json"), text);
    expect(() => readImageLock(folder)).toThrow(why);
    expect(() => readImageLock(folder)).toThrow(/Delete the file and run npm run image/);
  });

  test("decides what a synth deploys, and a synth says what it leaves out", () => {
    const none = synthesize([PROD], undefined, NOTHING_PUSHED);
    const bare = stackOf(none.stacks, "st-anna-app");
    expect(bare.resources("google_cloud_run_v2_service")).toEqual([]);
    expect(bare.resources("google_compute_instance_template")).toEqual([]);
    expect(bare.resources("google_dataproc_workflow_template")).toHaveLength(1);
    expect(JSON.stringify(none.manifest)).toMatch(/no image \\"train\\".*npm run image -- train/);
    expect(JSON.stringify(none.manifest)).toMatch(/no image \\"serve\\".*npm run image -- serve/);

    const old = synthesize([PROD]);
    expect(JSON.stringify(old.manifest)).toMatch(/image \\"serve\\" of images.lock.json was built from other code/);
    const serve = { ...(PUSHED.images.serve as LockedImage), bundle: bundleRuntime(serveContract).sha256 };
    const current = synthesize([PROD], undefined, { version: 1, images: { serve } });
    expect(JSON.stringify(current.manifest)).not.toContain("other code");
    const uri = new ContainerImage(serve).uri;
    expect(stackOf(current.stacks, "st-anna-app").text).toContain(`"image": "${uri}"`);
  });
});

describe("the Dockerfiles", () => {
  const text = (name: string) => readFileSync(join(__dirname, "../../images", name, "Dockerfile"), "utf8");

  test.each(["serve", "train"])("of %s pins its bases, has two stages and does not run as root", (name) => {
    const bases = [...text(name).matchAll(/^FROM (\S+)/gm)].map((match) => String(match[1]));
    expect(bases).toHaveLength(2);
    for (const base of bases) expect(base).toMatch(/:\d+\.\d+\.\d+-/);
    const users = [...text(name).matchAll(/^USER (\S+)/gm)].map((match) => match[1]);
    expect(users).toHaveLength(1);
    expect(users[0]).not.toMatch(/^(root|0)/);
  });

  test("both are Node 22, as the bundles are made for, and training has CUDA 11.2 with cuDNN 8", () => {
    for (const name of ["serve", "train"]) expect(text(name)).toMatch(/^FROM node:22\.\d+\.\d+-bookworm/m);
    expect(text("train")).toMatch(/^FROM nvidia\/cuda:11\.2\.\d+-cudnn8-runtime-/m);
  });
});

import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bundleFiles } from "../../constructs/core/bundle-files";
import { ContainerImage, type LockedImage } from "../../constructs/core/container-image";
import { bundleRuntime } from "../../constructs/core/runtime-bundle";
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
    // What the command needs besides a builder.
    for (const program of ["npm", "git"])
      writeFileSync(join(folder, program), `#!/bin/sh\nPATH="${path}" exec ${program} "$@"\n`, { mode: 0o755 });
    process.env.PATH = folder;
  }

  const calls = () =>
    readFileSync(join(folder, "calls.jsonl"), "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as string[]);
  const lock = () => JSON.parse(readFileSync(join(folder, "images.lock.json"), "utf8")) as ImageLock;
  const say = (text: string) => `process.stdout.write(${JSON.stringify(text)});`;

  const NODE_IMAGE = "node:22.23.3-bookworm-slim";
  const DEBIAN_IMAGE = "debian:12.15-slim";
  const BASE = `sha256:${"ba".repeat(32)}`;
  /** What is answered from within an image. */
  const inside = (list: string) =>
    `if (${list}.includes("node")) ${say("22.23.3\n")} if (${list}.includes("dpkg-query")) ${say("libc6\t2.36-9+deb12u14\tamd64\nzlib1g\t1:1.2.13\tamd64\n")}`;
  const DOCKER = `if (args[0] === "pull") ${say(`Pulled\nDigest: ${BASE}\nStatus: new\n`)}
    if (args[0] === "push") ${say(`2f1a: Pushed\nbundle: digest: ${DIGEST} size: 1994\n`)}
    if (args[0] === "image") ${say(`${DIGEST}\n`)}
    ${inside("args")}`;
  const evidence = (where: string, file: string) => {
    const text = readFileSync(join(where, file), "utf8");
    const digest = `sha256:${createHash("sha256").update(text).digest("hex")}`;
    return { digest, content: JSON.parse(text) as Record<string, unknown> };
  };
  interface Statement {
    readonly subject: unknown;
    readonly predicateType: string;
    readonly predicate: {
      readonly buildDefinition: {
        readonly externalParameters: Record<string, unknown>;
        readonly resolvedDependencies: readonly { readonly name: string; readonly digest: Record<string, string> }[];
      };
    };
  }

  test("builds and pushes with Docker, from the bundle and what builds it alone, and writes the digest down", async () => {
    const bundle = bundleRuntime(serveContract);
    const name = "europe-west4-docker.pkg.dev/mri-platform/brain-tumor-images/serve";
    const tag = `${name}:bundle-${bundle.sha256.slice(0, 16)}`;
    install({ docker: DOCKER });
    expect(await image(["serve"], PLATFORM, folder)).toBe(0);

    const platform = ["--platform", "linux/amd64"];
    const bases = [NODE_IMAGE, DEBIAN_IMAGE];
    expect(calls().slice(0, 4)).toEqual([
      ...bases.map((base) => ["docker", "pull", ...platform, base]),
      [
        ...["docker", "build", ...platform],
        // What was looked up is what is built with.
        ...["--build-arg", `NODE_IMAGE=${NODE_IMAGE}@${BASE}`, "--build-arg", `DEBIAN_IMAGE=${DEBIAN_IMAGE}@${BASE}`],
        ...["--tag", tag, expect.stringContaining("image-serve-")],
      ],
      ["docker", "push", tag],
    ]);
    const context = join(folder, "context");
    // The dashboard's files lie in a folder.
    const bundled = new Set([...bundleFiles(bundle).keys()].map((path) => path.split("/")[0] as string));
    expect(readdirSync(context).sort()).toEqual(
      [".dockerignore", ".gcloudignore", "Dockerfile", "build", ...bundled].sort(),
    );
    expect(readdirSync(join(context, "build"))).toEqual(["prune-packages.js"]);
    for (const [file, content] of bundleFiles(bundle))
      expect(readFileSync(join(context, file)).equals(Buffer.from(content))).toBe(true);
    expect(existsSync(String(calls()[2]?.at(-1)))).toBe(false);
    const attestations = join(folder, "attestations");
    expect(lock()).toEqual({
      version: 1,
      images: {
        serve: {
          ...{ image: name, digest: DIGEST, bundle: bundle.sha256 },
          sbom: evidence(attestations, "serve.cdx.json").digest,
          provenance: evidence(attestations, "serve.provenance.json").digest,
        },
      },
    });
    expect(readImageLock(folder).images.serve?.bundle).toBe(bundle.sha256);
    expect(output).toContain(`${name}@${DIGEST}`);
  });

  test("says how the image came about: commit, Dockerfile, bases, bundle and lock file, by their hashes", async () => {
    const bundle = bundleRuntime(trainContract);
    install({ docker: DOCKER });
    expect(await image(["train", "--build-arg", "CUDA=none"], PLATFORM, folder)).toBe(0);
    const { content } = evidence(join(folder, "attestations"), "train.provenance.json");
    const { subject, predicateType, predicate } = content as unknown as Statement;
    expect(subject).toEqual([
      { name: expect.stringMatching(/\/train$/), digest: { sha256: DIGEST.replace("sha256:", "") } },
    ]);
    expect(predicateType).toBe("https://slsa.dev/provenance/v1");
    expect(predicate.buildDefinition.externalParameters).toMatchObject({
      builder: "docker",
      buildArguments: { CUDA: "none" },
    });
    const known = new Map(predicate.buildDefinition.resolvedDependencies.map(({ name, digest }) => [name, digest]));
    const hash = (content: Uint8Array) => createHash("sha256").update(content).digest("hex");
    const lockFile = bundleFiles(bundle).get("package-lock.json") as Uint8Array;
    expect(known.get("source")?.gitCommit).toMatch(/^[0-9a-f]{40}$/);
    expect(known.get("bundle")).toEqual({ sha256: bundle.sha256 });
    expect(known.get("package-lock.json")).toEqual({ sha256: hash(lockFile) });
    for (const base of ["NODE_IMAGE", "DEBIAN_IMAGE"])
      expect(known.get(base)).toEqual({ sha256: BASE.replace("sha256:", "") });
    for (const [file, path] of Object.entries({
      Dockerfile: "images/train/Dockerfile",
      "build/scripts/requirements-cuda.txt": "scripts/requirements-cuda.txt",
      "build/scripts/setup-tensorflow.js": "scripts/setup-tensorflow.js",
    }))
      expect(known.get(file)).toEqual({ sha256: hash(readFileSync(join(__dirname, "../..", path))) });
  });

  test("lists what is in the image: npm for this platform alone, Debian, Node, and the wheels that were asked for", async () => {
    install({ docker: DOCKER });
    const listed = async (...args: string[]) => {
      expect(await image(["train", ...args], PLATFORM, folder)).toBe(0);
      const { components } = evidence(join(folder, "attestations"), "train.cdx.json").content as {
        components: { purl?: string }[];
      };
      return components.flatMap(({ purl }) => (purl ? [purl] : []));
    };
    const all = await listed();
    expect(all).toEqual(
      expect.arrayContaining([
        "pkg:generic/node@22.23.3",
        "pkg:pypi/tensorflow@2.21.0",
        "pkg:pypi/nvidia-cudnn-cu12@9.3.0.75",
        "pkg:deb/debian/zlib1g@1%3A1.2.13?arch=amd64",
        expect.stringContaining("pkg:npm/%40img/sharp-linux-x64@"),
        expect.stringContaining("pkg:npm/%40tensorflow/tfjs-node-gpu@"),
      ]),
    );
    expect(all.filter((purl) => /darwin|win32|arm64|musl|wasm32|emnapi/.test(purl))).toEqual([]);
    const none = await listed("--build-arg", "CUDA=none");
    expect(all.filter((purl) => !none.includes(purl)).every((purl) => purl.startsWith("pkg:pypi/nvidia-"))).toBe(true);
    expect(all.length - none.length).toBe(8);
  });

  const BUILDAH = `if (args[0] === "inspect") ${say(`${BASE}\n`)}
    if (args[0] === "push") fs.writeFileSync(args[args.indexOf("--digestfile") + 1], ${JSON.stringify(DIGEST)});
    if (args[0] === "from") ${say("work-1\n")}
    ${inside("args")}`;

  test("builds with buildah, which has no daemon, and takes the digest of the push from a file", async () => {
    install({ buildah: BUILDAH });
    expect(await image(["serve", "--builder", "buildah"], PLATFORM, folder)).toBe(0);
    const named = calls().map(([, command]) => command);
    expect(named).toEqual([
      ...["pull", "inspect", "pull", "inspect", "bud", "push"],
      ...["from", "run", "rm", "from", "run", "rm"],
    ]);
    const bud = calls().find(([, command]) => command === "bud");
    expect(bud).toEqual(
      expect.arrayContaining(["--format", "docker", "--layers", "--pull-never", `DEBIAN_IMAGE=${DEBIAN_IMAGE}`]),
    );
    expect(lock().images.serve?.digest).toBe(DIGEST);
    const { content } = evidence(join(folder, "attestations"), "serve.provenance.json");
    expect(JSON.stringify(content)).toContain(BASE.replace("sha256:", ""));
  });

  test("--no-push needs no registry: the image stays here, and the lock file as it was", async () => {
    install({ buildah: BUILDAH });
    const out = join(folder, "evidence");
    const bases = ["--build-arg", "NODE_IMAGE=localhost/node", "--build-arg", "DEBIAN_IMAGE=localhost/debian"];
    const args = ["serve", "--builder", "buildah", "--no-push", "--out", out, ...bases];
    expect(await image(args, undefined, folder)).toBe(0);
    expect(calls().filter(([, command]) => command === "push" || command === "pull")).toEqual([]);
    expect(output).toMatch(/serve: localhost\/brain-tumor-images\/serve:bundle-[0-9a-f]{16} \(sha256:ba.* was built/);
    expect(readdirSync(out).sort()).toEqual(["serve.cdx.json", "serve.provenance.json"]);
    for (const made of ["images.lock.json", "attestations"]) expect(existsSync(join(folder, made))).toBe(false);
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
      train: expect.objectContaining({ image: name, digest: DIGEST, bundle: bundle.sha256 }),
    });
    expect(readdirSync(join(folder, "context"))).toContain("replica-worker.js");
    // Nobody can look into an image that lies in the registry alone.
    const { content } = evidence(join(folder, "attestations"), "train.cdx.json");
    expect(content.compositions).toMatchObject([{ aggregate: "incomplete" }]);
  });

  test.each([
    ["no digest", say("latest: pushed\n")],
    ["two digests", say(`a: digest: ${DIGEST} size: 1\nb: digest: sha256:${"2".repeat(64)} size: 1\n`)],
    ["a digest that is cut", say("a: digest: sha256:1f1f size: 1\n")],
  ])("with %s in the answer invents none: exit 1, no lock file", async (_what, answer) => {
    install({ docker: `if (args[0] === "push") ${answer} else {${DOCKER}}` });
    expect(await image(["serve"], PLATFORM, folder)).toBe(1);
    expect(output).toContain("docker push did not say the image's digest");
    expect(existsSync(join(folder, "images.lock.json"))).toBe(false);
  });

  test("a push that is refused says how to sign in: exit 1, and the lock file stays as it was", async () => {
    const before = JSON.stringify(PUSHED);
    writeFileSync(join(folder, "images.lock.json"), before);
    install({ docker: `if (args[0] === "push") process.exit(1); ${DOCKER}` });
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
    [["serve", "--builder", "kaniko"], "Allowed choices are docker, buildah, cloud-build"],
    [["serve", "--region", "Europe"], '--region is "Europe"'],
    [["serve", "--project", "UPPER", "--repository", "a/b"], '--repository is "a/b"'],
    [["serve", "--bilder", "docker"], "--bilder"],
    [["serve", "--build-arg", "CUDA"], "It must be NAME=VALUE"],
    [
      ["serve", "--build-arg", "CUDA=none"],
      "images/serve/Dockerfile has no argument CUDA; it has NODE_IMAGE, DEBIAN_IMAGE",
    ],
    [["train", "--builder", "cloud-build", "--build-arg", "CUDA=none"], "--build-arg is for docker and buildah"],
    [["serve", "--builder", "cloud-build", "--no-push"], "--no-push is for docker and buildah"],
    [["serve", "--out", "x"], "--out goes with --no-push"],
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
    const bases = new Map([...text(name).matchAll(/^ARG (\w+_IMAGE)=(\S+)$/gm)].map(([, key, base]) => [key, base]));
    const stages = [...text(name).matchAll(/^FROM \$\{(\w+)\}( AS \w+)?$/gm)].map(([, key]) => key);
    expect(stages).toEqual(["NODE_IMAGE", "DEBIAN_IMAGE"]);
    expect([...text(name).matchAll(/^FROM /gm)]).toHaveLength(2);
    for (const stage of stages) expect(bases.get(stage)).toMatch(/:\d+\.\d+(\.\d+-bookworm)?-slim$/);
    expect([...text(name).matchAll(/^USER (\S+)/gm)].map((match) => match[1])).toEqual(["1000:1000"]);
  });

  test("both have the same bases, and Node 22, as the bundles are made for", () => {
    const bases = (name: string) => text(name).match(/^ARG \w+_IMAGE=.*$/gm);
    expect(bases("train")).toEqual(bases("serve"));
    expect(bases("serve")?.join()).toMatch(/NODE_IMAGE=node:22\./);
  });

  test("training links the library that its SBOM names, and every Python package has a hash", () => {
    for (const file of ["requirements-tensorflow-gpu.txt", "requirements-cuda.txt"]) {
      const pins = readFileSync(join(__dirname, "../../scripts", file), "utf8")
        .split(/\n(?=[\w-]+==)/)
        .filter((entry) => /^[\w-]+==/.test(entry));
      expect(pins.length).toBeGreaterThan(0);
      for (const pin of pins) expect(pin).toMatch(/^[\w-]+==[\d.]+( \\\n {4}--hash=sha256:[0-9a-f]{64})+\s*$/);
    }
  });
});

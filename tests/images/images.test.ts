import { spawnSync } from "node:child_process";
import {
  chownSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { drawPhantomFolder } from "../../runtime/phantom";
import { BUCKETS, type BucketName, bucketEnvironment } from "../../runtime/platform/contract";
import { openStore } from "../../runtime/platform/stores";
import { currentModel } from "../../runtime/registry";
import { serveContract } from "../../runtime/serve/contract";
import { trainContract } from "../../runtime/train/contract";
import { type GcsServer, startGcsServer } from "../support/gcs-server";
import { freePort } from "../support/processes";
import { Containers, type Running } from "./containers";
import {
  buildTools,
  debianPackages,
  filesOf,
  foreignBinaries,
  type ImageFile,
  installedPackages,
  megabytes,
  secrets,
  sizeTable,
  total,
} from "./contents";

/*
 * Both images, built by the command that a person uses, in place of whose bases stand the same files from Debian's packages
 * and the npm registry; then a model is trained in one and asked in the other, over a storage server on this machine. Without
 * the CUDA wheels, unless CUDA=wheels: no GPU is needed here, and none of it runs on one.
 */

const ROOT = resolve(__dirname, "../..");
const PARTS = join(ROOT, ".parts/images");
const DEBIAN = "localhost/brain-tumor-test/debian";
const NODE = "localhost/brain-tumor-test/node";
const CUDA = process.env.CUDA ?? "none";
/** A quarter of an hour is what the largest takes on a busy machine. */
const MINUTES = 60_000;

interface Sbom {
  readonly bomFormat: string;
  readonly specVersion: string;
  readonly components: readonly { readonly name: string; readonly version: string; readonly purl?: string }[];
  readonly compositions: readonly { readonly aggregate: string }[];
}

let containers: Containers;
let scratch: string;
let server: GcsServer;
const uris = Object.fromEntries(BUCKETS.map((name) => [name, { uri: `gs://image-test-${name}` }])) as Record<
  BucketName,
  { readonly uri: string }
>;
const images: Record<
  string,
  { readonly tag: string; readonly root: string; readonly files: readonly ImageFile[]; readonly sbom: Sbom }
> = {};

/** The environment of a contract's process, over the storage server. */
const environment = (
  contract: typeof serveContract | typeof trainContract,
  more: Readonly<Record<string, string>>,
) => ({ ...bucketEnvironment(contract, uris), GCS_API_ENDPOINT: server.endpoint, ...more });

/** Runs a command of the project to its end. */
function npmRun(script: string, ...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(ROOT, "dist", script), ...args], {
    cwd: ROOT,
    encoding: "utf8",
    env: containers.env,
    maxBuffer: 2 ** 28,
  });
  if (status !== 0)
    throw new Error(`${script} ${args.join(" ")} ended with ${status}: ${stdout.slice(-2000)}${stderr.slice(-2000)}`);
  return stdout;
}

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), "images-"));
  containers = new Containers(join(PARTS, "storage"));
  containers.base(DEBIAN, "scratch", [join(PARTS, "debian.tar")]);
  const { folders, config } = ownCertificates();
  containers.base(NODE, DEBIAN, [join(PARTS, "node.tar"), ...folders], config);
  server = await startGcsServer();
  process.env.GCS_API_ENDPOINT = server.endpoint;
  for (const { uri } of Object.values(uris)) await server.createBucket(uri.replace("gs://", ""));
}, 10 * MINUTES);

afterAll(async () => {
  await server?.stop();
  await containers?.remove();
  rmSync(scratch, { recursive: true, force: true });
});

/** Behind a proxy with a certificate of its own, the build's npm and pip trust it as this machine's do. */
function ownCertificates(): { readonly folders: readonly string[]; readonly config: readonly string[] } {
  const own = process.env.NODE_EXTRA_CA_CERTS;
  if (!own) return { folders: [], config: [] };
  const inside = "/usr/local/share/own-certificates.crt";
  const folder = join(scratch, "certificates");
  mkdirSync(join(folder, dirname(inside)), { recursive: true });
  copyFileSync(own, join(folder, inside));
  const variables = ["NODE_EXTRA_CA_CERTS", "npm_config_cafile", "PIP_CERT"];
  return { folders: [folder], config: variables.flatMap((name) => ["--env", `${name}=${inside}`]) };
}

describe.each(["serve", "train"])("the image %s", (name) => {
  beforeAll(() => {
    const out = join(scratch, "evidence");
    const bases = ["--build-arg", `NODE_IMAGE=${NODE}`, "--build-arg", `DEBIAN_IMAGE=${DEBIAN}`];
    const args = [...bases, ...(name === "train" ? ["--build-arg", `CUDA=${CUDA}`] : [])];
    const said = npmRun("tools/image.js", name, "--builder", "buildah", "--no-push", "--out", out, ...args);
    const [, tag = ""] = new RegExp(`^${name}: (\\S+) \\(sha256:[0-9a-f]{64}\\) was built`, "m").exec(said) ?? [];
    const root = containers.mount(tag);
    const sbom = JSON.parse(readFileSync(join(out, `${name}.cdx.json`), "utf8")) as Sbom;
    images[name] = { tag, root, files: filesOf(root), sbom };
    process.stdout.write(`${sizeTable(name, filesOf(root))}\n${layers(tag)}\n`);
  }, 30 * MINUTES);

  const built = () => images[name] as (typeof images)[string];

  test("has no build tool, no secret and no binary of another platform", () => {
    const { root, files } = built();
    expect(files.length).toBeGreaterThan(1000);
    expect(buildTools(files)).toEqual([]);
    expect(secrets(root, files)).toEqual([]);
    expect(foreignBinaries(root, files)).toEqual([]);
  });

  test("runs as a user who owns none of it", () => {
    const { tag, root, files } = built();
    expect(containers.config(tag).User).toBe("1000:1000");
    expect(files.filter(({ path }) => statSync(join(root, path)).uid === 1000).map(({ path }) => path)).toEqual([]);
  });

  test("is no larger than it has to be", () => {
    const size = megabytes(total(built().files));
    if (name === "serve") expect(size).toBeLessThan(400);
    else expect(size).toBeLessThan(CUDA === "wheels" ? 4000 : 1500);
  });

  test("has the SBOM that says what is in it: every package of npm, Debian and Python, and none besides", () => {
    const { root, files, sbom } = built();
    expect(sbom).toMatchObject({
      bomFormat: "CycloneDX",
      specVersion: "1.5",
      compositions: [{ aggregate: "complete" }],
    });
    const listed = (type: string) =>
      sbom.components
        .filter(({ purl }) => purl?.startsWith(`pkg:${type}/`))
        .map((found) => `${found.name}@${found.version}`)
        .sort();
    expect(listed("npm")).toEqual([...installedPackages(root, files)].sort());
    expect(listed("deb")).toEqual([...debianPackages(root)].sort());
    const cuda = files.some(({ path }) => path.endsWith("/libcudart.so.12"));
    expect(listed("pypi").length).toBe(name === "serve" ? 0 : cuda ? 9 : 1);
    expect(listed("generic")).toEqual(["node@22.23.3"]);
  });
});

/** Sizes of an image's layers, MB of 10^6 bytes unpacked, the lowest first, with what made them. */
function layers(tag: string): string {
  const archive = join(scratch, "layers");
  containers.buildah("push", "--quiet", "--disable-compression", tag, `dir:${archive}`);
  const { layers } = JSON.parse(readFileSync(join(archive, "manifest.json"), "utf8")) as {
    layers: readonly { readonly digest: string }[];
  };
  const sizes = layers.map(({ digest }) => statSync(join(archive, digest.replace("sha256:", ""))).size);
  rmSync(archive, { recursive: true });
  return `           layers: ${sizes.map((bytes) => megabytes(bytes).toFixed(1)).join(" + ")} MB`;
}

describe("together, over the same buckets", () => {
  const train = () => images.train as (typeof images)[string];
  const serve = () => images.serve as (typeof images)[string];
  let scan: Buffer;

  beforeAll(async () => {
    const workspace = join(scratch, "workspace");
    const phantoms = await drawPhantomFolder(join(scratch, "phantoms"), 0, { patients: 24 });
    npmRun("runtime/cli/main.js", "ingest", "--data", phantoms, "--out", workspace);
    npmRun("runtime/cli/main.js", "preprocess", "--out", workspace);
    for (const name of ["processed", "warehouse"] as const) {
      const [from, to] = await Promise.all([openStore(join(workspace, name)), openStore(uris[name].uri)]);
      for await (const object of from.listAll()) await to.write(object.name, await from.read(object.name));
    }
    const first = readFileSync(join(phantoms, "manifest.csv"), "utf8")
      .split("\n")
      .find((line) => /^Cancer\/.*\.png,/.test(line));
    scan = readFileSync(join(phantoms, String(first?.split(",")[0])));
  }, 10 * MINUTES);

  test("the root is read-only: nobody can write there, nor get rights, and /tmp is written", async () => {
    const program = `
      const { writeFileSync } = require("node:fs");
      const tried = ["/x", "/app/x", "/app/index.js", "/usr/local/bin/node", "/tmp/x"].map((path) => {
        try { writeFileSync(path, ""); return path + " written"; } catch (error) { return path + " " + error.code; }
      });
      console.log(JSON.stringify({ tried, uid: process.getuid(), groups: process.getgroups() }));`;
    for (const { tag, root } of Object.values(images)) {
      const run = containers.start(tag, root, {}, {}, ["node", "--eval", program]);
      expect({ code: await run.ended, said: run.said() }).toMatchObject({ code: 0 });
      expect(JSON.parse(run.said())).toEqual({
        tried: ["/x EROFS", "/app/x EROFS", "/app/index.js EROFS", "/usr/local/bin/node EROFS", "/tmp/x written"],
        uid: 1000,
        groups: [1000],
      });
    }
  });

  test(
    "training that sees no GPU fails, and says so",
    async () => {
      const { tag, root } = train();
      const run = containers.start(tag, root, environment(trainContract, {}));
      expect({ code: await run.ended, said: run.said() }).toMatchObject({ code: 2 });
      expect(run.said()).toContain("tfjs-node-gpu: it sees no GPU");
    },
    5 * MINUTES,
  );

  test(
    "told to compute on the CPU it trains two epochs, evaluates and promotes",
    async () => {
      const { tag, root } = train();
      const folder = join(scratch, "checkpoints");
      mkdirSync(folder);
      chownSync(folder, 1000, 1000);
      const env = environment(trainContract, { BACKEND: "tfjs-node", EPOCHS: "2" });
      const run = containers.start(tag, root, env, { "/var/tmp/brain-tumor-stack": folder });
      const code = await run.ended;
      expect({ code, said: code === 0 ? "" : run.said() }).toEqual({ code: 0, said: "" });
      expect(run.said()).toContain("trained and evaluated");
      const models = await openStore(uris.models.uri);
      const current = await currentModel(models);
      expect(current?.model).toMatch(/\S/);
      const metadata = JSON.parse((await models.read(`${current?.model}/metadata.json`)).toString("utf8"));
      expect(metadata).toMatchObject({ synthetic: true });
    },
    20 * MINUTES,
  );

  test(
    "the service gets ready with that model and answers a scan, and its row lies in the warehouse",
    async () => {
      const { tag, root } = serve();
      const port = await freePort();
      const run = containers.start(
        tag,
        root,
        environment(serveContract, {
          PORT: String(port),
          HOST: "127.0.0.1",
          AUTH: "none",
          PSEUDONYM_KEY: "local:test",
        }),
      );
      try {
        const url = `http://127.0.0.1:${port}`;
        await ready(`${url}/readyz`, run);
        const response = await fetch(`${url}/v1/predictions`, { method: "POST", body: new Uint8Array(scan) });
        const answer = (await response.json()) as Record<string, unknown>;
        expect({ status: response.status, answer }).toMatchObject({
          status: 200,
          answer: { model: expect.stringMatching(/\S/), decision: expect.stringMatching(/Cancer|Uncertain/) },
        });
        expect(answer.probability).toBeGreaterThanOrEqual(0);
        expect(answer.probability).toBeLessThanOrEqual(1);
        expect((await fetch(`${url}${answer.overlay}`)).headers.get("content-type")).toBe("image/png");
        const rows: string[] = [];
        const warehouse = await openStore(uris.warehouse.uri);
        for await (const object of warehouse.listAll("predictions/"))
          rows.push((await warehouse.read(object.name)).toString("utf8"));
        expect(rows.join("\n")).toContain(String(answer.request));
      } finally {
        await run.stop();
      }
    },
    5 * MINUTES,
  );

  test("every library of the training image finds those that it links", () => {
    const { root, files } = train();
    const libraries = files.map(({ path }) => path).filter((path) => /node_modules\/.*\.(node|so(\.\d+)*)$/.test(path));
    expect(libraries.length).toBeGreaterThan(CUDA === "wheels" ? 20 : 6);
    const { stdout, stderr } = spawnSync(
      "chroot",
      [
        root,
        "/bin/sh",
        "-c",
        'for f; do echo "== $f"; /lib64/ld-linux-x86-64.so.2 --list "/$f"; done',
        "sh",
        ...libraries,
      ],
      { encoding: "utf8" },
    );
    expect(stdout.match(/^== /gm)).toHaveLength(libraries.length);
    expect(stdout).toMatch(/libtensorflow_framework\.so\.2 => \S+\/deps\/lib\//);
    expect(`${stdout}${stderr}`.split("\n").filter((line) => /not found|cannot|error/i.test(line))).toEqual([]);
  });
});

/** Waits until a service answers 200. */
async function ready(url: string, run: Running): Promise<void> {
  let ended = false;
  run.ended.then(() => {
    ended = true;
  });
  const deadline = Date.now() + 2 * MINUTES;
  while (!ended && Date.now() < deadline) {
    const status = await fetch(url).then(
      (response) => response.status,
      () => 0,
    );
    if (status === 200) return;
    await new Promise((done) => setTimeout(done, 200));
  }
  throw new Error(`The service ${ended ? "ended" : "does not get ready"}: ${run.said()}`);
}

describe("what is planted in a copy of an image", () => {
  const plant = (path: string, content: Buffer | string) => {
    const root = join(scratch, "planted");
    rmSync(root, { recursive: true, force: true });
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
    return { root, files: filesOf(root) };
  };
  const elf = (machine: number) => {
    const head = Buffer.alloc(128);
    head.write("\x7fELF\x02\x01\x01", "latin1");
    head.writeUInt16LE(machine, 18);
    return head;
  };

  test.each([
    [
      "app/node_modules/@img/sharp-darwin-x64/lib/sharp.node",
      Buffer.concat([Buffer.from("cffaedfe", "hex"), Buffer.alloc(128)]),
    ],
    ["app/node_modules/x/x.node", Buffer.concat([Buffer.from("MZ"), Buffer.alloc(128)])],
    ["app/node_modules/x/arm.so", elf(183)],
    ["app/node_modules/@img/sharp-linuxmusl-x64/lib/sharp.node", elf(62)],
    ["app/node_modules/@img/sharp-wasm32/lib/sharp.wasm", Buffer.concat([Buffer.from("\0asm"), Buffer.alloc(128)])],
  ])("is found: %s is no binary of this platform", (path, content) => {
    const { root, files } = plant(path, content);
    expect(foreignBinaries(root, files)).toHaveLength(1);
  });

  test("a binary of this platform is none", () => {
    const { root, files } = plant("app/node_modules/@img/sharp-linux-x64/lib/sharp.node", elf(62));
    expect(foreignBinaries(root, files)).toEqual([]);
  });

  test.each([
    "usr/bin/gcc",
    "usr/local/bin/npm",
    "usr/bin/python3.11",
    "usr/local/include/node/node.h",
    "root/.npm/_cacache/x",
    "app/x.whl",
    "usr/bin/x86_64-linux-gnu-gcc-12",
  ])("is found: %s builds or was left by a build", (path) =>
    expect(buildTools(plant(path, "x").files)).toEqual([path]),
  );

  test.each([
    ["app/.npmrc", "x"],
    ["etc/key.pem", "x"],
    ["app/config.js", `const key = "-----BEGIN PRIVATE KEY-----\n${"A".repeat(64)}";`],
    ["app/config.json", `{"private_key_id": "${"0".repeat(40)}"}`],
  ])("is found: %s is a secret", (path, content) => {
    const { root, files } = plant(path, content);
    expect(secrets(root, files)).toEqual([path]);
  });

  test("a package that the SBOM does not have is seen", () => {
    const { root, files } = plant(
      "app/node_modules/@a/b/node_modules/c/package.json",
      '{"name": "c", "version": "1.2.3"}',
    );
    expect([...installedPackages(root, files)]).toEqual(["c@1.2.3"]);
  });
});

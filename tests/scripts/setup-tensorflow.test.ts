import { spawnSync } from "node:child_process";
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";

const SCRIPT = resolve(__dirname, "../../scripts/setup-tensorflow.js");
const SITE = "lib/python3.11/site-packages/tensorflow";

// The script refuses any other platform, and that test says so.
const supported = process.platform === "linux" && process.arch === "x64";

describe("npm run setup:tensorflow", () => {
  let root: string;

  function write(path: string, text: string, mode = 0o644): void {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text, { mode });
  }
  const executable = (name: string, text: string) => write(`path/${name}`, `#!/bin/bash\n${text}\n`, 0o755);

  /** A package whose binding is a file that says whether it computes. */
  const index = () => `
    const { existsSync, readFileSync } = require("node:fs");
    const sum = Number(readFileSync(require("node:path").join(__dirname, "lib/binding"), "utf8"));
    module.exports = {
      add: () => ({ dataSync: () => [sum] }),
      tensor1d: () => null,
      getBackend: () => "tensorflow",
      backend: () => ({ binding: { TF_Version: "2.21.0" }, isUsingGpuDevice: existsSync("${root}/gpu") }),
      version: { "tfjs-node": "4.22.0" },
    };`;

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
    root = mkdtempSync(join(tmpdir(), "setup-tensorflow-"));
    write("runtime/package.json", JSON.stringify({ optionalDependencies: { "@tensorflow/tfjs-node": "4.22.0" } }));
    write("scripts/requirements-tensorflow.txt", "# what for\ntensorflow-cpu==2.21.0\n");
    write("bench/peers/requirements-keras.txt", "tensorflow-cpu==2.21.0\nkeras==3.12.0\n");
    // What npm install lays down, and the tool that then compiles.
    write("shelf/@tensorflow/tfjs-node/package.json", JSON.stringify({ main: "index.js" }));
    write("shelf/@tensorflow/tfjs-node/index.js", index());
    write(
      "shelf/@mapbox/node-pre-gyp/bin/node-pre-gyp",
      `const fs = require("node:fs");
      fs.appendFileSync("${root}/asked", "compile\\n");
      if (fs.existsSync("${root}/no-headers")) { console.error("no headers"); process.exit(1); }
      fs.readFileSync("deps/lib/libtensorflow.so");
      fs.mkdirSync("lib");
      fs.writeFileSync("lib/binding", fs.existsSync("${root}/wrong") ? "4" : "3");`,
    );
    executable("npm", `echo "npm \${@: -1}" >>"${root}/asked"; mkdir -p node_modules; cp -r shelf/. node_modules`);
    executable("make", "exit 0");
    executable("g++", "exit 0");
    executable(
      "python3.11",
      `case "$*" in
  *ensurepip*) echo 3.11.7 ;;
  "-m venv"*) echo venv >>"${root}/asked"; mkdir -p "$4/bin"; cp "$0" "$4/bin/python" ;;
  *pip*) [[ ! -e "${root}/offline" ]] || { echo "no network" >&2; exit 1; }
    echo "$(basename "\${@: -1}")" >>"${root}/asked"
    grep -q tensorflow "\${@: -1}" || exit 0
    mkdir -p "$(dirname "$0")/../${SITE}/include"; touch "$(dirname "$0")/../${SITE}/"libtensorflow_{cc,framework}.so.2 ;;
esac`,
    );
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  const everything = ["venv", "requirements-tensorflow.txt", "npm @tensorflow/tfjs-node@4.22.0", "compile"];
  const built = ["npm @tensorflow/tfjs-node@4.22.0", "compile"];
  const installed =
    "TensorFlow: tensorflow-cpu 2.21.0, installed; @tensorflow/tfjs-node 4.22.0 computes with TensorFlow 2.21.0\n";
  const again = { status: 0, stdout: "TensorFlow: tensorflow-cpu 2.21.0, already there\n", asked: [] };

  (supported ? describe : describe.skip)("on Linux x64", () => {
    test("installs once, proves it, and says in a line what it did", () => {
      expect(setup()).toMatchObject({ status: 0, stdout: installed, asked: everything });
      expect(setup()).toMatchObject(again);
      // npm ci takes the package away and leaves the library.
      rmSync(join(root, "node_modules"), { recursive: true });
      expect(setup()).toMatchObject({ status: 0, stdout: installed, asked: built });
    });

    test("adds what the peers need, and takes none of it away", () => {
      setup();
      expect(setup(["--keras"])).toMatchObject({ status: 0, asked: ["requirements-keras.txt"] });
      expect(setup(["--keras"]).stdout).toBe("TensorFlow: tensorflow-cpu 2.21.0, keras 3.12.0, already there\n");
      expect(setup()).toMatchObject(again);
    });

    test("makes again what was interrupted, has other requirements, or does not compute", () => {
      write("offline", "");
      const offline = setup();
      expect(offline).toMatchObject({ status: 1, stdout: "", asked: ["venv"] });
      expect(offline.stderr).toMatch(/TensorFlow: ".*pip install .* failed: no network\n$/);
      rmSync(join(root, "offline"));

      write("no-headers", "");
      expect(setup()).toMatchObject({ status: 1, stderr: expect.stringMatching(/failed: no headers\n$/) });
      rmSync(join(root, "no-headers"));
      expect(setup()).toMatchObject({ status: 0, asked: built });

      rmSync(join(root, "node_modules/@tensorflow/tfjs-node/lib/binding"));
      expect(setup()).toMatchObject({ status: 0, asked: built });
      appendFileSync(join(root, "scripts/requirements-tensorflow.txt"), "# another library\n");
      expect(setup()).toMatchObject({ status: 0, asked: ["venv", "requirements-tensorflow.txt"] });

      write("wrong", "");
      rmSync(join(root, "node_modules"), { recursive: true });
      expect(setup()).toMatchObject({
        status: 1,
        stdout: "",
        stderr: expect.stringMatching(/does not compute: Error: 1 \+ 2 is 4 on tensorflow\n$/),
      });
    });

    test("with --gpu brings the library for GPUs, CUDA beside it, and says where it computes", () => {
      const name = "@tensorflow/tfjs-node-gpu";
      write("runtime/package.json", JSON.stringify({ optionalDependencies: { [name]: "4.22.0" } }));
      write(`shelf/${name}/package.json`, JSON.stringify({ main: "index.js", version: "4.22.0" }));
      write(`shelf/${name}/index.js`, index());
      for (const file of ["requirements-tensorflow-gpu.txt", "requirements-cuda.txt"])
        write(`scripts/${file}`, readFileSync(join(dirname(SCRIPT), file), "utf8"));

      // At once, or one after the other.
      expect(setup(["--gpu"])).toMatchObject({ status: 0, asked: expect.arrayContaining(["requirements-cuda.txt"]) });
      for (const made of [".parts", "node_modules"]) rmSync(join(root, made), { recursive: true });
      const bare = setup(["--gpu", "--without-cuda"]);
      expect(bare).toMatchObject({
        status: 0,
        stdout: `TensorFlow: tensorflow 2.21.0, installed; ${name} 4.22.0 computes with TensorFlow 2.21.0 (no GPU was seen: on the CPU)\n`,
        asked: ["venv", "requirements-tensorflow-gpu.txt", `npm ${name}@4.22.0`, "compile"],
      });
      const site = join(root, ".parts/tensorflow-gpu", SITE);
      mkdirSync(join(site, "../nvidia/cuda_nvrtc/lib"), { recursive: true });
      write("gpu", "");
      expect(setup(["--gpu"])).toMatchObject({
        status: 0,
        stdout: expect.stringMatching(/^TensorFlow: nvidia-cublas-cu12 .*, installed; .* on the GPU\n$/),
        asked: ["requirements-cuda.txt"],
      });
      // Where the library looks, and where cuDNN does.
      const deps = join(root, "node_modules", name, "deps");
      expect(existsSync(join(deps, "nvidia/cuda_nvrtc/lib"))).toBe(true);
      expect(existsSync(join(deps, "nvidia/nvrtc/lib"))).toBe(true);
      expect(setup(["--gpu"])).toMatchObject({
        status: 0,
        asked: [],
        stdout: expect.stringMatching(/already there; it computes on the GPU\n$/),
      });
      expect(setup(["--gpu", "--without-cuda"]).asked).toEqual([]);
      // What is there in the version that is wanted is built, and not brought again: so it is in the image.
      rmSync(join(root, "node_modules", name, "lib"), { recursive: true });
      expect(setup(["--gpu"]).asked).toEqual(["compile"]);
    });

    test("names everything that is missing at once, before it downloads anything", () => {
      executable("python3.11", "echo 3.9.1");
      executable("make", "exit 1");
      const absent = join(root, "no-compiler");
      const found = setup([], { CXX: absent, PYTHON: "python3.11" });
      expect(found).toMatchObject({ status: 1, stdout: "", asked: [] });
      expect(found.stderr).toBe(
        `TensorFlow: Python 3.10, 3.11, 3.12 or 3.13 is needed: python3.11 is 3.9.1. Install one, or set PYTHON to its path. There is no make and no ${absent}. Install a C++ compiler and make (Debian, Ubuntu: apt-get install build-essential).\n`,
      );
    });
  });

  test("leaves alone what npm installed by itself", () => {
    write("node_modules/@tensorflow/tfjs-node/package.json", JSON.stringify({ main: "index.js" }));
    write("node_modules/@tensorflow/tfjs-node/index.js", index());
    write("node_modules/@tensorflow/tfjs-node/lib/binding", "3");
    expect(setup()).toMatchObject({
      status: 0,
      stdout: "TensorFlow: @tensorflow/tfjs-node is there as npm installed it, and computes; nothing to do\n",
      asked: [],
    });
  });

  test("says where it cannot build", () => {
    write("elsewhere.js", `Object.defineProperty(process, "platform", { value: "sunos" });`);
    expect(setup([], { NODE_OPTIONS: `--require=${join(root, "elsewhere.js")}` })).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/^TensorFlow: This builds on Linux x64; here is sunos .*WebAssembly/),
      asked: [],
    });
  });
});

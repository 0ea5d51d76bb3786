/**
 * Brings the native TensorFlow backend of TensorFlow.js where `npm ci` could not: its own installer downloads a library
 * from a host that a firewall may not let through, and npm then leaves the package out. Here the library comes in the
 * Python package tensorflow-cpu, from the Python registry, into .parts/tensorflow, where it outlives `npm ci`; the
 * binding is compiled against it. With --keras also what the peers of `npm run bench -- train` run with.
 *
 * With --gpu the library is that of the package tensorflow, in .parts/tensorflow-gpu, beside the CUDA libraries that it
 * opens (--without-cuda leaves them out: it then computes on the CPU, as it does where no GPU is seen). The training image
 * is built by this; see images/train/Dockerfile.
 *
 * Prints what it did in a line; exits 1 with a sentence if something is missing. An installation that was interrupted
 * is made again: only a backend that computes counts.
 */
const { spawnSync } = require("node:child_process");
const { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, rmSync, symlinkSync } = require("node:fs");
const { dirname, join, sep } = require("node:path");
const { PythonEnvironment, ROOT, findPython, run, withLock } = require("./parts");

const asked = (option) => process.argv.includes(option);
const GPU = asked("--gpu");

const NAME = GPU ? "@tensorflow/tfjs-node-gpu" : "@tensorflow/tfjs-node";
const PACKAGE = join(ROOT, "node_modules", NAME);
const FOLDER = GPU ? "tensorflow-gpu" : "tensorflow";
const LIBRARY_FILE = GPU ? "scripts/requirements-tensorflow-gpu.txt" : "scripts/requirements-tensorflow.txt";
/** The pinned TensorFlow has wheels for these. */
const PYTHON_MINORS = [11, 12, 13, 10];
const environment = new PythonEnvironment(
  FOLDER,
  PYTHON_MINORS,
  GPU
    ? { library: [LIBRARY_FILE], cuda: [LIBRARY_FILE, "scripts/requirements-cuda.txt"] }
    : { library: [LIBRARY_FILE], keras: [LIBRARY_FILE, "bench/peers/requirements-keras.txt"] },
);
/** What is brought, how much is downloaded for it, and what its larger set adds. */
const SIZES = {
  library: { download: GPU ? "570 MB" : "300 MB" },
  cuda: { download: "2.1 GB", adds: "CUDA and cuDNN" },
  keras: { download: "300 MB", adds: "what Keras runs with" },
};
/** What the binding links, and the name by which the C++ library asks for itself. */
const LIBRARIES = {
  "libtensorflow.so": "libtensorflow_cc.so.2",
  "libtensorflow_cc.so.2": "libtensorflow_cc.so.2",
  "libtensorflow_framework.so": "libtensorflow_framework.so.2",
  "libtensorflow_framework.so.2": "libtensorflow_framework.so.2",
};

/** @returns what was done, for people */
function install(set) {
  const before = computes().result;
  const works = before !== undefined;
  if (works && set !== "keras" && !isOurs())
    return `${NAME} is there as npm installed it, and computes${device(before)}; nothing to do`;
  if (works && environment.has(set)) return `${what(set)}, already there${GPU ? "; it computes" : ""}${device(before)}`;

  const problems = missing(works);
  if (problems.length > 0) throw new Error(problems.join(" "));
  if (!environment.has(set)) {
    const { download, adds } = SIZES[set];
    const begin = (python) =>
      console.error(
        python
          ? `TensorFlow: installing ${what(set)} for Python ${python} into .parts/${FOLDER}; that is a download of ${download} or so.`
          : `TensorFlow: adding ${adds} to .parts/${FOLDER}.`,
      );
    // The libraries need no Python package, and no Python is run; Keras needs those that it depends on.
    environment.install(set, begin, set === "keras" ? [] : ["--no-deps", "--no-compile"]);
  }
  if (GPU) nameCompiler();
  if (works && !isOurs()) return `${what(set)}, installed beside npm's own ${NAME}`;
  // A library that was installed again may lie elsewhere: another Python.
  if (computes().result === undefined) build();
  const { result, problem } = computes();
  if (result === undefined) throw new Error(`${NAME} was built but does not compute: ${problem}`);
  return `${what(set)}, installed; ${NAME} ${result.version} computes with TensorFlow ${result.tensorflow}${device(result)}`;
}

const what = (set) => environment.pins(set).join(", ");

/** Where the GPU build computes: it goes on with the CPU where it finds no GPU, driver or CUDA library. */
function device(result) {
  if (!GPU) return "";
  return result.gpu ? " on the GPU" : " (no GPU was seen: on the CPU)";
}

/** Everything at once that has to be there before something is downloaded. */
function missing(works) {
  if (process.platform !== "linux" || process.arch !== "x64") {
    return [
      `This builds on Linux x64; here is ${process.platform} ${process.arch}. Run npm install where storage.googleapis.com can be reached, or go on without: the WebAssembly backend does the work.`,
    ];
  }
  const problems = [];
  if (!environment.has("library")) {
    try {
      findPython(PYTHON_MINORS);
    } catch (error) {
      problems.push(error.message);
    }
  }
  if (works) return problems;
  const tools = [process.env.MAKE ?? "make", process.env.CXX ?? "g++"].filter(
    (tool) => spawnSync(tool, ["--version"], { stdio: "ignore" }).status !== 0,
  );
  if (tools.length > 0) {
    const names = tools.join(" and no ");
    problems.push(
      `There is no ${names}. Install a C++ compiler and make (Debian, Ubuntu: apt-get install build-essential).`,
    );
  }
  return problems;
}

/** Brings the package without running its installer, and compiles its binding. */
function build() {
  // In the repository the processes' packages stand with their code; in an image they are all there are.
  const { dependencies, optionalDependencies } = manifest(join(ROOT, "runtime")) ?? manifest(ROOT);
  const version = { ...dependencies, ...optionalDependencies }[NAME];
  console.error(`TensorFlow: building ${NAME} ${version}`);
  if (manifest(PACKAGE)?.version !== version) {
    const options = ["--no-save", "--ignore-scripts", "--no-audit", "--no-fund"];
    run("npm", ["install", ...options, `${NAME}@${version}`], { cwd: ROOT });
  }
  link(sitePackages());
  const nodePreGyp = require.resolve("@mapbox/node-pre-gyp/bin/node-pre-gyp", { paths: [PACKAGE] });
  rmSync(join(PACKAGE, "lib"), { recursive: true, force: true });
  run(process.execPath, [nodePreGyp, "install", "--build-from-source"], {
    cwd: PACKAGE,
    env: { ...process.env, npm_config_python: environment.python, ...headers() },
  });
}

/** The package.json of a folder; undefined if there is none. */
function manifest(folder) {
  const file = join(folder, "package.json");
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : undefined;
}

/** Lays out the library as the package's own installer does, and CUDA where the library looks for it: at ../nvidia. */
function link(packages) {
  const deps = join(PACKAGE, "deps");
  const tensorflow = join(packages, "tensorflow");
  rmSync(deps, { recursive: true, force: true });
  mkdirSync(join(deps, "lib"), { recursive: true });
  symlinkSync(join(tensorflow, "include"), join(deps, "include"));
  for (const [name, target] of Object.entries(LIBRARIES)) {
    if (!existsSync(join(tensorflow, target))) throw new Error(`${what("library")} has no ${target}.`);
    symlinkSync(join(tensorflow, target), join(deps, "lib", name));
  }
  if (GPU) symlinkSync(join(packages, "nvidia"), join(deps, "nvidia"));
}

/** cuDNN looks for the compiler of its kernels in nvrtc/; the wheel has it in cuda_nvrtc/. */
function nameCompiler() {
  const [wanted, there] = ["nvrtc", "cuda_nvrtc"].map((name) => join(sitePackages(), "nvidia", name));
  if (existsSync(there) && !existsSync(wanted)) symlinkSync("cuda_nvrtc", wanted);
}

/** Where Python packages are unpacked. */
function sitePackages() {
  const lib = join(environment.folder, "lib");
  const [python] = readdirSync(lib).filter((name) => name.startsWith("python3"));
  return join(lib, python, "site-packages");
}

/** Node's headers lie beside many installations of it; without them node-gyp downloads them. */
function headers() {
  const prefix = dirname(dirname(process.execPath));
  const there = existsSync(join(prefix, "include", "node", "node_api.h"));
  return there && !process.env.npm_config_nodedir ? { npm_config_nodedir: prefix } : {};
}

/** Whether the package is linked to the library in .parts. */
function isOurs() {
  try {
    return realpathSync(join(PACKAGE, "deps", "include")).startsWith(realpathSync(environment.folder) + sep);
  } catch {
    return false;
  }
}

/** Loads the backend in a process of its own and adds two numbers: what is asked of it, and all that counts. */
function computes() {
  // Functions of util that Node 23 took away: in the runtime, runtime/model/util-functions.ts gives them back.
  const program = `
    const util = require("util");
    util.isArray ??= Array.isArray;
    util.isNullOrUndefined ??= (value) => value === null || value === undefined;
    const tf = require(process.argv[1]);
    const [sum] = tf.add(tf.tensor1d([1]), tf.tensor1d([2])).dataSync();
    if (sum !== 3 || tf.getBackend() !== "tensorflow") throw new Error("1 + 2 is " + sum + " on " + tf.getBackend());
    const { binding, isUsingGpuDevice } = tf.backend();
    console.log(JSON.stringify({ version: tf.version["tfjs-node"], tensorflow: binding.TF_Version, gpu: isUsingGpuDevice }));`;
  if (!existsSync(join(PACKAGE, "package.json"))) return { problem: "it is not installed." };
  const { stdout, stderr } = spawnSync(process.execPath, ["-e", program, PACKAGE], {
    encoding: "utf8",
    env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: "2" },
  });
  try {
    return { result: JSON.parse(stdout.trim().split("\n").at(-1)) };
  } catch {
    const said = stderr.split("\n").find((line) => /^\w*Error: /.test(line));
    return { problem: said ?? "it ended without an answer." };
  }
}

const set = GPU ? (asked("--without-cuda") ? "library" : "cuda") : asked("--keras") ? "keras" : "library";
try {
  console.log(`TensorFlow: ${withLock(FOLDER, () => install(set))}`);
} catch (error) {
  console.error(`TensorFlow: ${error.message}`);
  process.exitCode = 1;
}

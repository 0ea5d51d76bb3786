/**
 * Brings what the tests need besides npm packages, once: a Google Cloud Storage server, a BigQuery server, a judge of
 * Merkle proofs, pydicom, nibabel, a client of DICOMweb and a browser.
 * What can be installed without rights goes into .parts/, which git ignores. Prints a line a part; exits 1 if one is
 * missing.
 */
const { spawnSync } = require("node:child_process");
const { existsSync, mkdirSync } = require("node:fs");
const { join } = require("node:path");
const { bringMerkleJudge } = require("./merkle-judge");
const { PythonEnvironment, WHEEL_MINORS, aptInstall, bringPython, findGo, run, withLock } = require("./parts");

const { bringPydicom } = require("./setup-dicom");
const { bringNibabel } = require("./setup-nifti");

const PARTS = join(__dirname, "..", ".parts");
const FAKE_GCS_VERSION = "v1.56.1";

/** The wheels of the BigQuery server are made for these. */
const BIGQUERY_PYTHON_MINORS = [11, 12, 13];
/** What its DuckDB loads. It would fetch them from the network when it starts; the wheels bring them. */
const BIGQUERY_EXTENSIONS = ["icu", "spatial"];

const parts = {
  "fake-gcs-server": fakeGcsServer,
  "BigQuery server": bigQueryServer,
  "Merkle judge": bringMerkleJudge,
  pydicom: bringPydicom,
  nibabel: bringNibabel,
  "dicomweb-client": () => bringPython("dicomweb", WHEEL_MINORS, "dicomweb-client"),
  Chromium: chromium,
};
let missing = 0;
for (const [name, bring] of Object.entries(parts)) {
  try {
    console.log(`${name}: ${bring()}`);
  } catch (error) {
    missing++;
    console.error(`${name}: missing. ${error.message}`);
  }
}
process.exitCode = missing > 0 ? 1 : 0;

/** Its own `-version` is not set by `go install`; the Go toolchain knows what a binary was built from. */
function fakeGcsServer() {
  const bin = join(PARTS, "bin");
  const binary = join(bin, "fake-gcs-server");
  const go = findGo();
  if (!go) {
    if (existsSync(binary)) return `${FAKE_GCS_VERSION} or so at ${binary} (without Go its version cannot be told)`;
    throw new Error("Install Go 1.24 or newer (https://go.dev/dl/): the tests of the storage adapter run against it.");
  }
  const installed = () => spawnSync(go, ["version", "-m", binary], { encoding: "utf8" }).stdout ?? "";
  if (existsSync(binary) && installed().includes(FAKE_GCS_VERSION)) return `${FAKE_GCS_VERSION}, already there`;
  mkdirSync(bin, { recursive: true });
  run(go, ["install", `github.com/fsouza/fake-gcs-server@${FAKE_GCS_VERSION}`], {
    env: { ...process.env, GOBIN: bin },
  });
  if (!existsSync(binary)) throw new Error(`go install left no ${binary}.`);
  return `${FAKE_GCS_VERSION}, installed`;
}

function bigQueryServer() {
  const environment = new PythonEnvironment("bigquery", BIGQUERY_PYTHON_MINORS, {
    base: ["scripts/requirements-bigquery.txt"],
  });
  // DuckDB keeps extensions below the home directory: one of its own, so that nothing of a person's changes.
  const env = { ...process.env, HOME: join(environment.folder, "home") };
  const python = (code) => spawnSync(environment.python, ["-c", code], { stdio: "ignore", env });
  const load = BIGQUERY_EXTENSIONS.map((name) => `duckdb.execute("LOAD ${name}")`).join("; ");
  return withLock("bigquery", () => {
    const [version] = environment.pins("base");
    if (environment.has("base") && python(`import duckdb; ${load}`).status === 0) return `${version}, already there`;
    if (!environment.has("base"))
      environment.install("base", (version) =>
        console.error(
          `BigQuery server: installing it for Python ${version} into .parts/bigquery; that takes a minute or two.`,
        ),
      );
    mkdirSync(env.HOME, { recursive: true });
    const bring = BIGQUERY_EXTENSIONS.map((name) => `import_extension("${name}")`).join("; ");
    run(environment.python, ["-c", `from duckdb_extensions import import_extension; ${bring}`], { env });
    return `${version}, installed`;
  });
}

function chromium() {
  const found = () =>
    [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(
      (path) => path && existsSync(path),
    );
  const there = found();
  if (there) return there;
  aptInstall(["chromium"]);
  const installed = found();
  if (!installed) throw new Error("Install Chromium, or set CHROMIUM to a browser's path.");
  return `${installed}, installed`;
}

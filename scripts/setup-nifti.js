/**
 * Brings what `npm run verify:nifti` and the tests of NIfTI ask, once: .parts/nifti, a Python environment with nibabel.
 * Prints what it did in a line; exits 1 with a sentence if Python is missing.
 */
const { WHEEL_MINORS, bringPython, tellOfPart } = require("./parts");

/** @returns {string} what was done */
const bringNibabel = () => bringPython("nifti", WHEEL_MINORS, "nibabel");

module.exports = { bringNibabel };

if (require.main === module) tellOfPart("nibabel", bringNibabel);

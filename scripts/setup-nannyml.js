/**
 * Brings what `npm run verify:estimate` asks, once: .parts/nannyml, a Python environment with NannyML. Prints what it did
 * in a line; exits 1 with a sentence if Python is missing.
 */
const { WHEEL_MINORS, bringPython, tellOfPart } = require("./parts");

/** @returns {string} what was done */
const bringNannyMl = () => bringPython("nannyml", WHEEL_MINORS, "nannyml", ["--no-deps"]);

module.exports = { bringNannyMl };

if (require.main === module) tellOfPart("nannyml", bringNannyMl);

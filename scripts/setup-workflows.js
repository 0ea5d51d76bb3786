/**
 * Brings what runs workflows on this machine (`npm run test:workflows`), once: .parts/workflows, a Python environment with
 * the packages of scripts/requirements-workflows.txt. Prints what it did in a line; exits 1 with a sentence if Python is
 * missing.
 */
const { bringPython, tellOfPart } = require("./parts");

tellOfPart("Workflows emulator", () => bringPython("workflows", [11, 12, 13], "Workflows emulator"));

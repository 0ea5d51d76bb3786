/**
 * Brings what asks the API by its own document (`npm run test:api`), once: .parts/schemathesis, a Python environment with the
 * packages of scripts/requirements-schemathesis.txt. Prints what it did in a line; exits 1 with a sentence if Python is
 * missing.
 */
const { PythonEnvironment, withLock } = require("./parts");

const environment = new PythonEnvironment("schemathesis", [11, 12, 13, 10], {
  base: ["scripts/requirements-schemathesis.txt"],
});

try {
  const did = withLock("schemathesis", () => {
    const what = environment.pins("base").join(", ");
    if (environment.has("base")) return `${what}, already there`;
    environment.install("base", (python) =>
      console.error(`schemathesis: installing it for Python ${python} into .parts/schemathesis; that takes a minute.`),
    );
    return `${what}, installed`;
  });
  console.log(`API checks: ${did}`);
} catch (error) {
  console.error(`API checks: ${error.message}`);
  process.exitCode = 1;
}

const { WHOLE } = require("./tests/suites");

/** @type {import('jest').Config} */
module.exports = {
  testEnvironment: "node",
  // By default jest leaves one core alone, which on two cores is half of the machine.
  maxWorkers: "100%",
  roots: ["<rootDir>/tests"],
  testSequencer: "<rootDir>/tests/sequencer.js",
  testMatch: ["**/*.test.ts", ...WHOLE.map((suites) => `!${suites}`)],
  transform: {
    "^.+\\.ts$": [
      "@swc/jest",
      { jsc: { target: "es2023", parser: { syntax: "typescript", decorators: true } }, module: { type: "commonjs" } },
    ],
  },
  // Those of tests/suites.js are whole: npm run test:e2e. These start Spark: npm run test:spark. Those need native TensorFlow: npm run test:native; or root: npm run test:images; or schemathesis: npm run test:api; or an emulator: npm run test:workflows; or DCMTK: npm run verify:gateway.
  testPathIgnorePatterns: [
    "/node_modules/",
    "<rootDir>/tests/spark/",
    "<rootDir>/tests/images/",
    "<rootDir>/tests/api/",
    "<rootDir>/tests/emulator/",
    "\\.native\\.test\\.ts$",
    "\\.dcmtk\\.test\\.ts$",
  ],
  modulePathIgnorePatterns: ["<rootDir>/dist/", "<rootDir>/lib/", "<rootDir>/cdktf.out/", "<rootDir>/.parts/"],
  testTimeout: 300_000,
  // Tests run in a context of their own, where each look at a global is slow: a loop over pixels took ten times as long.
  // None that a dependency declares anew, as readable-stream does Number and Uint8Array: that would be a second of its name.
  setupFiles: ["<rootDir>/tests/typed-arrays.js"],
  sandboxInjectedGlobals: ["Float32Array", "Float64Array", "Math"],
};

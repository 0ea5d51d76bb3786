const base = require("./jest.config.js");

/** @type {import('jest').Config} */
module.exports = {
  ...base,
  roots: ["<rootDir>/tests/spark"],
  testPathIgnorePatterns: ["/node_modules/"],
  // Each test starts a Spark of its own.
  maxWorkers: 1,
  testTimeout: 600_000,
};

const base = require("./jest.config.js");

/** @type {import('jest').Config} */
module.exports = {
  ...base,
  roots: ["<rootDir>/tests/images"],
  testPathIgnorePatterns: ["/node_modules/"],
  // One builds, trains and serves after the other.
  maxWorkers: 1,
  testTimeout: 1_800_000,
};

const base = require("./jest.config.js");

/** @type {import('jest').Config} */
module.exports = {
  ...base,
  testMatch: ["**/*.native.test.ts"],
  testPathIgnorePatterns: ["/node_modules/"],
  // TensorFlow uses all cores by itself.
  maxWorkers: 1,
};

/** The API as its own document describes it: npm run test:api. */
const shared = require("./jest.config.js");

/** @type {import('jest').Config} */
module.exports = {
  ...shared,
  roots: ["<rootDir>/tests/api"],
  testPathIgnorePatterns: ["/node_modules/"],
  testTimeout: 1_800_000,
};

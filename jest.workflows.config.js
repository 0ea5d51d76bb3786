/** The workflow of a retraining in an emulator of Workflows: npm run test:workflows. */
const shared = require("./jest.config.js");

/** @type {import('jest').Config} */
module.exports = {
  ...shared,
  roots: ["<rootDir>/tests/emulator"],
  testPathIgnorePatterns: ["/node_modules/"],
  testTimeout: 1_800_000,
};

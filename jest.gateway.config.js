/** The gateway with senders and a receiver of DCMTK: npm run verify:gateway. */
const shared = require("./jest.config.js");

/** @type {import('jest').Config} */
module.exports = {
  ...shared,
  roots: ["<rootDir>/tests/runtime/gateway"],
  testMatch: ["**/*.dcmtk.test.ts"],
  testPathIgnorePatterns: ["/node_modules/"],
  testTimeout: 1_800_000,
};

const base = require("./jest.config.js");
const { WHOLE } = require("./tests/suites");

/** @type {import('jest').Config} */
module.exports = { ...base, testMatch: WHOLE };

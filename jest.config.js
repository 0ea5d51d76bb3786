/** @type {import('jest').Config} */
module.exports = {
  testEnvironment: "node",
  roots: ["<rootDir>/tests"],
  testMatch: ["**/*.test.ts"],
  transform: {
    "^.+\\.ts$": [
      "@swc/jest",
      { jsc: { target: "es2023", parser: { syntax: "typescript", decorators: true } }, module: { type: "commonjs" } },
    ],
    "/node_modules/cookie/dist/.+\\.js$": ["@swc/jest", { jsc: { target: "es2023" }, module: { type: "commonjs" } }],
  },
  // fastify's inject() needs cookie 2, an ES module, which jest cannot require on Node 20.
  transformIgnorePatterns: ["/node_modules/(?!(light-my-request/node_modules/)?cookie/dist/)"],
  modulePathIgnorePatterns: ["<rootDir>/dist/", "<rootDir>/cdktf.out/", "<rootDir>/.parts/"],
  testTimeout: 120_000,
};

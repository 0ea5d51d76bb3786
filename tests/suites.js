/** Which suites are whose, and which begin. */

/**
 * Those of npm run test:e2e, which take minutes because they are whole: a person's commands from the first to the last,
 * the dashboard in a browser, stacks against the real provider, roll-outs, the package in another team's app.
 */
const WHOLE = [
  "**/tests/e2e/**/*.test.ts",
  "**/tests/browser/**/*.test.ts",
  "**/tests/stacks/{cdktn,hospitals-file,package}.test.ts",
  "**/tests/tools/rollout/*.test.ts",
];

/** Those that took longest, the longest first: a worker that begins one as the last works while the other is idle. */
const LONGEST = [
  "tests/e2e/workspace.test.ts",
  "tests/e2e/terraform.test.ts",
  "tests/e2e/demo.test.ts",
  "tests/browser/real-server.test.ts",
  "tests/browser/dashboard.test.ts",
  "tests/tools/rollout/rollout.test.ts",
  "tests/runtime/retrain/retrain.test.ts",
  "tests/runtime/platform/warehouse/questions.test.ts",
  "tests/runtime/train/trainer.test.ts",
  "tests/runtime/cli/models.test.ts",
  "tests/runtime/features/features.test.ts",
  "tests/runtime/monitor/step.test.ts",
  "tests/constructs/preprocess/preprocess.test.ts",
  "tests/runtime/audit/log.test.ts",
  "tests/runtime/serve/api.test.ts",
  "tests/runtime/preprocess/preprocess.test.ts",
  "tests/runtime/platform/warehouse/bigquery.test.ts",
  "tests/runtime/evaluate/evaluate.test.ts",
  "tests/runtime/train/data.test.ts",
  "tests/runtime/platform/disk.test.ts",
  "tests/pairing/pairing.test.ts",
  "tests/runtime/serve/sockets.test.ts",
  "tests/runtime/serve/changes.test.ts",
  "tests/tools/doctor.test.ts",
];

module.exports = { WHOLE, LONGEST };

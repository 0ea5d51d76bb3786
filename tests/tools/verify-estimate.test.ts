import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

// NannyML takes a gigabyte: the command installs it for whoever runs it by hand. Here a stand-in speaks for it, by CBPE's
// definition: the expected confusion matrix of calibrated probabilities, of which accuracy is (TP + TN) / all.

const COMMAND = resolve(__dirname, "../../dist/tools/verify-estimate.js");
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "verify-estimate-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** @param answer JavaScript of what the judge says of an estimate `value` of case number `i` */
function verifyEstimate(answer: string, ...args: readonly string[]) {
  const python = join(mkdtempSync(join(folder, "bin-")), "python");
  const script = `#!${process.execPath}
const cases = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
const answers = cases.map(({ threshold, probabilities }, i) => {
  let [tp, tn] = [0, 0];
  for (const p of probabilities) if (p >= threshold) tp += p; else tn += 1 - p;
  const value = (tp + tn) / probabilities.length;
  const judged = { given: value, own: value, recalibrated: false, error: 0.01 };
  return { ...judged, ...(${answer}) };
});
process.stdout.write(JSON.stringify({ version: "0", answers }));
`;
  writeFileSync(python, script);
  chmodSync(python, 0o755);
  return spawnSync(process.execPath, [COMMAND, "--python", python, ...args], { encoding: "utf8" });
}

test("the same sums pass, and every case is told with its truth", () => {
  const { status, stdout } = verifyEstimate("{}", "--json");
  expect(status).toBe(0);
  const { cases } = JSON.parse(stdout) as {
    cases: { name: string; scans: number; true: number; mean: number; estimate: { value: number | null } }[];
  };
  expect(cases.length).toBeGreaterThan(5);
  for (const one of cases) {
    const { name, estimate, scans, mean } = one;
    const error = Math.sqrt((mean * (1 - mean)) / scans);
    // The one whose reference is not calibrated is drawn so that the estimate is wrong, and it is not told.
    if (name === "reference not calibrated") expect(estimate.value).toBeNull();
    else expect(Math.abs(mean - one.true)).toBeLessThan(4 * error);
  }
});

test("another estimate, and an own one of the judge outside of the interval, are differences: exit 1", () => {
  const { status, stdout } = verifyEstimate("[{ own: value - 0.2 }, {}, { given: value + 2e-8 }][i] ?? {}");
  expect(status).toBe(1);
  expect(stdout).toMatch(/^calibrated: NannyML by itself says 0\.\d+, outside of 0\./m);
  expect(stdout).toMatch(/^calibrated, 20,000 scans: .*: they differ by -(2\.0|1\.9)\d*e-8, and by 1e-9 at most/m);
  expect(stdout).toMatch(/^2 differences\.$/m);
});

test("a judge that is missing or fails is spoken of, and so is a folder that is no workspace", () => {
  const missing = spawnSync(process.execPath, [COMMAND, "--python", join(folder, "none")], { encoding: "utf8" });
  expect(missing).toMatchObject({ status: 2, stderr: expect.stringContaining("npm run setup:nannyml installs it") });
  const failed = verifyEstimate("(() => { throw new Error('no numpy'); })()");
  expect(failed).toMatchObject({ status: 1, stderr: expect.stringMatching(/NannyML ended by exit code 1/) });
  const silent = verifyEstimate("{ given: NaN }");
  expect(silent).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(/did not give an estimate of each of the 9 cases/),
  });
  const nowhere = join(folder, "nowhere");
  const { status, stderr } = verifyEstimate("{}", "--out", nowhere);
  expect({ status, stderr }).toEqual({ status: 2, stderr: expect.stringContaining("is no workspace") });
  expect(existsSync(nowhere)).toBe(false);
});

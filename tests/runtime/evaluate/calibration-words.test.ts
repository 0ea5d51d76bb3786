import { calibrationInWords } from "../../../runtime/evaluate/calibration-words";

const ESTIMATES = { test: { value: 0.1 }, validation: null };
const report = { temperature: 1, offset: 0, check: null, bins: 15, before: ESTIMATES, after: ESTIMATES };
const check = { applied: false, groups: 30, folds: 5, ece: { without: 0.028, crossValidated: 0.046 } };

describe("calibration in words", () => {
  it("says that the network's own answers stay, with the two errors that spoke for it", () => {
    expect(calibrationInWords({ ...report, check })).toBe(
      "The network's own log odds are answered with. Calibration is not applied, for it does not help: " +
        "over 5 folds of 30 validation groups the calibration error (ECE) is 0.046 with it and 0.028 without.",
    );
  });

  it("names temperature and offset where they are applied, and invents no reason for an older model", () => {
    const applied = { ...check, applied: true, ece: { without: 0.158, crossValidated: 0.046 } };
    expect(calibrationInWords({ ...report, temperature: 2, offset: -0.5, check: applied })).toMatch(
      /^Log odds are divided by the temperature 2\.000, and -0\.500 is added.* 0\.046 with it and 0\.158 without\.$/,
    );
    expect(calibrationInWords({ ...report, temperature: 2, offset: -0.5 })).toMatch(/validation images alone\.$/);
  });
});

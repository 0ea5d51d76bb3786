import { assumedPrevalence, costThreshold, decisionOf, fitDecision, labelOf, restate } from "../../../runtime/model";
import { PREVALENCE, parsePrevalence } from "../../../runtime/platform/prevalence";
import { uniform } from "../../../runtime/platform/random";

const labelsOf = (cancer: number, well: number) =>
  Uint8Array.from({ length: cancer + well }, (_, i) => (i < cancer ? 1 : 0));

describe("restating a probability for another prevalence", () => {
  it("is Bayes' rule: a test of sensitivity .9 and specificity .8, at half and at one in a hundred", () => {
    const positive = (prevalence: number) => (0.9 * prevalence) / (0.9 * prevalence + 0.2 * (1 - prevalence));
    expect(restate(positive(0.5), 0.5, 0.01)).toBeCloseTo(positive(0.01), 12);
    expect(restate(positive(0.01), 0.01, 0.5)).toBeCloseTo(positive(0.5), 12);
    expect(restate(0.37, 0.4, 0.4)).toBe(0.37);
    expect(restate(0, 0.5, 0.9)).toBeLessThan(1e-6);
    expect(restate(1, 0.5, 0.1)).toBeGreaterThan(1 - 1e-6);
  });

  it("moves the threshold as it moves the probability, so that no label changes: it is the threshold of the other share", () => {
    // 40 of 100 are Cancer, and 4 of 100 elsewhere.
    const [here, there] = [costThreshold(labelsOf(40, 60)), costThreshold(labelsOf(4, 96))];
    const random = uniform(3);
    for (let i = 0; i < 200; i++) {
      const p = random();
      const { local } = assumedPrevalence(p, { prevalence: 0.4, threshold: here }, 0.04);
      expect(local?.threshold).toBeCloseTo(there, 12);
      expect(labelOf(local?.probability as number, local?.threshold as number)).toBe(labelOf(p, here));
    }
  });

  it("says what it does not know", () => {
    expect(assumedPrevalence(0.3, { threshold: 0.25 }, 0.1)).toEqual({ assumed: null, local: null });
    expect(assumedPrevalence(0.3, { prevalence: 0.5, threshold: 0.25 }, undefined)).toEqual({
      assumed: 0.5,
      local: null,
    });
  });

  it("a model records the share it was fitted to, and none where a class is missing", () => {
    const labels = labelsOf(30, 50);
    const random = uniform(8);
    const probabilities = Float32Array.from(labels, (label) => (label === 1 ? 0.4 + 0.6 * random() : 0.6 * random()));
    const groups = Array.from(labels, (_, i) => `g${i}`);
    const decision = fitDecision(probabilities, labels, groups);
    expect(decision.prevalence).toBeCloseTo(30 / 80, 12);
    expect(decisionOf(0.999, decision)).toBe("Cancer");
    expect(
      fitDecision(probabilities.slice(0, 30), labels.slice(0, 30), groups.slice(0, 30)).prevalence,
    ).toBeUndefined();
  });

  it.each(["0.05", ".05", "0.001", "0.999"])("takes %s", (text) => expect(parsePrevalence(text)).toBe(Number(text)));
  it("takes whatever share a hospital's line may state, as the stacks write it", () => {
    const random = uniform(5);
    const { least, most } = PREVALENCE;
    const shares = Array.from({ length: 500 }, () => least + (most - least) * random() ** 3);
    for (const share of [1 / 3, 0.1 + 0.2, least, most, ...shares])
      expect([share, parsePrevalence(String(share))]).toEqual([share, share]);
  });
  it.each(["0", "1", "1.0", "-0.1", "0.0001", "0.9999", "5", "5%", "NaN", "", "1e-2", "0,05"])("refuses %j", (text) =>
    expect(parsePrevalence(text)).toBeUndefined(),
  );
});

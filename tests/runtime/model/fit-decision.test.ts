import { calibrate, DECISION, describeCalibration, ece, fitDecision } from "../../../runtime/model";
import { fitCalibration } from "../../../runtime/model/calibration";
import { chooseCalibration } from "../../../runtime/model/choose-calibration";
import { COST_OF_A_MISS, costThreshold } from "../../../runtime/model/threshold";
import { sigmoid } from "../../../runtime/platform/numbers";
import { mixSeed, normal, uniform } from "../../../runtime/platform/random";
import { digestOfRounded, expectPinned } from "../../support/pinned";

interface Sample {
  readonly labels: Uint8Array;
  readonly probabilities: Float32Array;
  readonly groups: readonly string[];
}

/**
 * Labels drawn by honest log odds, and a network's answers, `heat` times too sure and `shift` too high. Images of a group
 * share what the network gets wrong of it.
 */
function sample(seed: number, groups: number, images: number, { heat = 1, shift = 0, wrong = 0.5 } = {}): Sample {
  const random = uniform(mixSeed(seed, groups));
  const gaussian = normal(random);
  const rows = Array.from({ length: groups }, (_, group) => {
    const error = wrong * gaussian();
    return Array.from({ length: images }, () => {
      const honest = 2.5 * gaussian();
      return {
        group: `g${group}`,
        label: random() < sigmoid(honest) ? 1 : 0,
        logOdds: heat * (honest + error) + shift,
      };
    });
  }).flat();
  return {
    labels: Uint8Array.from(rows, ({ label }) => label),
    probabilities: Float32Array.from(rows, ({ logOdds }) => sigmoid(logOdds)),
    groups: rows.map(({ group }) => group),
  };
}

const errorOf = ({ labels, probabilities }: Pick<Sample, "labels" | "probabilities">) =>
  ece({ labels, probabilities: Float64Array.from(probabilities) }).value as number;

describe("calibration", () => {
  it("is applied where it helps groups that it was not fitted to", () => {
    for (const seed of [1, 2, 3]) {
      const { probabilities, labels, groups } = sample(seed, 60, 4, { heat: 2, shift: 1.5 });
      const { calibration, check } = chooseCalibration(probabilities, labels, groups);
      expect(check).toMatchObject({ applied: true, groups: 60, folds: 5 });
      expect(check.ece?.crossValidated).toBeLessThan(check.ece?.without as number);
      expect(calibration.temperature).toBeGreaterThan(1.4);
      expect(calibration.offset).toBeLessThan(-0.3);
      expect(describeCalibration(check)).toMatch(/^Calibration is applied: over 5 folds of 60 validation groups/);
    }
  });

  it("is not applied where it makes the calibration error of held-out groups worse", () => {
    // Two dozen images of a network that is right about its own certainty.
    const few = sample(4, 6, 4);
    const decision = fitDecision(few.probabilities, few.labels, few.groups);
    expect(decision).toMatchObject({ temperature: 1, offset: 0, calibration: { applied: false, groups: 6, folds: 5 } });
    const { without, crossValidated } = decision.calibration.ece ?? { without: 0, crossValidated: 0 };
    expect(without).toBeCloseTo(errorOf(few), 6);
    expect(crossValidated).toBeGreaterThan(without);
    expect(describeCalibration(decision.calibration)).toMatch(/not applied, for it does not help: over 5 folds of 6/);
  });

  it("gives lower errors on new images than always calibrating, where validation is small", () => {
    const errors = { chosen: 0, always: 0 };
    for (let seed = 0; seed < 40; seed++) {
      const { probabilities, labels, groups } = sample(seed, 8, 2);
      const { calibration } = chooseCalibration(probabilities, labels, groups);
      const fitted = fitCalibration(probabilities, labels);
      const fresh = sample(1000 + seed, 100, 4);
      const remaining = (by: typeof fitted) =>
        errorOf({ ...fresh, probabilities: fresh.probabilities.map((p) => calibrate(p, by)) });
      errors.chosen += remaining(calibration) / 40;
      errors.always += remaining(fitted) / 40;
    }
    expect(errors.chosen).toBeLessThan(0.85 * errors.always);
  });

  it("hears no image speak for its neighbour: copies in one group change nothing, copies called strangers do", () => {
    const { probabilities, labels, groups } = sample(5, 8, 1);
    const times = <T>(values: Iterable<T>) => [...values].flatMap((value) => [value, value, value, value]);
    const copies = [Float32Array.from(times(probabilities)), Uint8Array.from(times(labels))] as const;
    const together = chooseCalibration(...copies, times(groups)).check;
    const strangers = chooseCalibration(
      ...copies,
      times(groups).map((_, i) => `s${i}`),
    ).check;
    expect(together.groups).toBe(8);
    expect(strangers.ece?.crossValidated).toBeLessThan(0.8 * (together.ece?.crossValidated as number));
  });

  it("does not depend on the order of the images", () => {
    const { probabilities, labels, groups } = sample(6, 12, 3);
    const backwards = chooseCalibration(probabilities.toReversed(), labels.toReversed(), groups.toReversed());
    const forwards = chooseCalibration(probabilities, labels, groups);
    expect(backwards.check.applied).toBe(forwards.check.applied);
    expect(backwards.check.ece?.crossValidated).toBeCloseTo(forwards.check.ece?.crossValidated as number, 9);
  });

  it.each([
    ["no image", [], [], []],
    ["one class", [0.2, 0.9], [1, 1], ["a", "b"]],
    ["one group", [0.2, 0.9], [0, 1], ["a", "a"]],
  ])("is not applied where nothing can be held out: %s", (_, probabilities, labels, groups) => {
    const decision = fitDecision(Float32Array.from(probabilities), Uint8Array.from(labels), groups);
    expect(decision).toMatchObject({ temperature: 1, offset: 0, calibration: { applied: false, ece: null } });
    expect(decision.threshold).toBeGreaterThan(0);
    expect(decision.threshold).toBeLessThan(1);
    expect(describeCalibration(decision.calibration)).toMatch(/one class or one group/);
  });

  it("wants a group of every image", () => {
    expect(() => chooseCalibration(Float32Array.of(0.1, 0.2), Uint8Array.of(0, 1), ["a"])).toThrow(/1 groups and 2/);
  });
});

describe("the decision", () => {
  it("costs little more than the best threshold of the very images would, where calibration is not applied", () => {
    const cost = ({ labels, probabilities }: Sample, threshold: number) => {
      const positives = labels.filter((label) => label === 1).length;
      const missed = probabilities.filter((p, i) => labels[i] === 1 && p < threshold).length / positives;
      const alarms = probabilities.filter((p, i) => labels[i] === 0 && p >= threshold).length;
      return COST_OF_A_MISS * missed + alarms / (labels.length - positives);
    };
    let refused = 0;
    for (let seed = 0; seed < 30; seed++) {
      const { probabilities, labels, groups } = sample(seed, 8, 3);
      const { threshold, calibration } = fitDecision(probabilities, labels, groups);
      if (calibration.applied) continue;
      refused++;
      expect(threshold).toBe(costThreshold(labels));
      const fresh = sample(2000 + seed, 200, 3);
      const best = Math.min(...Array.from({ length: 99 }, (_, i) => cost(fresh, (i + 1) / 100)));
      expect(cost(fresh, threshold)).toBeLessThan(best + 0.15);
    }
    expect(refused).toBeGreaterThan(5);
  });

  it("is what its id says", () => {
    const fitted = [sample(1, 60, 4, { heat: 2, shift: 1.5 }), sample(4, 6, 4), sample(9, 30, 2)].map((of) =>
      fitDecision(of.probabilities, of.labels, of.groups),
    );
    const numbers = fitted.flatMap(({ threshold, temperature, offset, calibration, uncertain, operatingPoints }) => [
      threshold,
      temperature ?? 1,
      offset ?? 0,
      calibration.ece?.without ?? -1,
      calibration.ece?.crossValidated ?? -1,
      uncertain?.low ?? -1,
      uncertain?.high ?? -1,
      ...(operatingPoints ?? []).map((point) => point.threshold),
    ]);
    expectPinned(
      { id: DECISION.id, fitted: digestOfRounded(numbers) },
      { id: "c1-f3bd016607", fitted: "8b562d3d36b98304" },
      "Decisions are fitted otherwise, so a model of the same id would decide otherwise. Where a parameter of " +
        "runtime/model/fit-decision.ts says so the id has changed by itself; else raise its version. Then pin what comes out.",
    );
  });
});

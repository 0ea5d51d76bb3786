import { calibrationGap, estimatedAccuracy, feedbackAccuracy, LEAST, psi } from "../../../runtime/monitor/estimate";
import { sigmoid } from "../../../runtime/platform/numbers";
import { mixSeed, normal, uniform } from "../../../runtime/platform/random";

const THRESHOLD = 0.3;
type Labelled = { readonly probability: number; readonly label: "Cancer" | "Non-Cancer"; readonly group?: string };

/** Scans whose probabilities are calibrated, unless `wrong` is added to the log odds that people's labels follow. */
function scans(seed: number, count: number, wrong = 0): Labelled[] {
  const random = uniform(seed);
  const draw = normal(random);
  return Array.from({ length: count }, () => {
    const odds = 2.5 * draw();
    return { probability: sigmoid(odds), label: random() < sigmoid(odds + wrong) ? "Cancer" : "Non-Cancer" };
  });
}

const rightShare = (all: readonly Labelled[]) =>
  all.filter(({ probability, label }) => probability >= THRESHOLD === (label === "Cancer")).length / all.length;
const probabilities = (all: readonly Labelled[]) => all.map(({ probability }) => probability);

/**
 * NannyML's confidence-based estimate of accuracy, as its documentation gives it ("Estimation of Performance of the
 * Monitored Model", CBPE, binary classification): the expected confusion matrix of calibrated probabilities, of which
 * accuracy is (TP + TN) / all.
 */
function byNannyMl(all: readonly number[], threshold: number): number {
  let [tp, fp, tn, fn] = [0, 0, 0, 0];
  for (const p of all)
    if (p >= threshold) {
      tp += p;
      fp += 1 - p;
    } else {
      tn += 1 - p;
      fn += p;
    }
  return (tp + tn) / (tp + fp + tn + fn);
}

describe("accuracy without labels", () => {
  const gap = calibrationGap(scans(1, 400), THRESHOLD);

  test.each([30, 137, 2000])("is NannyML's estimate on the same %i numbers", (count) => {
    const some = probabilities(scans(count, count));
    const estimate = estimatedAccuracy(some, THRESHOLD, { gap, inputDrift: false });
    expect(estimate.value).toBeCloseTo(byNannyMl(some, THRESHOLD), 12);
    expect(estimate.n).toBe(count);
  });

  test("has the true one in its interval in 95 of 100 samples, where nothing shifts, with a reference of 300", () => {
    let within = 0;
    let width = 0;
    const runs = 400;
    for (let run = 0; run < runs; run++) {
      const own = calibrationGap(scans(mixSeed(run, 1), 300), THRESHOLD);
      const some = scans(mixSeed(run, 2), 280);
      const estimate = estimatedAccuracy(probabilities(some), THRESHOLD, { gap: own, inputDrift: false });
      if (estimate.value === null) continue;
      width += (estimate.high - estimate.low) / runs;
      if (rightShare(some) >= estimate.low && rightShare(some) <= estimate.high) within++;
    }
    expect(within / runs).toBeGreaterThan(0.93);
    // And says something: a tenth of the range at most.
    expect(width).toBeLessThan(0.16);
  });

  test.each([
    ["too-few", probabilities(scans(5, LEAST - 1)), gap, false],
    ["input-drift", probabilities(scans(6, 500)), gap, true],
    ["no-reference", probabilities(scans(7, 500)), calibrationGap(scans(8, LEAST - 1), THRESHOLD), false],
    ["not-calibrated", probabilities(scans(9, 500)), calibrationGap(scans(10, 400, -3), THRESHOLD), false],
  ] as const)("is not told where it cannot be known: %s", (reason, some, measured, inputDrift) => {
    expect(estimatedAccuracy(some, THRESHOLD, { gap: measured, inputDrift })).toEqual({
      value: null,
      reason,
      n: some.length,
    });
  });

  test("takes the slices of a patient as one: the same scans in tenfold make the gap no surer", () => {
    const once = scans(12, 60).map((scan, i) => ({ ...scan, group: `${i}` }));
    const tenfold = Array.from({ length: 10 }, () => once).flat();
    expect(calibrationGap(tenfold, THRESHOLD)?.error).toBeCloseTo(calibrationGap(once, THRESHOLD)?.error as number, 6);
  });
});

test("accuracy from feedback has Wilson's interval", () => {
  const all: Labelled[] = Array.from({ length: 50 }, (_, i) => ({
    probability: 0.9,
    label: i < 45 ? "Cancer" : "Non-Cancer",
  }));
  const share = feedbackAccuracy(all, THRESHOLD);
  // R: prop.test(45, 50, correct = FALSE)
  expect(share).toMatchObject({ value: 0.9, n: 50 });
  expect(share.value !== null && [share.low, share.high].map((value) => value.toFixed(4))).toEqual([
    "0.7864",
    "0.9565",
  ]);
  expect(feedbackAccuracy([], THRESHOLD)).toEqual({ value: null, reason: "too-few", n: 0 });
});

test("the population stability index describes, and would not do as an alarm", () => {
  const draw = normal(uniform(4));
  const sample = (count: number) => Array.from({ length: count }, draw);
  const reference = sample(500);
  expect(psi(reference, reference)).toBeLessThan(0.01);
  expect(
    psi(
      reference,
      sample(500).map((v) => v + 1),
    ),
  ).toBeGreaterThan(0.5);
  expect(psi(sample(5), sample(40))).toBeNull();
  const above = Array.from({ length: 200 }, () => psi(reference, sample(40)) ?? 0).filter((value) => value > 0.2);
  // Nothing changed, and it is above the usual mark on every other day.
  expect(above.length / 200).toBeGreaterThan(0.25);
});

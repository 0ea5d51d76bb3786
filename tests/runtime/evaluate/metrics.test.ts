import { aucInterval, shareInterval, withIntervals } from "../../../runtime/evaluate/bootstrap";
import {
  accuracy,
  auc,
  confusionAt,
  curves,
  estimates,
  f1,
  METRICS,
  precision,
  recall,
  reliability,
  type Scores,
  specificity,
} from "../../../runtime/evaluate/metrics";
import { ece } from "../../../runtime/model";
import { COST_OF_A_MISS, costThreshold } from "../../../runtime/model/threshold";

function scores(labels: readonly number[], probabilities: readonly number[], groups?: readonly string[]): Scores {
  return {
    labels: Uint8Array.from(labels),
    probabilities: Float64Array.from(probabilities),
    groups: groups ?? labels.map((_, i) => `g${i}`),
  };
}

/** A linear congruential generator: enough to draw test data. */
function drawer(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return state / 0x7fffffff;
  };
}

function noisy(n: number, separation: number, groupSize = 1): Scores {
  const random = drawer(11);
  const labels = Array.from({ length: n }, (_, i) => Math.floor(i / groupSize) % 2);
  const shifts = Array.from({ length: Math.ceil(n / groupSize) }, random);
  const probabilities = labels.map((label, i) => {
    const own = groupSize > 1 ? (shifts[Math.floor(i / groupSize)] as number) : random();
    return Math.min(1, Math.max(0, 0.5 + separation * (label - 0.5) + 0.8 * (own - 0.5)));
  });
  return scores(
    labels,
    probabilities,
    labels.map((_, i) => `g${Math.floor(i / groupSize)}`),
  );
}

describe("metrics", () => {
  // 3 TP (0.9, 0.8, 0.5 on the threshold), 1 FN, 2 FP, 4 TN.
  const example = scores([1, 1, 1, 1, 0, 0, 0, 0, 0, 0], [0.9, 0.8, 0.5, 0.2, 0.7, 0.6, 0.4, 0.3, 0.1, 0.05]);

  test("the values of a table counted by hand", () => {
    const confusion = confusionAt(example, 0.5);
    expect(confusion).toEqual({ truePositive: 3, falsePositive: 2, trueNegative: 4, falseNegative: 1 });
    expect(accuracy(confusion).value).toBeCloseTo(0.7);
    expect(precision(confusion).value).toBeCloseTo(0.6);
    expect(recall(confusion).value).toBeCloseTo(0.75);
    expect(specificity(confusion).value).toBeCloseTo(4 / 6);
    expect(f1(confusion).value).toBeCloseTo(2 / 3);
  });

  test("AUC is the share of pairs in the right order, ties one half", () => {
    const pairs = (s: Scores) => {
      let wins = 0;
      let count = 0;
      s.labels.forEach((a, i) => {
        s.labels.forEach((b, j) => {
          if (a !== 1 || b !== 0) return;
          count++;
          const p = s.probabilities[i] as number;
          const q = s.probabilities[j] as number;
          wins += p > q ? 1 : p === q ? 0.5 : 0;
        });
      });
      return wins / count;
    };
    const tied = scores([1, 0, 1, 0, 1, 0, 0], [0.5, 0.5, 0.5, 0.2, 0.9, 0.9, 0.1]);
    for (const s of [example, tied, noisy(101, 0.3)]) expect(auc(s).value).toBeCloseTo(pairs(s), 12);
    expect(auc(scores([1, 0], [0.5, 0.5])).value).toBe(0.5);
    expect(auc(scores([1, 0], [0.1, 0.9])).value).toBe(0);
  });

  test("AUC is the area under the ROC points, which run from (0, 0) to (1, 1)", () => {
    const s = noisy(200, 0.2);
    const { roc } = curves(s);
    let area = 0;
    for (let i = 1; i < roc.length; i++) {
      const a = roc[i - 1] as (typeof roc)[number];
      const b = roc[i] as (typeof roc)[number];
      area += ((b.falsePositiveRate - a.falsePositiveRate) * (a.truePositiveRate + b.truePositiveRate)) / 2;
    }
    expect(area).toBeCloseTo(auc(s).value as number, 12);
    expect(roc[0]).toMatchObject({ falsePositiveRate: 0, truePositiveRate: 0 });
    expect(roc.at(-1)).toMatchObject({ falsePositiveRate: 1, truePositiveRate: 1 });
  });

  test("weights repeat images, as a resample does", () => {
    const once = scores([1, 0, 1, 0], [0.6, 0.5, 0.3, 0.2]);
    const twice = scores([1, 0, 1, 0, 0], [0.6, 0.5, 0.3, 0.2, 0.5]);
    const weights = Float64Array.from([1, 2, 1, 1]);
    expect(auc(once, undefined, weights).value).toBeCloseTo(auc(twice).value as number);
    expect(ece(once, weights).value).toBeCloseTo(ece(twice).value as number);
  });

  test("calibration error: a calibrated model has none, one that is always sure and half wrong has one half", () => {
    expect(ece(scores([1, 0, 1, 0], [0.5, 0.5, 0.5, 0.5])).value).toBeCloseTo(0);
    expect(ece(scores([1, 0, 1, 0], [1, 1, 1, 1])).value).toBeCloseTo(0.5);
    // Two bins: 0.1 against 0.5 and 0.9 against 1, half of the images each.
    expect(ece(scores([0, 1, 1, 1], [0.1, 0.1, 0.9, 0.9])).value).toBeCloseTo((0.4 + 0.1) / 2);
    const bins = reliability(scores([0, 1, 1, 1], [0.1, 0.1, 0.9, 1]));
    expect(bins).toHaveLength(15);
    expect(bins[14]).toMatchObject({ count: 1, predicted: 1, observed: 1 });
    expect(bins[1]).toMatchObject({ count: 2, observed: 0.5 });
    expect(bins[0]).toMatchObject({ count: 0, predicted: null, observed: null });
  });

  test("what the data cannot give is null with a reason, never 0 or NaN", () => {
    const onlyCancer = estimates(scores([1, 1], [0.9, 0.2]), 0.5);
    expect(onlyCancer.specificity).toEqual({ value: null, reason: expect.stringMatching(/no Non-Cancer/) });
    expect(onlyCancer.auc).toEqual({ value: null, reason: expect.stringMatching(/no Non-Cancer/) });
    expect(onlyCancer.recall.value).toBe(0.5);
    const onlyHealthy = estimates(scores([0, 0], [0.1, 0.2]), 0.5);
    for (const name of ["recall", "precision", "f1", "auc"] as const) expect(onlyHealthy[name].value).toBeNull();
    expect(onlyHealthy.specificity.value).toBe(1);
    const nothing = withIntervals(scores([], []), 0.5, { seed: 1 });
    for (const name of METRICS) expect(nothing[name]).toEqual({ value: null, reason: expect.any(String) });
    const noneFound = estimates(scores([1, 0], [0.1, 0.2]), 0.5);
    expect(noneFound.f1.value).toBe(0);
    expect(noneFound.precision.value).toBeNull();
  });

  test("input that makes no sense is refused", () => {
    expect(() => estimates(scores([1, 0], [0.5, Number.NaN]), 0.5)).toThrow(/Probability 1 is NaN/);
    expect(() => estimates(scores([1, 0], [0.5, 1.2]), 0.5)).toThrow(RangeError);
    expect(() => estimates(scores([1, 2], [0.5, 0.2]), 0.5)).toThrow(/Label 1 is 2/);
    expect(() => estimates(scores([1, 0], [0.5]), 0.5)).toThrow(/one entry an image/);
  });
});

describe("bootstrap intervals", () => {
  test("are the same for a seed, differ for another, and hold the value", () => {
    const s = noisy(120, 0.3);
    const a = withIntervals(s, 0.5, { seed: 7 });
    expect(withIntervals(s, 0.5, { seed: 7 })).toEqual(a);
    expect(withIntervals(s, 0.5, { seed: 8 })).not.toEqual(a);
    for (const name of METRICS) {
      const metric = a[name];
      if (metric.value === null) throw new Error(name);
      expect(metric.low).toBeLessThanOrEqual(metric.value);
      expect(metric.high).toBeGreaterThanOrEqual(metric.value);
      expect(metric.low).toBeGreaterThanOrEqual(0);
      expect(metric.high).toBeLessThanOrEqual(1);
    }
  });

  test("agree with the normal approximation for independent images", () => {
    const labels = Array.from({ length: 400 }, (_, i) => i % 2);
    const probabilities = labels.map((label, i) => ((i % 5 === 0 ? 1 - label : label) === 1 ? 0.9 : 0.1));
    const metric = withIntervals(scores(labels, probabilities), 0.5, { seed: 3 }).accuracy;
    if (metric.value === null) throw new Error("no accuracy");
    const half = 1.96 * Math.sqrt((0.8 * 0.2) / 400);
    expect(metric.value).toBeCloseTo(0.8, 10);
    expect(metric.low).toBeCloseTo(0.8 - half, 1.7);
    expect(metric.high).toBeCloseTo(0.8 + half, 1.7);
  });

  test("are wider where images come in groups: a group is drawn whole", () => {
    const grouped = noisy(200, 0.3, 20);
    const alone: Scores = { ...grouped, groups: [...grouped.groups].map((_, i) => `i${i}`) };
    const width = (s: Scores) => {
      const metric = withIntervals(s, 0.5, { seed: 5 }).accuracy;
      if (metric.value === null) throw new Error("no accuracy");
      return metric.high - metric.low;
    };
    expect(width(grouped)).toBeGreaterThan(1.5 * width(alone));
  });

  test("a perfect score is not a certain one, and one group says nothing", () => {
    const labels = Array.from({ length: 20 }, (_, i) => i % 2);
    const perfect = withIntervals(scores(labels, labels), 0.5, { seed: 1 });
    // Exact binomial bound: 0.025^(1/20) = 0.8316.
    expect(perfect.accuracy).toEqual({ value: 1, low: expect.closeTo(0.8316, 3), high: 1 });
    expect(perfect.auc).toEqual({ value: 1, low: expect.closeTo(0.025 ** (1 / 10), 3), high: 1 });
    const oneGroup = withIntervals(scores([1, 0, 1], [0.9, 0.2, 0.4], ["a", "a", "a"]), 0.5, { seed: 1 });
    expect(oneGroup.accuracy).toEqual({ value: expect.closeTo(2 / 3), low: 0, high: 1 });
  });
});

describe("exact bounds where every resample is the same", () => {
  const labels = Array.from({ length: 20 }, (_, i) => i % 2);
  const bound = 0.025 ** (1 / 10);

  test("of an AUC of 1 or 0, also of one among weighted images", () => {
    const right = scores(labels, labels);
    const wrong = scores(
      labels,
      labels.map((label) => 1 - label),
    );
    expect(aucInterval(right, { seed: 1 })).toEqual({ value: 1, low: expect.closeTo(bound, 10), high: 1 });
    expect(aucInterval(wrong, { seed: 1 })).toEqual({ value: 0, low: 0, high: expect.closeTo(1 - bound, 10) });
    // Images without weight are no trials: five of each class are left.
    const weights = Float64Array.from(labels, (_, i) => (i < 10 ? 0.3 : 0));
    expect(aucInterval(right, { seed: 1, weights })).toEqual({
      value: 1,
      low: expect.closeTo(0.025 ** (1 / 5), 10),
      high: 1,
    });
  });

  test("an AUC among images of fractional weight never leaves 0 to 1, and a perfect order is exactly 1", () => {
    const random = drawer(5);
    const many = Array.from({ length: 40 }, (_, i) => i % 2);
    // No two alike: wins are summed image by image.
    const perfect = scores(
      many,
      many.map((label, i) => (label + i / 100) / 2),
    );
    let weights = new Float64Array();
    for (let round = 0; round < 200; round++) {
      weights = Float64Array.from({ length: 40 }, () => 0.05 + random());
      expect(auc(perfect, undefined, weights).value).toBe(1);
    }
    expect(aucInterval(perfect, { seed: 1, weights })).toEqual({
      value: 1,
      low: expect.closeTo(0.025 ** (1 / 20), 10),
      high: 1,
    });
  });

  test("of a share of 0 or 1", () => {
    const groups = labels.map((_, i) => `g${i >> 1}`);
    const share = (holds: boolean) =>
      shareInterval(
        labels.map(() => holds),
        groups,
        { seed: 1, reason: "none" },
      );
    expect(share(true)).toEqual({ value: 1, low: expect.closeTo(bound, 10), high: 1 });
    expect(share(false)).toEqual({ value: 0, low: 0, high: expect.closeTo(1 - bound, 10) });
    expect(shareInterval([true], ["a"], { seed: 1, reason: "none" })).toEqual({ value: 1, low: 0, high: 1 });
  });
});

describe("the threshold", () => {
  test("is where a miss and three false alarms cost the same, each class counted as a whole", () => {
    expect(costThreshold([1, 0, 1, 0])).toBeCloseTo(0.25);
    // Tumours a tenth: at the threshold the image speaks for Cancer as much as 1 : 3 against, at any share.
    const labels = Array.from({ length: 100 }, (_, i) => (i < 10 ? 1 : 0));
    const threshold = costThreshold(labels);
    const [odds, prior] = [threshold / (1 - threshold), 10 / 90];
    expect(odds / prior).toBeCloseTo(1 / COST_OF_A_MISS);
  });

  test("has the lowest expected cost of all", () => {
    // Calibrated by construction: of the images with probability p a share p is Cancer.
    const probabilities = Array.from({ length: 99 }, (_, i) => (i + 1) / 100);
    const total = probabilities.reduce((sum, p) => sum + p, 0);
    const cost = (threshold: number) =>
      probabilities.reduce(
        (sum, p) => sum + (p < threshold ? (COST_OF_A_MISS * p) / total : (1 - p) / (probabilities.length - total)),
        0,
      );
    const chosen = cost(costThreshold([1, 0]));
    for (const other of probabilities) expect(chosen).toBeLessThanOrEqual(cost(other) + 1e-9);
  });

  test("is one half where a class is missing", () => {
    for (const labels of [[], [0, 0], [1]]) expect(costThreshold(labels)).toBe(0.5);
  });
});

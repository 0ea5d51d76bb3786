import { auc } from "../../../runtime/evaluate/metrics";
import { operatingPoints } from "../../../runtime/evaluate/operating-points";
import { riskCoverage } from "../../../runtime/evaluate/risk-coverage";
import { calibrate, decisionOf, ece, uncalibrate } from "../../../runtime/model";
import { fitCalibration } from "../../../runtime/model/calibration";
import { fitOperatingPoints, thresholdFor } from "../../../runtime/model/operating-points";
import { chooseBand } from "../../../runtime/model/selective";
import { logit, sigmoid } from "../../../runtime/platform/numbers";
import { normal, uniform } from "../../../runtime/platform/random";

/** Labels drawn by honest probabilities, and answers whose log odds are `heat` times too sure and `shift` too high. */
function sample(n: number, heat: number, seed = 1, shift = 0) {
  const random = uniform(seed);
  const gaussian = normal(random);
  const honest = Array.from({ length: n }, () => sigmoid(2 * gaussian()));
  return {
    labels: Uint8Array.from(honest, (p) => (random() < p ? 1 : 0)),
    probabilities: Float64Array.from(honest, (p) => sigmoid(heat * logit(p) + shift)),
    groups: honest.map((_, i) => `g${i >> 1}`),
  };
}

describe("calibration", () => {
  it.each([
    { heat: 0.5, shift: 0 },
    { heat: 1, shift: 0 },
    { heat: 3, shift: 0 },
    { heat: 1, shift: 1.5 },
    { heat: 2, shift: -2 },
  ])("takes back heat and shift of the log odds, and keeps the order: %j", ({ heat, shift }) => {
    const scores = sample(4000, heat, 1, shift);
    const fitted = fitCalibration(scores.probabilities, scores.labels);
    expect(fitted.temperature / heat).toBeGreaterThan(0.9);
    expect(fitted.temperature / heat).toBeLessThan(1.1);
    expect(Math.abs(fitted.offset + shift / heat)).toBeLessThan(0.15);
    const calibrated = { ...scores, probabilities: scores.probabilities.map((p) => calibrate(p, fitted)) };
    expect(auc(calibrated).value).toBeCloseTo(auc(scores).value as number, 12);
    expect(ece(calibrated).value).toBeLessThan(0.03);
    if (heat !== 1 || shift !== 0) {
      expect(ece(calibrated).value).toBeLessThan((ece(scores).value as number) / 2);
    }
    calibrated.probabilities.forEach((p, i) => {
      expect(uncalibrate(p, fitted)).toBeCloseTo(scores.probabilities[i] as number, 9);
    });
  });

  it("asks for no infinite certainty where nothing is wrong, and stays out where a class is missing", () => {
    const perfect = fitCalibration([0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1]);
    expect(perfect.temperature).toBeGreaterThan(0.1);
    expect(fitCalibration([0.3, 0.9], [1, 1])).toEqual({ temperature: 1, offset: 0 });
    expect(fitCalibration([], [])).toEqual({ temperature: 1, offset: 0 });
    expect(fitCalibration([0.5, 0.5, 0.5], [1, 0, 0]).offset).toBeCloseTo(Math.log(7 / 11), 6);
    // Answers that say nothing, and answers that are always wrong: as far as it goes, and no farther.
    expect(fitCalibration([0, 1, 1, 0], [0, 1, 0, 1]).temperature).toBeCloseTo(10, 4);
    expect(fitCalibration([0.9, 0.8, 0.2, 0.1], [0, 0, 1, 1]).temperature).toBeCloseTo(10, 4);
    expect(calibrate(1, { temperature: 2, offset: -1 })).toBe(1);
    expect(calibrate(0, { temperature: 2, offset: 1 })).toBe(0);
    expect(() => fitCalibration([0.1], [])).toThrow(/1 probabilities and 0 labels/);
  });
});

describe("the uncertain band", () => {
  it("refers a fifth of the validation images, equally far on both sides, and says what that is worth", () => {
    const { labels, probabilities } = sample(1000, 1);
    const band = chooseBand(probabilities, labels, 0.3);
    if (!band) throw new Error("no band");
    expect(band.validation.referred).toBeCloseTo(0.2, 2);
    expect(logit(band.high) - logit(0.3)).toBeCloseTo(logit(0.3) - logit(band.low), 6);
    const inside = probabilities.filter((p) => p >= band.low && p <= band.high);
    expect(inside).toHaveLength(200);
    expect(band.validation.kept).toBeGreaterThan(band.validation.all);
    for (const p of inside) expect(decisionOf(p, { threshold: 0.3, uncertain: band })).toBe("Uncertain");
    expect(decisionOf(band.low * 0.999, { threshold: 0.3, uncertain: band })).toBe("Non-Cancer");
    expect(decisionOf(band.high + 1e-3, { threshold: 0.3, uncertain: band })).toBe("Cancer");
    expect(decisionOf(0.31, { threshold: 0.3, uncertain: undefined })).toBe("Cancer");
  });

  it("is left out where it cannot be known", () => {
    expect(chooseBand([0.1, 0.9], [0, 1], 0.5)).toBeUndefined();
    const { labels, probabilities } = sample(100, 1);
    expect(chooseBand(probabilities, labels, 0)).toBeUndefined();
    expect(chooseBand(probabilities, labels, 1)).toBeUndefined();
  });

  it("lowers the risk where fewer images are decided", () => {
    const curve = riskCoverage(sample(2000, 1), 0.5);
    expect(curve.at(-1)?.coverage).toBe(1);
    const riskAt = (coverage: number) => curve.find((point) => point.coverage >= coverage)?.risk as number;
    expect(riskAt(0.5)).toBeLessThan(riskAt(0.8));
    expect(riskAt(0.8)).toBeLessThan(riskAt(1));
    expect(riskCoverage({ labels: new Uint8Array(), probabilities: new Float64Array(), groups: [] }, 0.5)).toEqual([]);
  });
});

describe("operating points", () => {
  it("hold the false alarms to what is asked, ties included", () => {
    const labels = Uint8Array.from({ length: 40 }, (_, i) => (i < 20 ? 0 : 1));
    const probabilities = Float64Array.from({ length: 40 }, (_, i) => (i < 20 ? Math.floor(i / 2) / 20 : i / 40));
    const threshold = thresholdFor({ labels, probabilities }, 0.95) as number;
    const alarms = Array.from(probabilities).filter((p, i) => labels[i] === 0 && p >= threshold).length;
    expect(alarms).toBeLessThanOrEqual(1);
    const scores = { labels, probabilities, groups: Array.from(labels, (_, i) => `g${i}`) };
    const validation = sample(500, 1);
    const fitted = fitOperatingPoints(Float32Array.from(validation.probabilities), validation.labels);
    const [loose, strict] = operatingPoints(scores, { operatingPoints: fitted }, 1);
    expect(loose?.inHindsight?.specificity.value).toBeGreaterThanOrEqual(0.95);
    expect(strict?.inHindsight?.specificity.value).toBeGreaterThanOrEqual(0.99);
    expect(loose?.inHindsight?.sensitivity.value).toBeGreaterThanOrEqual(
      strict?.inHindsight?.sensitivity.value as number,
    );
    expect(fitted.map(({ specificity }) => specificity)).toEqual([0.95, 0.99]);
    for (const { specificity, threshold } of fitted) {
      const negatives = Array.from(validation.probabilities).filter((_, i) => validation.labels[i] === 0);
      const kept = negatives.filter((p) => Math.fround(p) < threshold).length / negatives.length;
      expect(kept).toBeGreaterThanOrEqual(specificity);
      expect(kept).toBeLessThan(specificity + 0.02);
    }
    expect(loose?.fromValidation?.threshold).not.toBe(loose?.inHindsight?.threshold);
    expect(loose?.fromValidation?.threshold).toBe(fitted[0]?.threshold);
    expect(strict?.fromValidation?.threshold).toBe(fitted[1]?.threshold);
  });

  it("are left out where there is no Non-Cancer image, or the model has none", () => {
    const tumour = { labels: Uint8Array.of(1), probabilities: Float32Array.of(0.4) };
    expect(thresholdFor(tumour, 0.95)).toBeUndefined();
    expect(fitOperatingPoints(tumour.probabilities, tumour.labels)).toEqual([]);
    const [loose] = operatingPoints(sample(50, 1), {}, 1);
    expect(loose?.inHindsight).not.toBeNull();
    expect(loose?.fromValidation).toBeNull();
  });
});

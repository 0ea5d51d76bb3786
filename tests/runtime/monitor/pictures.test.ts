import { applyRecipeGrey, type GreyImage } from "../../../runtime/imaging";
import { FeatureSpread } from "../../../runtime/monitor/feature-spread";
import { pictureStatistics } from "../../../runtime/monitor/picture-statistics";
import { drifted, PICTURE_DRIFTS, type PictureDrift } from "../../../runtime/monitor/simulate/drifts";
import { parseDrift } from "../../../runtime/monitor/simulate/kinds";
import { quantile, rateOf } from "../../../runtime/monitor/simulate/rates";
import { normal, uniform } from "../../../runtime/platform/random";
import { headPixels } from "../../support/head";

const [WIDTH, HEIGHT] = [240, 260];
const head = (variant: number): GreyImage => ({
  ...{ width: WIDTH, height: HEIGHT, depth: 8 },
  pixels: new Uint8Array(headPixels(WIDTH, HEIGHT, { x: 120, y: 130, radius: 30 }, variant)),
});

function statistics(image: GreyImage) {
  const { grey, geometry } = applyRecipeGrey(image);
  return pictureStatistics(grey, geometry);
}

test.each<[PictureDrift, "brightness" | "noise" | "sharpness" | "background", "up" | "down"]>([
  ["contrast", "brightness", "down"],
  ["noise", "noise", "up"],
  ["resolution", "sharpness", "down"],
  ["scanner", "background", "up"],
])("%s moves %s %s, the more the stronger", (drift, statistic, direction) => {
  const values = [0, 1, 2].map((strength) => {
    const image = strength === 0 ? head(1) : drifted(head(1), drift, strength, 5);
    return statistics(image)[statistic];
  });
  const wanted = values.toSorted((a, b) => (direction === "up" ? a - b : b - a));
  expect(values).toEqual(wanted);
  expect(new Set(values).size).toBe(3);
});

test("a drift keeps size and depth, is the same for a seed, and takes 16 bits as 8", () => {
  const wide: GreyImage = {
    ...{ width: WIDTH, height: HEIGHT, depth: 16 },
    pixels: Uint16Array.from(head(2).pixels, (v) => 257 * v),
  };
  for (const drift of PICTURE_DRIFTS) {
    const changed = drifted(wide, drift, 3, 9);
    expect(changed).toMatchObject({ width: WIDTH, height: HEIGHT, depth: 16 });
    expect(drifted(wide, drift, 3, 9)).toEqual(changed);
    const eight = drifted(head(2), drift, 3, 9).pixels;
    expect(Math.max(...eight.map((v, i) => Math.abs(v - (changed.pixels[i] as number) / 257)))).toBeLessThan(1);
  }
});

test("a picture of nothing has finite numbers", () => {
  for (const level of [0, 255]) {
    const empty = pictureStatistics(new Uint8Array(128 * 128).fill(level), { scale: 1, padLeft: 0, padTop: 0 });
    for (const value of Object.values(empty)) expect(Number.isFinite(value)).toBe(true);
  }
});

describe("the spread of features", () => {
  const draw = normal(uniform(6));
  const scan = (shift = 0) => Array.from({ length: 24 }, (_, i) => draw() * (i < 3 ? 10 : 1) + (i === 20 ? shift : 0));
  const spread = FeatureSpread.of(Array.from({ length: 800 }, () => scan()));

  test("scores are in deviations of the training scans", () => {
    const scores = Array.from({ length: 500 }, () => spread.statistics(scan())["features-1"]);
    const mean = scores.reduce((sum, v) => sum + v, 0) / 500;
    const variance = scores.reduce((sum, v) => sum + (v - mean) ** 2, 0) / 500;
    expect(Math.abs(mean)).toBeLessThan(0.2);
    expect(Math.abs(variance - 1)).toBeLessThan(0.3);
  });

  test("what lies where no training scan lay is far, within the components or outside of them", () => {
    const near = spread.statistics(scan());
    const far = spread.statistics(scan(30));
    expect(
      Math.max(far["features-distance"] - near["features-distance"], far["features-rest"] - near["features-rest"]),
    ).toBeGreaterThan(2);
  });

  test("features that never differ are no trouble", () => {
    const flat = FeatureSpread.of([
      [1, 2],
      [1, 2],
      [1, 2],
    ]);
    for (const value of Object.values(flat.statistics([1, 3]))) expect(Number.isFinite(value)).toBe(true);
  });
});

test("rates have the interval of a Poisson count", () => {
  // R: poisson.test(0)$conf.int, poisson.test(7)$conf.int
  const none = rateOf(0, 1);
  expect([none.value, none.low]).toEqual([0, 0]);
  expect(none.high).toBeCloseTo(3.69, 1);
  const seven = rateOf(7, 2);
  expect(seven.value).toBe(3.5);
  expect(2 * seven.low).toBeCloseTo(2.81, 1);
  expect(2 * seven.high).toBeCloseTo(14.42, 1);
});

test("a delay that never came is later than all others", () => {
  expect(quantile([3, null, 1, 2], 0.5)).toBe(2);
  expect(quantile([3, null, 1, 2], 0.9)).toBeNull();
  expect(quantile([], 0.5)).toBeNull();
});

test("--drift is read, or refused in a sentence", () => {
  expect(parseDrift("noise@40")).toEqual({ kind: "noise", day: 40, to: 1 });
  expect(parseDrift("prevalence@0:0.65")).toEqual({ kind: "prevalence", day: 0, to: 0.65 });
  expect(parseDrift("accuracy@9")).toEqual({ kind: "accuracy", day: 9, to: 0.8 });
  for (const text of ["noise", "noise@", "noise@-1", "fog@3", "noise@4:2", "noise@4:", "@4", "prevalence@1e3", ""])
    expect(() => parseDrift(text)).toThrow(/is not KIND@DAY/);
});

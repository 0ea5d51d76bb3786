import { evaluateScored, type ScoredImage } from "../../../runtime/evaluate";
import { pointingInSquare } from "../../../runtime/explain";
import type { ModelMetadata } from "../../../runtime/model";
import { calibrate } from "../../../runtime/model";
import { sigmoid } from "../../../runtime/platform/numbers";
import { uniform } from "../../../runtime/platform/random";
import { BRIGHT_SPOT } from "../../support/bright-spot";

const SIDE = 128;
const guard = { descriptor: "d", threshold: 1, scans: 300, falseAlarms: 0.01 };
const METADATA = { ...BRIGHT_SPOT, files: {}, guard } as ModelMetadata;

const lesion = (area: number, hit: boolean) => ({ area, hit, chance: 0.1 });
const image = (i: number, more: Partial<ScoredImage>): ScoredImage => ({
  ...{ path: `scan-${i}`, label: "Non-Cancer", group: `g${i}`, probability: 0.1, refused: false },
  ...more,
});

const evaluated = (test: readonly ScoredImage[], more: Partial<Parameters<typeof evaluateScored>[0]> = {}) =>
  evaluateScored({ metadata: METADATA, dataset: "x", test, seed: 1, ...more });

describe("an evaluation by what images are", () => {
  const test = [
    // Two small ones: one missed, one found with a map that points elsewhere.
    image(0, { label: "Cancer", probability: 0.2, lesion: lesion(0.004, true), collection: "A", sequence: "FLAIR" }),
    image(1, { label: "Cancer", probability: 0.9, lesion: lesion(0.005, false), collection: "A", sequence: "FLAIR" }),
    // A large one found, and a large one that the guard refuses.
    image(2, { label: "Cancer", probability: 0.9, lesion: lesion(0.1, true), collection: "B", scanner: "Siemens 3T" }),
    image(3, { label: "Cancer", probability: 0.9, lesion: lesion(0.1, true), collection: "B", refused: true }),
    image(4, { collection: "A", sequence: "T1", scanner: "GE 1.5T" }),
    image(5, { collection: "B", probability: 0.8, refused: true }),
  ];

  it("tells what is found by size of the lesion, refused ones as missed, and whether the maps point", async () => {
    const evaluation = await evaluated(test);
    expect(evaluation.lesions?.bins).toMatchObject([
      { from: 0, to: 0.01, images: 2, refused: 0, sensitivity: { value: 0.5 }, pointing: { value: 0 }, chance: 0.1 },
      { from: 0.08, to: 1, images: 2, refused: 1, sensitivity: { value: 0.5 }, pointing: { value: 1 } },
    ]);
    expect(evaluation.lesions?.all).toMatchObject({ images: 4, sensitivity: { value: 0.5 }, pointing: { value: 0.5 } });
    expect((await evaluated(test.slice(4))).lesions).toBeNull();
  });

  it("is stopped between any two of its parts, and is the same with pauses", async () => {
    let pauses = 0;
    const pause = async () => {
      pauses++;
    };
    expect(await evaluated(test, { pause })).toEqual(await evaluated(test));
    // Two collections, sequences and scanners.
    expect(pauses).toBeGreaterThanOrEqual(6);
    for (let last = 1; last <= pauses; last++) {
      let paused = 0;
      const stopping = async () => {
        if (++paused === last) throw new Error("Stopped.");
      };
      await expect(evaluated(test, { pause: stopping })).rejects.toThrow("Stopped.");
    }
  });

  it("has a row for each collection, sequence and scanner, with what is refused, referred and calibrated", async () => {
    const evaluation = await evaluated(test);
    const [a, b] = evaluation.collections;
    expect(a).toMatchObject({ name: "A", n: 3, headline: { sensitivity: { value: 0.5 }, refused: 0 } });
    // As the model answers 1 of 1 is found; the guard refuses one of two.
    expect(b).toMatchObject({
      ...{ name: "B", n: 3, recall: { value: 1 }, headline: { sensitivity: { value: 0.5 }, tumours: 2, refused: 1 } },
      guard: { scans: 3, refused: { value: 2 / 3 }, refusedCancer: { value: 0.5 } },
    });
    expect(b?.ece.value).toBeCloseTo((0.2 + 0.8) / 3, 6);
    expect(evaluation.sequences.map(({ name, n }) => [name, n])).toEqual([
      ["FLAIR", 2],
      ["T1", 1],
    ]);
    expect(evaluation.scanners.map(({ name }) => name)).toEqual(["GE 1.5T", "Siemens 3T"]);
    expect(evaluation.views).toEqual([]);
  });

  it("keeps a collection of which the guard refuses all", async () => {
    const refused = { cancer: true, refused: true, called: false, lesionArea: 0.03 };
    const answered = test.slice(0, 2);
    const guarded = [
      { group: "z", collection: "C", ...refused },
      ...answered.map(({ group, collection }) => ({
        ...{ group, collection },
        cancer: true,
        refused: false,
        called: true,
      })),
    ];
    const { collections, lesions, headline } = await evaluated(answered, { guarded });
    expect(collections.map(({ name, n }) => [name, n])).toEqual([
      ["A", 2],
      ["C", 0],
    ]);
    expect(collections[1]?.headline).toMatchObject({ sensitivity: { value: 0 }, tumours: 1, refused: 1 });
    expect(lesions?.bins.find(({ from }) => from === 0.02)).toMatchObject({
      images: 1,
      refused: 1,
      sensitivity: { value: 0 },
    });
    expect(headline).toMatchObject({ sensitivity: { value: 2 / 3 }, tumours: 3, refused: 1 });
  });

  it("a model without a guard has one sensitivity", async () => {
    const { guard: _, ...plain } = METADATA;
    const { headline, test: measured, collections } = await evaluated(test, { metadata: plain });
    expect(headline).toEqual({
      ...{ sensitivity: measured.recall, withoutGuard: measured.recall },
      tumours: 4,
      refused: 0,
    });
    expect(collections[0]?.guard).toBeNull();
  });

  it("tells accuracy where a given share is referred, which a band does not hold", async () => {
    // Of twenty the three nearest to the threshold are wrong.
    const images = Array.from({ length: 20 }, (_, i) =>
      image(i, i < 3 ? { label: "Cancer", probability: 0.45 } : { probability: 0.05 + 0.01 * i }),
    );
    const { quota, test: measured } = await evaluated(images);
    expect(quota).toMatchObject({ referred: 0.15, accuracyKept: { value: 1 } });
    expect(measured.accuracy.value).toBeCloseTo(0.85, 6);
  });
});

describe("studies", () => {
  it("have a calibration and a verdict of their own", async () => {
    const random = uniform(4);
    const images = (prefix: string, studies: number) =>
      Array.from({ length: studies * 6 }, (_, i): ScoredImage => {
        const study = Math.floor(i / 6);
        const ill = study % 2 === 0;
        // Slices of an ill study: two of six show it. All are two log odds too sure of Cancer.
        const shows = ill && i % 6 < 2;
        const probability = calibrate(sigmoid((shows ? 2.5 : -2.5) + 3 * (random() - 0.5)), { offset: 2 });
        return image(i, {
          ...{ label: shows ? "Cancer" : "Non-Cancer", path: `${prefix}${i}`, group: `${prefix}${study}` },
          ...{ study: `${prefix}${study}`, probability },
        });
      });
    const { study } = await evaluated(images("t", 60), { validation: images("v", 60) });
    if (!("rule" in study)) throw new Error(study.reason);
    const { before, after } = study.calibration;
    expect(study.test).toMatchObject({ n: 60, cancer: 30 });
    expect(after).toEqual({ value: study.test.ece.value });
    expect(after.value as number).toBeLessThan((before.value as number) - 0.05);
    expect(study.verdict.sentence).toMatch(/Not fit for use: it learnt from synthetic images/);
  });
});

describe("the pointing game in the recipe's square", () => {
  const grey = Uint8Array.from({ length: SIDE * SIDE }, (_, at) =>
    Math.hypot((at % SIDE) - 64, Math.floor(at / SIDE) - 64) < 50 ? 120 : 0,
  );
  const mask = Uint8Array.from({ length: SIDE * SIDE }, (_, at) => {
    const [x, y] = [at % SIDE, Math.floor(at / SIDE)];
    return x >= 40 && x < 50 && y >= 60 && y < 70 ? 255 : 0;
  });

  it("takes a maximum in the lesion or three pixels beside it, and none farther", () => {
    const at = (x: number, y: number) => pointingInSquare(grey, mask, { x: x + 0.5, y: y + 0.5 });
    expect(at(45, 65)).toMatchObject({ hit: true, area: 100 / SIDE ** 2 });
    expect(at(37, 65)?.hit).toBe(true);
    expect(at(36, 65)?.hit).toBe(false);
    expect(at(127, 127)?.hit).toBe(false);
    // Of the disc's 7,850 pixels some 250 lie in the widened square.
    expect(at(45, 65)?.chance).toBeGreaterThan(0.025);
    expect(at(45, 65)?.chance).toBeLessThan(0.04);
  });

  it("sees a lesion that fills half of no pixel, and none in an empty mask", () => {
    const faint = mask.map((share) => (share > 0 ? 40 : 0));
    expect(pointingInSquare(grey, faint, { x: 45.5, y: 65.5 })).toMatchObject({
      hit: true,
      area: (40 / 255) * (100 / SIDE ** 2),
    });
    expect(pointingInSquare(grey, new Uint8Array(SIDE * SIDE), { x: 1, y: 1 })).toBeUndefined();
  });
});

import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { type ExplainReport, explainFolder } from "../../../runtime/explain";
import { doubts } from "../../../runtime/explain/doubts";
import { dilate } from "../../../runtime/explain/pointing";
import { checkSanity, occlusionMap, rankOfPeak, spearman } from "../../../runtime/explain/sanity";
import { applyRecipe } from "../../../runtime/imaging";
import { AnswerPool, type Classifier, loadClassifier } from "../../../runtime/model";
import { headPixels, headPng, saveBrightSpot } from "../../support/bright-spot";

const SPOT = { x: 110, y: 80, radius: 14 };
let folder: string;
let classifier: Classifier;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "trust-"));
  await saveBrightSpot(join(folder, "model"));
  classifier = await loadClassifier(join(folder, "model"));
});
afterAll(async () => {
  await classifier.dispose();
  await rm(folder, { recursive: true, force: true });
});

const head = () =>
  applyRecipe({ width: 200, height: 160, depth: 8, pixels: new Uint8Array(headPixels(200, 160, SPOT)) }).pixels;

describe("whether a map can be trusted", () => {
  it("changes with the weights and the label, agrees with hiding the picture, and leaves the weights alone", async () => {
    const before = await classifier.predict([head()]);
    const report = await checkSanity(classifier, [head()], 4);
    expect(report.images).toBe(1);
    expect(report.occlusion).toBeGreaterThan(0.3);
    expect(report.hidingThePeak).toBe(1);
    expect(report.otherLabel).toBeLessThan(0.2);
    expect(report.randomisedWeights).toBeLessThan(0.9);
    expect(await classifier.predict([head()])).toEqual(before);
  });

  it("hiding the spot costs the most", async () => {
    const pool = await AnswerPool.start({ onnx: classifier.onnx, views: "plain" }, { threads: 1 });
    const map = await occlusionMap(pool, head());
    await pool.close();
    const strongest = map.indexOf(Math.max(...map));
    const { x, y } = { x: strongest % 8, y: Math.floor(strongest / 8) };
    // The spot's place in the recipe's square, an eighth of it a cell.
    expect(Math.abs(x - 4.4)).toBeLessThan(1.5);
    expect(Math.abs(y - 4)).toBeLessThan(1.5);
  });

  it("ranks and widens as defined", () => {
    expect(spearman(Float64Array.of(1, 2, 3, 4), Float64Array.of(1, 8, 27, 64))).toBe(1);
    expect(spearman(Float64Array.of(1, 2, 3), Float64Array.of(3, 2, 1))).toBe(-1);
    expect(spearman(Float64Array.of(1, 1, 1), Float64Array.of(3, 2, 1))).toBe(0);
    expect(spearman(Float64Array.of(1, 1, 1), Float64Array.of(2, 2, 2))).toBeUndefined();
    expect(rankOfPeak(Float64Array.of(0, 9, 1, 0), Float64Array.of(-1, 2, 3, 0))).toBe(0.5);
    expect(rankOfPeak(Float64Array.of(0, 9, 1, 0), Float64Array.of(1, 0, 3, 1))).toBeUndefined();
    const point = new Uint8Array(121);
    point[60] = 1;
    expect(dilate(point, 11, 11, 5).reduce((sum, value) => sum + value, 0)).toBe(81);
    expect(dilate(point, 11, 11, 0)).toEqual(point);
  });

  it("says what speaks against the maps, and nothing where nothing does", () => {
    const pointing = { scans: 40, dilation: 5, hits: 0.9, chance: 0.1 };
    const sanity = { images: 12, randomisedWeights: 0.2, otherLabel: 0, occlusion: 0.1, hidingThePeak: 0.96 };
    expect(doubts({ pointing, sanity })).toEqual([]);
    const none = { images: 0, randomisedWeights: null, otherLabel: null, occlusion: null, hidingThePeak: null };
    expect(doubts({ pointing: { ...pointing, scans: 0, hits: null, chance: null }, sanity: none })).toEqual([]);
    expect(doubts({ pointing: { ...pointing, hits: 0.2 }, sanity })).toEqual([expect.stringMatching(/chance/)]);
    expect(doubts({ pointing: { ...pointing, hits: 0.2, scans: 3 }, sanity })).toEqual([]);
    const useless = { ...sanity, randomisedWeights: 0.8, hidingThePeak: 0.5 };
    expect(doubts({ pointing, sanity: useless })).toEqual([
      expect.stringMatching(/another place/),
      expect.stringMatching(/random/),
    ]);
  });

  it("explain.json tells how often maps point into masks, beside chance; odd masks are passed over", async () => {
    const data = join(folder, "data");
    for (const name of ["Cancer", "Non-Cancer", "masks"]) await mkdir(join(data, name), { recursive: true });
    const mask = (at: typeof SPOT, width = 200) =>
      sharp(
        Buffer.from(
          Uint8Array.from({ length: width * 160 }, (_, i) =>
            Math.hypot((i % width) - at.x, Math.floor(i / width) - at.y) < at.radius ? 255 : 0,
          ),
        ),
        {
          raw: { width, height: 160, channels: 1 },
        },
      )
        .png()
        .toBuffer();
    for (const name of ["right", "wrong", "other-size", "named"]) {
      await writeFile(join(data, "Cancer", `${name}.png`), await headPng(200, 160, SPOT, name.length));
    }
    await writeFile(join(data, "Cancer/missed.png"), await headPng(200, 160));
    await writeFile(join(data, "Non-Cancer/well.png"), await headPng(200, 160, undefined, 3));
    await writeFile(join(data, "masks/right.png"), await mask(SPOT));
    await writeFile(join(data, "masks/missed.png"), await mask(SPOT));
    await writeFile(join(data, "masks/wrong.png"), await mask({ x: 60, y: 60, radius: 10 }));
    await writeFile(join(data, "masks/other-size.png"), await mask(SPOT, 190));
    await writeFile(join(data, "masks/lesion 7.png"), await mask(SPOT));
    await writeFile(join(data, "manifest.csv"), "path,mask\nCancer/named.png,masks/lesion 7.png\n");
    const out = join(folder, "out");
    const { notes } = await explainFolder({ model: join(folder, "model"), data, out, seed: 2 });
    const report = JSON.parse(await readFile(join(out, "explain.json"), "utf8")) as ExplainReport;
    expect(report).toMatchObject({ explained: 6, pointing: { scans: 3, dilation: 5 }, sanity: { images: 6 } });
    expect(report.pointing.hits).toBeCloseTo(2 / 3);
    // A disc of radius 19 (or 15) in a head of 0.42 x 0.45 half axes.
    expect(report.pointing.chance).toBeGreaterThan(0.03);
    expect(report.pointing.chance).toBeLessThan(0.08);
    expect(notes.join(" ")).toMatch(/3 true positives with a mask.*67 %/);
  });
});

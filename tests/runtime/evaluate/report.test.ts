import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { evaluateScored, type ScoredImage } from "../../../runtime/evaluate/evaluation";
import { directoryDestination, type WriteInput, writeOutputs } from "../../../runtime/evaluate/outputs";
import { applyRecipe } from "../../../runtime/imaging";
import { type Classifier, loadClassifier, modelFilesInDirectory, readTrainingCurve } from "../../../runtime/model";
import { headPixels, saveBrightSpot } from "../../support/bright-spot";

let folder: string;
let model: string;
let classifier: Classifier;
const { pixels } = applyRecipe({ width: 200, height: 160, depth: 8, pixels: new Uint8Array(headPixels(200, 160)) });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "report-"));
  model = join(folder, "model");
  await saveBrightSpot(model);
  classifier = await loadClassifier(model);
});
afterAll(async () => {
  await classifier.dispose();
  await rm(folder, { recursive: true, force: true });
});

/** The report on images as they were scored. */
async function reportOn(test: readonly ScoredImage[], more: Partial<WriteInput> = {}): Promise<string> {
  const { metadata } = classifier;
  const out = join(folder, `out-${test.length}`);
  await writeOutputs({
    destination: directoryDestination(out),
    classifier,
    evaluation: await evaluateScored({ metadata, dataset: "d", test, seed: 0 }),
    test,
    lines: test.map(({ path, label, probability }) => ({ path, label, probability, reason: "" })),
    subject: "a test",
    notes: [],
    seed: 0,
    provenance: { data: "scans", commit: undefined },
    training: undefined,
    pictureOf: async () => ({ pixels, mask: null }),
    ...more,
  });
  return readFile(join(out, "report.html"), "utf8");
}

const image = (i: number, label: ScoredImage["label"], probability: number): ScoredImage => ({
  path: `${label}/scan-${i}.png`,
  label,
  group: `g${i % 50}`,
  probability,
});

const count = (text: string, pattern: RegExp) => text.match(pattern)?.length ?? 0;

test("of 5,000 errors the report shows and lists the worst, says how many there are, and stays small", async () => {
  const errors = Array.from({ length: 5000 }, (_, i) =>
    i % 2 === 0 ? image(i, "Cancer", 0.4 - i / 20_000) : image(i, "Non-Cancer", 0.6 + i / 20_000),
  );
  const html = await reportOn(errors);
  expect(html.length).toBeLessThan(1_500_000);
  expect(count(html, /<figure class="scan"/g)).toBe(36);
  expect(count(html, /<tr role="row" id="row-/g)).toBeLessThanOrEqual(212);
  expect(html).toContain('Missed tumours <span class="tag">2,500</span>');
  expect(html).toContain("the 12 surest, the surest first, as the model sees them. 100 of them stand below");
  // The surest of each kind are the last ones; the head of the table is row 1.
  expect(html).toMatch(/id="row-5000"[^\n]*Cancer\/scan-4998\.png/);
  expect(html).toMatch(/id="row-5001"[^\n]*Non-Cancer\/scan-4999\.png/);
});

test("one class, no picture any more, no curve, no commit: each is said, and nothing is made up", async () => {
  const html = await reportOn([image(0, "Cancer", 0.2), image(1, "Cancer", 0.9)], { pictureOf: async () => undefined });
  expect(html).toContain("There is no Non-Cancer image");
  expect(html).not.toContain("ROC curve");
  expect(html).toContain("There is no image to explain.");
  expect(html).toContain("hold no training curve that can be read");
  expect(html).toContain("<dt>Code</dt><dd>commit not known</dd>");
  expect(html).not.toMatch(/undefined|NaN|\bnull\b/);
  // What has no picture has no link to one.
  expect(html).not.toContain('href="#error-');
});

test("a curve is read where the model has one, and one that is damaged or foreign stops nothing", async () => {
  const read = () => readTrainingCurve(modelFilesInDirectory(model));
  expect(await read()).toBeUndefined();
  for (const text of ["", "{", '{"epochs":[{"epoch":1}]}', "null"]) {
    await writeFile(join(model, "training.json"), text);
    expect(await read()).toBeUndefined();
  }
  const epochs = [{ epoch: 1, loss: 0.7, imagesPerSecond: 5, validation: null }];
  await writeFile(join(model, "training.json"), JSON.stringify({ chosen: 1, epochs }));
  const training = await read();
  expect(training?.epochs).toEqual(epochs);
  const html = await reportOn([image(0, "Cancer", 0.2), image(1, "Non-Cancer", 0.1)], { training });
  expect(html).toContain("Nothing was held out to validate on.");
  expect(html).toContain('id="plot-training-loss"');
  expect(html).not.toContain("plot-training-auc");
});

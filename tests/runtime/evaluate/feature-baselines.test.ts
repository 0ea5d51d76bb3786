import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Evaluation, TestBench } from "../../../runtime/evaluate";
import { type FeatureSet, featureBaselines } from "../../../runtime/evaluate/feature-baselines";
import { logisticRegression } from "../../../runtime/evaluate/linear";
import { backboneStep, featuresStep } from "../../../runtime/features";
import type { Split } from "../../../runtime/intake";
import { createLogger } from "../../../runtime/platform/logging";
import { silentProgress } from "../../../runtime/platform/progress";
import { normal, uniform } from "../../../runtime/platform/random";
import { openWorkspace, type Workspace } from "../../../runtime/platform/workspace";
import { BRIGHT_SPOT, saveBrightSpot } from "../../support/bright-spot";
import { tinyManifest, tinyNetwork, writeBackbone } from "../../support/tiny-backbone";
import { type Drawn, drawn, process as processImages } from "../features/processed";

const NAMES = ["learn", "validation", "test"] as const;

/** Rows of noise, of which the first column tells the label as far as `signal` goes. */
function drawSets(counts: readonly [number, number, number], columns: number, signal: number, seed = 1) {
  const gaussian = normal(uniform(seed));
  const of = (count: number) => {
    const labels = Array.from({ length: count }, (_, i) => i % 2);
    const row = (label: number) =>
      Float64Array.from({ length: columns }, (_, k) => gaussian() + (k === 0 ? signal * (2 * label - 1) : 0));
    return { rows: labels.map(row), split: { labels, groups: labels.map((_, i) => `g${i}`) } };
  };
  const drawn = counts.map(of);
  const by = <T>(take: (one: ReturnType<typeof of>) => T) =>
    Object.fromEntries(NAMES.map((name, i) => [name, take(drawn[i] as ReturnType<typeof of>)])) as Record<
      (typeof NAMES)[number],
      T
    >;
  const set: FeatureSet = { id: "f", name: "F", description: "Noise.", rows: by(({ rows }) => rows) };
  return { set, splits: by(({ split }) => split) };
}

describe("classical models on features", () => {
  test("are measured on test images with an interval", async () => {
    const { set, splits } = drawSets([200, 60, 300], 4, 1);
    const results = await featureBaselines(set, splits, 1);
    expect(results.map(({ name }) => name)).toEqual(["F + logistic regression", "F + nearest neighbours"]);
    for (const { auc } of results) {
      if (auc.value === null) throw new Error(auc.reason);
      // That of the one column that tells: 0.92.
      expect([auc.value > 0.87, auc.value < 0.96]).toEqual([true, true]);
      expect([auc.low < auc.value, auc.value < auc.high]).toEqual([true, true]);
    }
  });

  test("take penalty and neighbours that do best on validation images, whatever the test images are", async () => {
    // More columns of noise than images: a weak penalty learns them by heart.
    const noisy = drawSets([40, 400, 40], 80, 0.7);
    const [regression, neighbours] = await featureBaselines(noisy.set, noisy.splits, 1);
    expect(regression?.description).toMatch(/Penalty (0\.1|1), chosen on validation images/);
    expect(neighbours?.description).toMatch(/among (15|45), chosen on validation images/);
    const clear = drawSets([400, 400, 40], 2, 3);
    expect((await featureBaselines(clear.set, clear.splits, 1))[0]?.description).toMatch(/Penalty 0\.0/);

    // On the training images themselves a weak penalty and one neighbour would do best.
    const byHeart = { ...noisy.set, rows: { ...noisy.set.rows, test: noisy.set.rows.learn } };
    const known = await featureBaselines(byHeart, { ...noisy.splits, test: noisy.splits.learn }, 1);
    expect(known.map(({ description }) => description)).toEqual([regression?.description, neighbours?.description]);

    const test = { ...noisy.splits.test, labels: noisy.splits.test.labels.map((label) => 1 - label) };
    const turned = await featureBaselines(noisy.set, { ...noisy.splits, test }, 1);
    expect(turned.map(({ description }) => description)).toEqual([regression?.description, neighbours?.description]);
    const before = regression?.auc.value as number;
    expect(turned[0]?.auc.value).toBeCloseTo(1 - before, 10);
  });

  test("are standardised by training images alone: what other test images are changes no answer", async () => {
    const { set, splits } = drawSets([100, 40, 60], 3, 1);
    const alone = await featureBaselines(set, splits, 1);
    // In the column that tells: standardised with it, the others' values there would be next to nothing.
    const huge = Float64Array.of(1e6, 0, 0);
    const rows = { ...set.rows, test: [...set.rows.test, huge] };
    const test = { labels: [...splits.test.labels, 1], groups: [...splits.test.groups, "huge"] };
    const beside = await featureBaselines({ ...set, rows }, { ...splits, test }, 1);
    for (const [i, { auc }] of beside.entries()) {
      // One more Cancer image, wherever it stands among the others.
      const least = (30 * (alone[i]?.auc.value as number)) / 31;
      expect([(auc.value as number) >= least - 1e-9, (auc.value as number) <= least + 1 / 31 + 1e-9]).toEqual([
        true,
        true,
      ]);
    }
  });

  test("are stopped within a part of the work, by whatever they are to be stopped with, and are the same with pauses", async () => {
    const { set, splits } = drawSets([60, 130, 130], 4, 1);
    let pauses = 0;
    const counted = async () => {
      pauses++;
    };
    const alone = await featureBaselines(set, splits, 1);
    expect(await featureBaselines(set, splits, 1, counted)).toEqual(alone);
    // A round of each of four fits, and neighbours of 64 images of 130 each time, of two splits.
    expect(pauses).toBeGreaterThanOrEqual(4 * 2 + 2 * 3);
    for (let last = 1; last <= pauses; last++) {
      let paused = 0;
      const stopping = async () => {
        if (++paused === last) throw new Error("Stopped.");
      };
      await expect(featureBaselines(set, splits, 1, stopping)).rejects.toThrow("Stopped.");
      expect(paused).toBe(last);
    }
  });

  test("say so where validation or training images of a class are missing", async () => {
    const { set, splits } = drawSets([20, 10, 20], 2, 1);
    const one = { ...splits.validation, labels: splits.validation.labels.map(() => 1) };
    const [regression] = await featureBaselines(set, { ...splits, validation: one }, 1);
    expect(regression?.description).toContain("validation images of both classes are missing");
    const none = await featureBaselines(set, { ...splits, learn: { ...splits.learn, labels: Array(20).fill(0) } }, 1);
    expect(none.map(({ auc }) => auc.value)).toEqual([null, null]);
  });

  test("logistic regression ends where the penalised loss has no slope", async () => {
    const { set, splits } = drawSets([120, 1, 1], 150, 0.5);
    const { labels } = splits.learn;
    for (const penalty of [1, 1e-3]) {
      const predict = await logisticRegression(set.rows.learn, labels, { penalty });
      const odds = (row: Float64Array) => Math.log(predict(row) / (1 - predict(row)));
      const zero = odds(new Float64Array(150));
      const n = labels.length;
      for (const k of [0, 1, 149]) {
        const values = set.rows.learn.map((row) => row[k] as number);
        const mean = values.reduce((sum, value) => sum + value, 0) / n;
        const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / n);
        const weight = (odds(Float64Array.from({ length: 150 }, (_, i) => (i === k ? 1 : 0))) - zero) * deviation;
        const pull = set.rows.learn.reduce(
          (sum, row, i) => sum + (((labels[i] as number) - predict(row)) * ((row[k] as number) - mean)) / deviation / n,
          0,
        );
        expect(pull - penalty * weight).toBeCloseTo(0, 5);
      }
    }
  });
});

describe("an evaluation in a workspace", () => {
  const folder = mkdtempSync(join(tmpdir(), "feature-baselines-"));
  let workspace: Workspace;
  const context = () => ({
    ...{ workspace, seed: 0, log: createLogger("test", { destination: { write() {} } }) },
    ...{ progress: silentProgress, signal: new AbortController().signal },
  });
  const evaluate = async () => (await TestBench.open(context())).evaluate(BRIGHT_SPOT.id);
  const namesOf = ({ baselines }: Evaluation) => baselines.map(({ name }) => name);
  const both = (name: string) => [`${name} + logistic regression`, `${name} + nearest neighbours`];

  /** Bright pictures are Cancer: a square on noise. */
  const pictures = (split: Split, count: number, first: number): Drawn[] =>
    Array.from({ length: count }, (_, i) => {
      const random = uniform(first + i);
      const ill = i % 2 === 0;
      const pixels = Uint8Array.from({ length: 128 * 128 }, (_, at) => {
        const [x, y] = [at % 128, Math.floor(at / 128)];
        return 60 + 60 * random() + (ill && x > 40 && x < 80 && y > 40 && y < 80 ? 100 : 0);
      });
      const { row } = drawn(`${split}-${i}`, split, pixels);
      return { pixels, row: { ...row, label: ill ? "Cancer" : "Non-Cancer" } };
    });
  const images = [...pictures("train", 40, 100), ...pictures("validation", 12, 200), ...pictures("test", 20, 300)];

  beforeAll(async () => {
    workspace = await openWorkspace(join(folder, "workspace"));
    await processImages(workspace, images);
    await saveBrightSpot(join(fileURLToPath(workspace.buckets.models.uri), BRIGHT_SPOT.id));
  });
  afterAll(async () => {
    await workspace.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test("has a row for the model's own features, and one for every set that all labelled images have", async () => {
    const first = await evaluate();
    expect(namesOf(first.evaluation)).toEqual(both("Own features"));
    for (const { auc } of first.evaluation.baselines) expect(auc).toMatchObject({ value: expect.any(Number) });
    const html = async () =>
      (await workspace.buckets.reports.read(`evaluation/${BRIGHT_SPOT.id}/report.html`)).toString();
    expect(await html()).toContain("There are no principal components: npm run features");
    expect(await html()).toContain("learnt from the same training images and their labels");

    await featuresStep(context(), { components: 8 });
    const network = tinyNetwork();
    const place = writeBackbone(join(folder, "tiny"), network, tinyManifest(network));
    await backboneStep(context(), place);
    const second = await evaluate();
    expect(second.skipped).toBe(false);
    expect(namesOf(second.evaluation)).toEqual([...both("Own features"), ...both("PCA"), ...both("tiny")]);
    for (const { name, auc } of second.evaluation.baselines)
      expect({ name, ...auc }).toMatchObject({ value: expect.any(Number), low: expect.any(Number) });
    const [regression] = second.evaluation.baselines.filter(({ name }) => name.startsWith("PCA"));
    expect(regression?.auc.value).toBeGreaterThan(0.9);
    expect(second.evaluation.features).toEqual([
      expect.stringMatching(/^pca-/),
      expect.stringMatching(/^tiny-[0-9a-f]{12}$/),
    ]);
    expect(await html()).toContain("tiny + logistic regression");
    expect((await evaluate()).skipped).toBe(true);

    // One more picture, without features yet.
    await processImages(workspace, [...images, ...pictures("train", 42, 100).slice(40)]);
    const third = await evaluate();
    expect(namesOf(third.evaluation)).toEqual(both("Own features"));
    expect(await html()).toMatch(/Features of tiny-[0-9a-f]{12} are left out: 2 of 74 images have none/);
  });
});

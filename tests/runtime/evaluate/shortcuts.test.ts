import type { PlainImage } from "../../../runtime/evaluate/classical";
import { logisticRegression, nearestNeighbours, randomizedPca } from "../../../runtime/evaluate/linear";
import { ascending, auc } from "../../../runtime/evaluate/metrics";
import { auditShortcuts, matchingWeights } from "../../../runtime/evaluate/shortcuts";
import { normal, uniform } from "../../../runtime/platform/random";

const SIDE = 128;

/** Grey pictures whose label shows in the border, in the header or nowhere; two a group. */
function pictures(n: number, shows: "border" | "header" | "nothing", seed = 1): PlainImage[] {
  const random = uniform(seed);
  return Array.from({ length: n }, (_, i) => {
    const label = random() < 0.5 ? 1 : 0;
    const base = 80 + Math.floor(60 * random());
    const grey = new Uint8Array(SIDE * SIDE).fill(base);
    for (let y = 30; y < 60; y++) grey.fill(base + Math.floor(50 * random()), y * SIDE + 30, y * SIDE + 90);
    if (shows === "border" && label === 1) grey.fill(base + 15 + Math.floor(10 * random()), 0, 6 * SIDE);
    const bytes = 5000 + (shows === "header" && label === 1 ? 4000 : 0) + Math.floor(1000 * random());
    return { label, group: `g${i >> 1}`, grey, header: { width: 200, height: 200, bytes, format: "png" } };
  });
}

const scoresOf = (set: readonly PlainImage[], probability: (image: PlainImage, i: number) => number) => ({
  labels: Uint8Array.from(set, ({ label }) => label),
  probabilities: Float64Array.from(set, probability),
  groups: set.map(({ group }) => group),
});

describe("the shortcut audit", () => {
  const probe = (audit: Awaited<ReturnType<typeof auditShortcuts>>, name: string) =>
    audit.probes.find((candidate) => candidate.name === name)?.auc.value as number;

  it("finds what gives the label away, and nothing where nothing does; with training images or without", async () => {
    for (const learn of [pictures(80, "border", 9), undefined]) {
      const set = pictures(80, "border");
      const audit = await auditShortcuts(
        scoresOf(set, ({ label }) => 0.2 + 0.6 * label),
        set,
        learn,
        1,
      );
      expect(probe(audit, "border")).toBeGreaterThan(0.9);
      expect(probe(audit, "header")).toBeLessThan(0.75);
      expect(audit.fitted).toMatch(learn ? /training split/ : /cross-validated by group/);
    }
    const header = pictures(80, "header");
    expect(
      probe(
        await auditShortcuts(
          scoresOf(header, () => 0.5),
          header,
          undefined,
          1,
        ),
        "header",
      ),
    ).toBeGreaterThan(0.9);
    const nothing = pictures(100, "nothing");
    const quiet = await auditShortcuts(
      scoresOf(nothing, () => 0.5),
      nothing,
      undefined,
      1,
    );
    for (const name of ["header", "border", "histogram"]) expect(probe(quiet, name)).toBeLessThan(0.75);
  });

  it("bounds a probe that is never wrong by the number of its groups", async () => {
    const set = pictures(40, "header");
    const sure = set.map((image) => ({
      ...image,
      header: { width: 200, height: 200, bytes: image.label ? 90_000 : 5000, format: "png" },
    }));
    const audit = await auditShortcuts(
      scoresOf(sure, () => 0.5),
      sure,
      undefined,
      1,
    );
    const header = audit.probes.find(({ name }) => name === "header")?.auc;
    const groups = (label: number) =>
      new Set(sure.filter((image) => image.label === label).map(({ group }) => group)).size;
    const trials = Math.min(groups(0), groups(1));
    expect(header).toEqual({ value: 1, low: expect.closeTo(0.025 ** (1 / trials), 10), high: 1 });
  });

  it("says why where a class is missing or a header is not known", async () => {
    const set = pictures(20, "nothing").map((image) => ({ ...image, label: 1, header: undefined }));
    const audit = await auditShortcuts(
      scoresOf(set, () => 0.5),
      set,
      undefined,
      1,
    );
    for (const { auc } of audit.probes) expect(auc).toEqual({ value: null, reason: expect.stringMatching(/too few/) });
    expect(audit.matched.auc.value).toBeNull();
  });

  it("says so where the classes share no decile of the probe's score", async () => {
    const set = pictures(40, "border").map((image) => ({
      ...image,
      grey: image.grey.map(() => (image.label ? 200 : 40)),
    }));
    const scores = scoresOf(set, () => 0.5);
    expect((await auditShortcuts(scores, set, undefined, 1)).matched).toEqual({
      auc: { value: null, reason: expect.stringMatching(/no decile/) },
      probe: null,
      overlap: 0,
    });
  });

  it("matches within each collection too, by deciles of its own", async () => {
    const set = pictures(120, "nothing");
    const collections = set.map((_, i) => (i % 4 < 2 ? "north" : "south"));
    // In the north the answers are the label itself, in the south they are drawn.
    const random = uniform(5);
    const drawn = set.map(() => random());
    const scores = scoresOf(set, (image, i) => (collections[i] === "north" ? image.label : (drawn[i] as number)));
    const { matched, matchedByCollection } = await auditShortcuts(scores, set, undefined, 1, collections);
    expect(matchedByCollection.map(({ name }) => name)).toEqual(["north", "south"]);
    const [north, south] = matchedByCollection.map(({ auc }) => auc.value as number) as [number, number];
    expect(north).toBe(1);
    const perfect = matchedByCollection[0]?.auc;
    if (perfect?.value !== 1) throw new Error("The north's AUC is not 1.");
    expect(perfect.high).toBe(1);
    expect(perfect.low).toBeLessThan(0.98);
    expect(Math.abs(south - 0.5)).toBeLessThan(0.25);
    expect(matched.auc.value).toBeLessThan(north);
    expect(
      (
        await auditShortcuts(
          scores,
          set,
          undefined,
          1,
          set.map(() => "north"),
        )
      ).matchedByCollection,
    ).toEqual([]);
  });

  it("matching takes a shortcut's part out of a result: a model that is the shortcut falls to chance", () => {
    const random = uniform(3);
    const gaussian = normal(random);
    const n = 4000;
    const labels = Uint8Array.from({ length: n }, () => (random() < 0.4 ? 1 : 0));
    const shortcut = Float64Array.from(labels, (label) => label + gaussian());
    const honest = Float64Array.from(labels, (label) => label + gaussian());
    const { weights, overlap } = matchingWeights(labels, shortcut);
    const measure = (probabilities: Float64Array, w?: Float64Array) =>
      auc({ labels, probabilities, groups: [] }, ascending(probabilities), w).value as number;
    expect(measure(shortcut)).toBeGreaterThan(0.74);
    expect(measure(shortcut, weights)).toBeLessThan(0.53);
    expect(measure(honest, weights)).toBeGreaterThan(0.73);
    expect(overlap).toBeGreaterThan(0.5);
    expect(overlap).toBeLessThan(0.75);
    expect(Math.max(...weights)).toBeLessThanOrEqual(1 + 1e-12);
    // Both classes weigh the same in every decile, so also in all.
    const sums = [0, 1].map((label) => weights.reduce((sum, w, i) => sum + (labels[i] === label ? w : 0), 0));
    const counts = [0, 1].map((label) => labels.filter((value) => value === label).length);
    expect((sums[0] as number) / (counts[0] as number)).toBeCloseTo((sums[1] as number) / (counts[1] as number), 6);
  });
});

describe("classical models", () => {
  it("principal components keep what varies most", async () => {
    const gaussian = normal(uniform(5));
    const rows = Array.from({ length: 200 }, () => {
      const [a, b] = [10 * gaussian(), 3 * gaussian()];
      return Float64Array.from({ length: 40 }, (_, k) => (k < 20 ? a : b) + 0.01 * gaussian());
    });
    const project = await randomizedPca(rows, 2, 1);
    const spread = (component: number) => {
      const values = rows.map((row) => project(row)[component] as number);
      return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
    };
    expect(spread(0) / (10 * Math.sqrt(20))).toBeCloseTo(1, 0);
    expect(spread(1) / (3 * Math.sqrt(20))).toBeCloseTo(1, 0);
    expect(project(rows[0] as Float64Array)).toHaveLength(2);
  });

  it("logistic regression finds the odds that drew the labels, nearest neighbours their neighbourhood", async () => {
    const random = uniform(6);
    const gaussian = normal(random);
    const rows = Array.from({ length: 3000 }, () => Float64Array.of(gaussian(), 5 + 2 * gaussian()));
    const truth = (row: Float64Array) =>
      1 / (1 + Math.exp(-(1.5 * (row[0] as number) - 0.5 * ((row[1] as number) - 5))));
    const labels = rows.map((row) => (random() < truth(row) ? 1 : 0));
    const predict = await logisticRegression(rows, labels);
    const near = nearestNeighbours(rows, labels, [1, 101]);
    for (const row of [Float64Array.of(0, 5), Float64Array.of(1, 5), Float64Array.of(-1, 7)]) {
      expect(Math.abs(predict(row) - truth(row))).toBeLessThan(0.06);
      expect(Math.abs((near(row)[1] as number) - truth(row))).toBeLessThan(0.15);
    }
    const separable = await logisticRegression([Float64Array.of(0), Float64Array.of(1)], [0, 1]);
    expect(separable(Float64Array.of(1))).toBeGreaterThan(0.8);
  });
});

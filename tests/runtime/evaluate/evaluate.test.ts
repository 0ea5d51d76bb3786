import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { parse } from "csv-parse/sync";
import sharp from "sharp";
import {
  type Evaluation,
  evaluateFolder,
  evaluateTestSplit,
  readEvaluation,
  readScans,
} from "../../../runtime/evaluate";
import { explainFolder } from "../../../runtime/explain";
import { applyRecipe } from "../../../runtime/imaging";
import { parseLabels } from "../../../runtime/intake";
import { type Classifier, loadClassifier, UnusableModelError } from "../../../runtime/model";
import { ConfigurationError } from "../../../runtime/platform/config";
import { openWorkspace } from "../../../runtime/platform/workspace";
import { BRIGHT_SPOT, headPixels, headPng, saveBrightSpot } from "../../support/bright-spot";

const WIDTH = 240;
const HEIGHT = 200;
const ODD = 'Cancer/deep/er/a "quoted", naïve 🧠 name;=1+1.png';
const MISSED = 'Cancer/missed <b>&"x".png';
const LONG = `Non-Cancer/${"n".repeat(240)}.png`;

let folder: string;
let model: string;
let data: string;
const spots = new Map<string, { x: number; y: number; radius: number }>();

async function put(path: string, content: Buffer | string): Promise<void> {
  await mkdir(dirname(join(data, path)), { recursive: true });
  await writeFile(join(data, path), content);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "evaluate-"));
  model = join(folder, "model");
  data = join(folder, "data");
  await saveBrightSpot(model);

  for (let i = 0; i < 8; i++) {
    const spot = { x: 70 + i * 13, y: 70 + ((i * 29) % 60), radius: 16 };
    const path = i === 0 ? ODD : `Cancer/ill-${i}.png`;
    spots.set(path, spot);
    await put(path, await headPng(WIDTH, HEIGHT, spot, i));
    await put(i === 0 ? LONG : `Non-Cancer/well-${i}.png`, await headPng(WIDTH + 4 * i, HEIGHT, undefined, i));
  }
  // The model misses one and sounds one false alarm.
  await put(MISSED, await headPng(WIDTH, HEIGHT, undefined, 11));
  await put("Non-Cancer/alarm.png", await headPng(WIDTH, HEIGHT, { x: 150, y: 140, radius: 18 }, 12));
  const tiff = await sharp(headPixels(WIDTH, HEIGHT, { x: 100, y: 100, radius: 16 }), {
    raw: { width: WIDTH, height: HEIGHT, channels: 1 },
  })
    .tiff({ compression: "lzw" })
    .toBuffer();
  await put("Unlabelled/who.tif", tiff);
  await put("Cancer/empty.png", "");
  await put("Cancer/text.png", "plain text");
  await put("Non-Cancer/cut.png", (await headPng(WIDTH, HEIGHT)).subarray(0, 900));
  await put("elsewhere/scan.png", await headPng(WIDTH, HEIGHT));
  await put("notes.txt", "hello");
  await put("masks/ill-1.png", await headPng(WIDTH, HEIGHT));
  await put("manifest.csv", "path,patient_id,source\nCancer/ill-1.png,p1,A\nCancer/ill-2.png,p1,A\n");
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const rowsOf = async (path: string) =>
  parse(await readFile(path), { columns: true, relax_column_count: false }) as Record<string, string>[];

describe("evaluateFolder", () => {
  let out: string;
  let evaluation: Evaluation;

  beforeAll(async () => {
    out = join(folder, "out");
    const result = await evaluateFolder({ model, data, out, seed: 3, at: new Date(0) });
    expect(result).toMatchObject({ scored: 19, rejected: 5 });
    evaluation = JSON.parse(await readFile(join(out, "evaluation.json"), "utf8")) as Evaluation;
    expect(evaluation).toEqual(JSON.parse(JSON.stringify(result.evaluation)));
  });

  test("predictions.csv has the promised columns and one row a file, good or bad", async () => {
    const text = await readFile(join(out, "predictions.csv"), "utf8");
    expect(text.split("\n")[0]).toBe("path,label,probability,decision,model,recipe,reason");
    const rows = await rowsOf(join(out, "predictions.csv"));
    expect(rows).toHaveLength(24);
    const byPath = new Map(rows.map((row) => [row.path, row]));
    expect(byPath.size).toBe(24);
    expect(byPath.has("manifest.csv")).toBe(false);
    expect(byPath.has("masks/ill-1.png")).toBe(false);
    expect(byPath.get(ODD)).toMatchObject({
      label: "Cancer",
      decision: "Cancer",
      model: BRIGHT_SPOT.id,
      recipe: BRIGHT_SPOT.recipe,
      reason: "",
    });
    expect(byPath.get(LONG)).toMatchObject({ label: "Non-Cancer", decision: "Non-Cancer" });
    expect(byPath.get("Unlabelled/who.tif")).toMatchObject({ label: "", decision: "Cancer" });
    for (const [path, label, reason] of [
      ["Cancer/empty.png", "Cancer", "empty-file"],
      ["Cancer/text.png", "Cancer", "unsupported-format"],
      ["Non-Cancer/cut.png", "Non-Cancer", "truncated"],
      ["elsewhere/scan.png", "", "outside-label-folders"],
      ["notes.txt", "", "outside-label-folders"],
    ]) {
      expect(byPath.get(path)).toMatchObject({ label, probability: "", decision: "Rejected", reason });
    }
    for (const row of rows.filter((row) => row.decision !== "Rejected")) {
      const probability = Number(row.probability);
      expect(row.decision).toBe(probability >= BRIGHT_SPOT.threshold ? "Cancer" : "Non-Cancer");
    }
  });

  test("evaluation.json counts what was labelled and readable", () => {
    expect(evaluation).toMatchObject({
      model: BRIGHT_SPOT.id,
      recipe: BRIGHT_SPOT.recipe,
      synthetic: true,
      test: { n: 18, cancer: 9, nonCancer: 9, threshold: 0.5 },
      confusion: { truePositive: 8, falseNegative: 1, trueNegative: 8, falsePositive: 1 },
      unlabelled: 1,
      rejected: { "empty-file": 1, "unsupported-format": 1, truncated: 1, "outside-label-folders": 2 },
    });
    for (const name of ["accuracy", "precision", "recall", "specificity", "f1", "auc", "ece"] as const) {
      const metric = evaluation.test[name];
      if (metric.value === null) throw new Error(`${name}: ${metric.reason}`);
      expect(metric.low).toBeLessThanOrEqual(metric.value);
      expect(metric.value).toBeLessThanOrEqual(metric.high);
    }
    expect(evaluation.test.accuracy.value).toBeCloseTo(16 / 18);
    // Two slices of one patient are one group; there are no more groups than images without one of them.
    expect(evaluation.test.groups).toBeLessThanOrEqual(17);
    expect(evaluation.test.groups).toBeGreaterThan(1);
  });

  test("the verdict stands before the numbers, in evaluation.json, report and card", async () => {
    const { verdict } = evaluation;
    expect(verdict).toEqual({
      fit: false,
      sentence: expect.stringMatching(/^Not fit for use: .*phantoms.*; .* independent groups only/),
      reasons: ["phantoms", "few-groups", "no-guard", "few-epochs"],
    });
    expect(Object.keys(evaluation).indexOf("verdict")).toBeLessThan(Object.keys(evaluation).indexOf("test"));
    const report = await readFile(join(out, "report.html"), "utf8");
    const card = await readFile(join(out, "model-card.md"), "utf8");
    for (const [text, number] of [
      [report, 'class="tiles"'],
      [card, "## Results"],
    ] as const) {
      expect(text).toContain(verdict.sentence);
      expect(text.indexOf(verdict.sentence)).toBeLessThan(text.indexOf(number));
    }
    // Above everything but the name of the model.
    expect(card.split("\n\n")[1]).toBe(`**${verdict.sentence}**`);
  });

  test("plots are SVG and PNG", async () => {
    const names = (await readdir(join(out, "plots"))).sort();
    const plots = ["confusion", "precision-recall", "probabilities", "reliability", "risk-coverage", "roc"];
    expect(names).toEqual(plots.flatMap((name) => [`${name}.png`, `${name}.svg`]));
    for (const name of names) {
      const { width = 0, height = 0 } = await sharp(join(out, "plots", name)).metadata();
      expect(Math.min(width, height)).toBeGreaterThan(200);
    }
    // The matrix shows the counts.
    expect(await readFile(join(out, "plots/confusion.svg"), "utf8")).toMatch(/>8<.*>1</s);
  });

  test("the report holds everything itself, says what it is worth, and shows odd names as text", async () => {
    const html = await readFile(join(out, "report.html"), "utf8");
    // Namespaces are names, not requests.
    expect(html.replace(/xmlns(:\w+)?="[^"]+"/g, "")).not.toMatch(/https?:\/\//);
    expect(html).not.toMatch(/<script|<link|@import|url\(/i);
    expect(html).toMatch(/not for diagnostic use/i);
    expect(html).toMatch(/Synthetic data/);
    expect(html.match(/<svg role="img"/g)).toHaveLength(6);
    expect(html).toContain("Cancer/missed &lt;b&gt;&amp;&quot;x&quot;.png");
    expect(html).not.toContain("<b>&");
    expect(html).toContain("Non-Cancer/alarm.png");
    expect(html.match(/data:image\/png;base64/g)?.length).toBe(2 + 12);
  });

  test("the same again gives the same bytes", async () => {
    const again = join(folder, "again");
    await evaluateFolder({ model, data, out: again, seed: 3, at: new Date(0) });
    for (const name of ["evaluation.json", "predictions.csv", "report.html", "plots/roc.svg"]) {
      expect(await readFile(join(again, name))).toEqual(await readFile(join(out, name)));
    }
  });

  test("a folder of one class gives null with a reason, not an error", async () => {
    const before = data;
    data = join(folder, "one class");
    await put("Cancer/a.png", await headPng(WIDTH, HEIGHT, { x: 90, y: 90, radius: 16 }));
    const { evaluation, notes } = await evaluateFolder({
      model,
      data,
      out: join(folder, "o1"),
      seed: 1,
    });
    data = before;
    expect(evaluation.test.recall.value).toBe(1);
    for (const name of ["auc", "specificity"] as const) {
      expect(evaluation.test[name]).toEqual({ value: null, reason: expect.stringMatching(/no Non-Cancer/) });
    }
    expect(notes).toEqual([expect.stringMatching(/^patients known for 0 of 1 images/)]);
    expect(await readFile(join(folder, "o1", "report.html"), "utf8")).toContain("not defined");
  });

  test("a manifest whose paths lead nowhere is said to: patients would be lost in silence", async () => {
    const before = data;
    data = join(folder, "elsewhere");
    await put("Cancer/a.png", await headPng(WIDTH, HEIGHT, { x: 90, y: 90, radius: 16 }));
    await put("Non-Cancer/b.png", await headPng(WIDTH, HEIGHT));
    await put("manifest.csv", "path,patient_id\nscans/Cancer/a.png,p1\nscans/Non-Cancer/b.png,p1\n");
    const out = join(folder, "o-elsewhere");
    const { evaluation, notes } = await evaluateFolder({ model, data, out, seed: 1 });
    data = before;
    expect(notes.join(" ")).toMatch(/2 of its 2 files in vain/);
    // Two images are too few for the probes.
    expect(evaluation.shortcuts?.matched.auc).toEqual({ value: null, reason: expect.any(String) });
    expect(await readFile(join(out, "model-card.md"), "utf8")).toMatch(/tell nothing: AUC not defined: \S/);
  });

  test("a manifest that contradicts the folder is said, a broken one stops, and both before anything is written", async () => {
    const before = data;
    data = join(folder, "contradicted");
    await put("CANCER/a.png", await headPng(WIDTH, HEIGHT, { x: 90, y: 90, radius: 16 }));
    await put("no/b.png", await headPng(WIDTH, HEIGHT));
    await put("manifest.csv", "path;label;patient_id;age\nCANCER/a.png;Non-Cancer;p1;50\nno/b.png;no;p1;50\n");
    const out = join(folder, "o-contradicted");
    const options = { model, data, out, seed: 1, names: parseLabels("no=Non-Cancer") };
    const { evaluation, notes, synthetic } = await evaluateFolder(options);
    const said = [
      expect.stringMatching(/ignored: age\.$/),
      expect.stringMatching(
        /contradicts the folder about 1 of 2 scans, CANCER\/a.png the first \(the folder says Cancer, the manifest Non-Cancer\): the folder counts/,
      ),
    ];
    expect(notes).toEqual([...said, "patients known for 2 of 2 images."]);
    expect(synthetic).toBe(true);
    expect(evaluation.test).toMatchObject({ n: 2, groups: 1, cancer: 1 });
    const rows = await rowsOf(join(out, "predictions.csv"));
    expect(rows.map(({ path, label }) => [path, label])).toEqual([
      ["CANCER/a.png", "Cancer"],
      ["no/b.png", "Non-Cancer"],
    ]);
    expect((await explainFolder(options)).notes).toEqual(expect.arrayContaining(said));

    await put("manifest.csv", "path,patientid\nCANCER/a.png,p1\n");
    const broken = { ...options, out: join(folder, "o-broken") };
    await expect(evaluateFolder(broken)).rejects.toThrow(/"patientid" looks like patient_id/);
    await expect(explainFolder(broken)).rejects.toThrow(/"patientid" looks like patient_id/);
    await expect(readdir(broken.out)).rejects.toThrow(/ENOENT/);
    data = before;
  });

  test("a folder of results that is used again keeps nothing of the run before but what is the person's own", async () => {
    const before = data;
    const out = join(folder, "o-again");
    await evaluateFolder({ model, data, out, seed: 1 });
    await explainFolder({ model, data, out });
    await writeFile(join(out, "plots", "mine.svg"), "kept");
    await writeFile(join(out, "overlays", "mine.png"), "kept");
    data = join(folder, "one scan");
    await put("Cancer/a.png", await headPng(WIDTH, HEIGHT, { x: 90, y: 90, radius: 16 }));
    await evaluateFolder({ model, data, out, seed: 1 });
    await explainFolder({ model, data, out });
    data = before;
    const html = await readFile(join(out, "report.html"), "utf8");
    const plots = await readdir(join(out, "plots"));
    expect(plots).toContain("mine.svg");
    expect(plots.filter((name) => name.endsWith(".png"))).toHaveLength(html.match(/<svg role="img"/g)?.length ?? 0);
    expect((await readdir(join(out, "overlays"))).sort()).toEqual([
      expect.stringMatching(/^Cancer_a\.png-/),
      "mine.png",
    ]);
  });

  test("nothing but bad files is still an answer; a missing folder and a missing model are errors", async () => {
    const before = data;
    data = join(folder, "bad");
    await put("Cancer/a.png", "text");
    const { evaluation } = await evaluateFolder({ model, data, out: join(folder, "o2"), seed: 1 });
    expect(evaluation.test.n).toBe(0);
    expect(evaluation.test.accuracy.value).toBeNull();
    expect(await rowsOf(join(folder, "o2", "predictions.csv"))).toHaveLength(1);
    data = before;
    const options = { model, out: join(folder, "o3"), seed: 1 };
    await expect(evaluateFolder({ ...options, data: join(folder, "none") })).rejects.toThrow(ConfigurationError);
    await expect(evaluateFolder({ ...options, data: join(data, "elsewhere") })).rejects.toThrow(/no scan in Cancer/);
    await expect(evaluateFolder({ ...options, data, model: join(folder, "none") })).rejects.toThrow(UnusableModelError);
  });
});

describe("evaluateTestSplit", () => {
  let classifier: Classifier;

  beforeAll(async () => {
    classifier = await loadClassifier(model);
  });
  afterAll(() => classifier.dispose());

  const row = (i: number, ill: boolean, spot = ill) => {
    const pixels = new Uint8Array(
      headPixels(WIDTH, HEIGHT, spot ? { x: 70 + i * 9, y: 90, radius: 16 } : undefined, i),
    );
    return {
      source: `${ill ? "Cancer" : "Non-Cancer"}/scan-${i}.png`,
      label: ill ? ("Cancer" as const) : ("Non-Cancer" as const),
      group: `g${i >> 1}`,
      collection: i % 4 < 2 ? "north" : "south",
      pixels: applyRecipe({ width: WIDTH, height: HEIGHT, depth: 8, pixels }).pixels,
    };
  };

  test("writes the evaluation below the model's id, splits beside each other, and does nothing twice", async () => {
    const workspace = await openWorkspace(join(folder, "workspace"));
    const { reports } = workspace.buckets;
    const test = Array.from({ length: 12 }, (_, i) => row(i, i % 2 === 0, i === 4 ? false : i % 2 === 0));
    const validation = [row(20, true), row(21, false)];
    const first = await evaluateTestSplit({
      classifier,
      test,
      validation,
      reports,
      seed: 5,
      provenance: { data: "a test" },
      notes: ["A note of mine."],
    });
    expect(first.skipped).toBe(false);
    expect(first.evaluation).toMatchObject({
      test: { n: 12, groups: 6, cancer: 6 },
      validation: { n: 2 },
      collections: [{ name: "north" }, { name: "south" }],
      confusion: { truePositive: 5, falseNegative: 1, trueNegative: 6, falsePositive: 0 },
    });
    const names: string[] = [];
    for await (const object of reports.listAll(`evaluation/${BRIGHT_SPOT.id}/`))
      names.push(object.name.split("/").pop() ?? "");
    expect(names).toEqual(expect.arrayContaining(["evaluation.json", "predictions.csv", "report.html", "roc.svg"]));
    // Scan by scan, for what compares models; a scan that the guard refuses has no answer.
    const scans = (await readScans(reports, BRIGHT_SPOT.id)) ?? [];
    expect(scans).toHaveLength(12);
    expect(scans.map(({ id, group, collection, label }) => ({ id, group, collection, label }))).toEqual(
      test.map(({ source, group, collection, label }) => ({ id: source, group, collection, label })),
    );
    const html = (await reports.read(`evaluation/${BRIGHT_SPOT.id}/report.html`)).toString();
    expect(html).toContain("A note of mine.");
    expect(html).toContain("No group crosses");
    expect(html).toContain("Cancer/scan-4.png");
    expect(await readEvaluation(reports, BRIGHT_SPOT.id)).toEqual(JSON.parse(JSON.stringify(first.evaluation)));

    const again = await evaluateTestSplit({
      classifier,
      test: [...test].reverse(),
      validation,
      reports,
      seed: 5,
      provenance: { data: "a test" },
    });
    expect(again).toEqual({ evaluation: JSON.parse(JSON.stringify(first.evaluation)), skipped: true });
    const grown = await evaluateTestSplit({
      classifier,
      test: test.slice(1),
      validation,
      reports,
      seed: 5,
      provenance: { data: "a test" },
    });
    expect(grown.skipped).toBe(false);
    expect(grown.evaluation.test.n).toBe(11);
    await workspace.close();
  });
});

describe("explainFolder", () => {
  test("one row and one overlay of the original's size a scan; the maximum lies on the lesion", async () => {
    const out = join(folder, "explained");
    expect(await explainFolder({ model, data, out })).toMatchObject({ explained: 19, rejected: 5 });
    expect((await readFile(join(out, "explain.csv"), "utf8")).startsWith("path,x,y,")).toBe(true);
    const rows = await rowsOf(join(out, "explain.csv"));
    expect(rows).toHaveLength(19);
    expect(new Set(rows.map((row) => row.overlay)).size).toBe(19);
    for (const row of rows) {
      const { width = 0, height = 0, format } = await sharp(join(out, row.overlay as string)).metadata();
      const original = await sharp(join(data, row.path as string)).metadata();
      expect({ width, height, format }).toEqual({ width: original.width, height: original.height, format: "png" });
      expect(Number(row.x)).toBeGreaterThanOrEqual(0);
      expect(Number(row.x)).toBeLessThan(width);
      expect(Number(row.y)).toBeLessThan(height);
      const folderName = (row.path as string).split("/")[0] as string;
      expect(row.label).toBe(folderName === "Unlabelled" ? "" : folderName);
      expect(row.decision).toBe(Number(row.probability) >= BRIGHT_SPOT.threshold ? "Cancer" : "Non-Cancer");
      const spot = spots.get(row.path as string);
      if (spot) expect(Math.hypot(Number(row.x) - spot.x, Number(row.y) - spot.y)).toBeLessThan(spot.radius);
    }
    const rejected = await rowsOf(join(out, "rejected.csv"));
    expect(rejected.map((row) => row.reason).sort()).toEqual([
      "empty-file",
      "outside-label-folders",
      "outside-label-folders",
      "truncated",
      "unsupported-format",
    ]);
    for (const row of rejected) expect(row.message).not.toBe("");
  });
});

import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import pino from "pino";
import sharp from "sharp";
import { type Evaluation, evaluateFolder } from "../../../runtime/evaluate";
import { type FittedGuard, SKULL } from "../../../runtime/guard";
import { DESCRIPTOR_SIZE, describePicture } from "../../../runtime/guard/descriptor";
import { applyRecipeGrey } from "../../../runtime/imaging";
import { type Classifier, loadClassifier, scoreScan } from "../../../runtime/model";
import { openWorkspace } from "../../../runtime/platform/workspace";
import { currentModel, setCurrent } from "../../../runtime/registry";
import { buildServer, type Prediction } from "../../../runtime/serve";
import { useBackend } from "../../../runtime/tensorflow";
import { BRIGHT_SPOT, headPixels, headPng } from "../../support/bright-spot";
import { brightSpotNetwork, saveModel } from "../../support/bright-spot-model";

const SPOT = { x: 120, y: 90, radius: 16 };
/** Too small to be sure of: its probability lies between the others'. */
const FAINT = { x: 120, y: 90, radius: 10 };

let folder: string;
let noise: Buffer;

/** Takes what looks like one drawn head, more or less; as guards from before CT was refused, which these heads look like. */
function headGuard(): FittedGuard {
  const pixels = new Uint8Array(headPixels(240, 200));
  const mean = describePicture(applyRecipeGrey({ width: 240, height: 200, depth: 8, pixels }).grey);
  const factor = new Float32Array((DESCRIPTOR_SIZE * (DESCRIPTOR_SIZE + 1)) / 2);
  for (let row = 0; row < DESCRIPTOR_SIZE; row++) factor[(row * (row + 1)) / 2 + row] = 1;
  const parameters = {
    mean: Float32Array.from(mean),
    scale: new Float32Array(DESCRIPTOR_SIZE).fill(0.3),
    factor,
  };
  return { parameters, threshold: 0.5, scans: 200, falseAlarms: 0.01 };
}

beforeAll(async () => {
  await useBackend("wasm");
  folder = await mkdtemp(join(tmpdir(), "decisions-"));
  const values = Uint8Array.from({ length: 200 * 200 }, (_, i) => (i * 7919 * (i % 13)) % 256);
  noise = await sharp(values, { raw: { width: 200, height: 200, channels: 1 } })
    .png()
    .toBuffer();
  const network = brightSpotNetwork();
  const plain = join(folder, "plain");
  await saveModel(plain, network, BRIGHT_SPOT);
  const classifier = await loadClassifier(plain);
  const faint = (await scoreScan(await headPng(240, 200, FAINT), classifier)).probability;
  classifier.dispose();
  const band = {
    low: Math.max(0, faint - 0.01),
    high: Math.min(1, faint + 0.01),
    validation: { images: 100, referred: 0.2, kept: 0.97, all: 0.92 },
  };
  await saveModel(join(folder, "careful"), network, { ...BRIGHT_SPOT, uncertain: band }, headGuard());
  await saveModel(join(folder, "warm"), network, { ...BRIGHT_SPOT, temperature: 4, offset: -0.5 });
  network.dispose();
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function withModel<T>(name: string, work: (classifier: Classifier) => Promise<T>): Promise<T> {
  const classifier = await loadClassifier(join(folder, name));
  try {
    return await work(classifier);
  } finally {
    classifier.dispose();
  }
}

describe("a model that calibrates, refers and refuses", () => {
  it("answers with the calibrated probability everywhere; a model without a calibration as before", async () => {
    const scan = await headPng(240, 200, SPOT);
    const raw = await withModel("plain", async (model) => (await scoreScan(scan, model)).probability);
    const calibrated = await withModel("warm", async (model) => (await scoreScan(scan, model)).probability);
    expect(Math.log(calibrated / (1 - calibrated))).toBeCloseTo(Math.log(raw / (1 - raw)) / 4 - 0.5, 2);
  });

  it("refers what lies in its band, and takes noise for no scan; one without a guard answers for noise", async () => {
    await withModel("careful", async (model) => {
      const faint = await scoreScan(await headPng(240, 200, FAINT), model);
      expect(faint.decision).toBe("Uncertain");
      expect(["Cancer", "Non-Cancer"]).toContain(faint.label);
      expect((await scoreScan(await headPng(240, 200, SPOT), model)).decision).toBe("Cancer");
      expect((await scoreScan(await headPng(240, 200), model)).decision).toBe("Non-Cancer");
      await expect(scoreScan(noise, model)).rejects.toMatchObject({ code: "not-a-brain-scan" });
    });
    await withModel("plain", async (model) => expect((await scoreScan(noise, model)).pages).toBe(1));
  });

  it("of a file with a foreign page, the others speak", async () => {
    const page = (pixels: Buffer) => pixels;
    const pages = [
      Buffer.from(Uint8Array.from({ length: 48_000 }, (_, i) => (i * 7919 * (i % 13)) % 256)),
      headPixels(240, 200, SPOT),
    ];
    const tiff = await sharp(Buffer.concat(pages.map(page)), {
      raw: { width: 240, height: 400, channels: 1, pageHeight: 200 },
    })
      .tiff({ compression: "none" })
      .toBuffer();
    const scored = await withModel("careful", (model) => scoreScan(tiff, model));
    expect(scored).toMatchObject({ page: 2, pages: 1, decision: "Cancer" });
    expect(scored.rejectedPages).toMatchObject([{ page: 1, reason: { code: "not-a-brain-scan" } }]);
  });

  it("stores the guard under its hash, and refuses one that was changed or measures something else", async () => {
    const directory = join(folder, "careful");
    const bytes = await readFile(join(directory, "guard.bin"));
    await writeFile(join(directory, "guard.bin"), Buffer.concat([bytes.subarray(1), Buffer.of(1)]));
    await expect(loadClassifier(directory)).rejects.toMatchObject({ code: "damaged-file" });
    await writeFile(join(directory, "guard.bin"), bytes);
    const metadata = await readFile(join(directory, "metadata.json"), "utf8");
    await writeFile(
      join(directory, "metadata.json"),
      metadata.replace(/"descriptor": "[^"]+"/, '"descriptor": "d0-1"'),
    );
    await expect(loadClassifier(directory)).rejects.toMatchObject({ code: "other-recipe" });
    await writeFile(join(directory, "metadata.json"), metadata.replace('"guard": {', '"guard": {"skull": "s0-1",'));
    await expect(loadClassifier(directory)).rejects.toMatchObject({
      code: "other-recipe",
      message: expect.stringContaining("tells CT by the rule s0-1"),
    });
    await writeFile(
      join(directory, "metadata.json"),
      metadata.replace('"guard": {', `"guard": {"skull": "${SKULL.id}",`),
    );
    await withModel("careful", (model) =>
      expect(headPng(240, 200, SPOT).then((head) => scoreScan(head, model))).rejects.toMatchObject({
        code: "not-a-brain-scan",
        message: expect.stringContaining("shell of bone"),
      }),
    );
    await writeFile(join(directory, "metadata.json"), metadata);
  });

  it("evaluate writes Uncertain and Rejected, measures what was decided, and counts the guard's refusals", async () => {
    const data = join(folder, "data");
    for (const name of ["Cancer", "Non-Cancer", "Unlabelled"]) await mkdir(join(data, name), { recursive: true });
    for (let i = 0; i < 4; i++) {
      await writeFile(join(data, `Cancer/ill-${i}.png`), await headPng(240, 200, { ...SPOT, x: 100 + 12 * i }, i));
      await writeFile(join(data, `Non-Cancer/well-${i}.png`), await headPng(240, 200, undefined, i));
    }
    await writeFile(join(data, "Cancer/faint.png"), await headPng(240, 200, FAINT));
    await writeFile(join(data, "Cancer/noise.png"), noise);
    await writeFile(join(data, "Unlabelled/noise too.png"), noise);
    await writeFile(
      join(data, "manifest.csv"),
      "path,subtype,view\nCancer/ill-0.png,glioma,axial\nCancer/ill-1.png,meningioma,sagittal\n",
    );
    const out = join(folder, "out");
    await evaluateFolder({ model: join(folder, "careful"), data, out, seed: 1 });
    const rows = parse(await readFile(join(out, "predictions.csv")), { columns: true }) as Record<string, string>[];
    const decisions = new Map(rows.map((row) => [row.path, row.decision]));
    expect(decisions.get("Cancer/faint.png")).toBe("Uncertain");
    expect(decisions.get("Cancer/ill-2.png")).toBe("Cancer");
    for (const path of ["Cancer/noise.png", "Unlabelled/noise too.png"]) {
      expect(rows.find((row) => row.path === path)).toMatchObject({
        decision: "Rejected",
        probability: "",
        reason: "not-a-brain-scan",
      });
    }
    const evaluation = JSON.parse(await readFile(join(out, "evaluation.json"), "utf8")) as Evaluation;
    expect(evaluation.test.n).toBe(9);
    expect(evaluation.rejected).toEqual({ "not-a-brain-scan": 2 });
    expect(evaluation.guard).toMatchObject({ scans: 10, refused: { value: 0.1 }, refusedCancer: { value: 1 / 6 } });
    // The faint one lies above the threshold; the refused one is in no other metric.
    const { recall, tumours } = evaluation.test;
    expect(tumours).toMatchObject({ scans: 6, refused: 1, found: { value: ((recall.value as number) * 5) / 6 } });
    expect(evaluation.verdict.reasons).not.toContain("no-guard");
    expect(evaluation.selective).toMatchObject({
      referred: { value: expect.closeTo(1 / 9) },
      accuracyKept: { value: 1 },
    });
    expect(evaluation.subtypes.map(({ name }) => name)).toEqual(["glioma", "meningioma"]);
    expect(evaluation.views.map(({ name }) => name)).toEqual(["axial", "sagittal"]);
    expect(evaluation.shortcuts?.probes.map(({ name }) => name)).toEqual([
      "header",
      "border",
      "histogram",
      "border + histogram",
    ]);
    const report = await readFile(join(out, "report.html"), "utf8");
    const card = await readFile(join(out, "model-card.md"), "utf8");
    expect(card).toContain(`# Model ${BRIGHT_SPOT.id}`);
    expect(card).toMatch(/not for diagnostic use/i);
    expect(card).toMatch(/a probe that sees only the border: AUC/);
    expect(card).toMatch(/it refers to a person/);
    expect(evaluation.headline).toEqual({
      ...{ sensitivity: tumours?.found, withoutGuard: recall },
      ...{ tumours: 6, refused: 1 },
    });
    expect(card).toMatch(/Of 6 tumours it refuses 1; with those counted as missed, sensitivity is 0\.833/);
    // The headline stands first, and the figure without it right below.
    expect(report).toMatch(/<dt>Sensitivity \(recall\)<\/dt><dd class="value">0\.833/);
    expect(report).toMatch(/Sensitivity, refused ones missed.*the 1 of 6 tumours that the input guard refuses/);
    expect(card).not.toMatch(/undefined|NaN|null/);
    for (const title of ["From probability to decision", "Input guard", "Shortcut audit", "False alarms", "Missed"]) {
      expect(report).toContain(title);
    }
  });

  it("the server says Uncertain, keeps it for the audit, and answers 422 for what is no scan", async () => {
    const workspace = await openWorkspace(join(folder, "workspace"));
    const { models, reports } = workspace.buckets;
    for (const name of ["model.json", "weights.bin", "model.onnx", "guard.bin", "metadata.json"]) {
      await models.write(`${BRIGHT_SPOT.id}/${name}`, await readFile(join(folder, "careful", name)));
    }
    await setCurrent(models, { model: BRIGHT_SPOT.id, reason: "A test." }, await currentModel(models), new Date(0));
    const app = await buildServer({ models, reports, warehouse: workspace.warehouse, log: pino({ level: "silent" }) });
    try {
      const post = (payload: Buffer) => app.inject({ method: "POST", url: "/v1/predictions", payload });
      const answer = (await post(await headPng(240, 200, FAINT))).json<Prediction>();
      expect(answer.decision).toBe("Uncertain");
      expect(answer.uncertain?.low).toBeLessThanOrEqual(answer.probability);
      const refused = await post(noise);
      expect(refused.statusCode).toBe(422);
      expect(refused.headers["content-type"]).toMatch(/application\/problem\+json/);
      expect(refused.json()).toMatchObject({
        code: "not-a-brain-scan",
        detail: expect.stringMatching(/does not look like/),
      });
      const audit = await workspace.warehouse.rows("predictions");
      expect(audit.map(({ row }) => row.decision)).toEqual(["Uncertain"]);
      const model = (await app.inject({ method: "GET", url: "/v1/model" })).json<{
        guard: boolean;
        uncertain: object;
      }>();
      expect(model).toMatchObject({ guard: true, uncertain: { low: answer.uncertain?.low } });
    } finally {
      await app.close();
      await workspace.close();
    }
  });
});

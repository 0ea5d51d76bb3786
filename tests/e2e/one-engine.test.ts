import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "csv-parse/sync";
import pino from "pino";
import sharp from "sharp";
import { evaluateFolder } from "../../runtime/evaluate";
import { explainFolder } from "../../runtime/explain";
import { ingestStep } from "../../runtime/ingest";
import { loadClassifier } from "../../runtime/model";
import { silentProgress } from "../../runtime/platform/progress";
import { openWorkspace } from "../../runtime/platform/workspace";
import { ScoreService } from "../../runtime/score/service";
import { buildServer, type Prediction } from "../../runtime/serve";
import { useBackend } from "../../runtime/tensorflow";
import { BRIGHT_SPOT, headPixels, lopsidedNetwork, saveNetwork } from "../support/bright-spot-model";
import { drive } from "../support/drive-scoring";
import { promote } from "../support/served-model";

let root: string;
beforeAll(() => {
  process.env.LOG_LEVEL = "fatal";
  root = mkdtempSync(join(tmpdir(), "one-engine-"));
});
afterAll(() => rmSync(root, { recursive: true }));

/** Heads with a spot at some place, as files of several kinds: name -> bytes. */
async function drawScans(): Promise<ReadonlyMap<string, Buffer>> {
  const [width, height] = [150, 180];
  const page = (i: number) => headPixels(width, height, { x: 50 + 5 * i, y: 60 + 7 * i, radius: 4 + i }, i);
  const raw = { width, height, channels: 1 } as const;
  const deep = (pixels: Buffer) => Uint16Array.from(pixels, (value) => 200 * value + (value % 7));
  const pages = (...which: number[]) => Buffer.concat(which.map(page));
  const stack = { ...raw, height: 3 * height, pageHeight: height };
  return new Map([
    ["Cancer/eight.png", await sharp(page(0), { raw }).png().toBuffer()],
    [
      "Cancer/sixteen.png",
      await sharp(deep(page(1)), { raw })
        .toColourspace("grey16")
        .png()
        .toBuffer(),
    ],
    ["Cancer/photo.jpg", await sharp(page(2), { raw }).jpeg({ quality: 90 }).toBuffer()],
    [
      "Non-Cancer/pages.tif",
      await sharp(pages(3, 4, 5), { raw: stack })
        .tiff({ compression: "none" })
        .toBuffer(),
    ],
    [
      "Non-Cancer/deep-pages.tif",
      await sharp(deep(pages(6, 7, 8)), { raw: stack })
        .toColourspace("grey16")
        .tiff({ compression: "lzw" })
        .toBuffer(),
    ],
  ]);
}

it("evaluate, explain, score and serve give a scan the same probability", async () => {
  await useBackend("wasm");
  const scans = await drawScans();
  const data = join(root, "data");
  for (const label of ["Cancer", "Non-Cancer"]) mkdirSync(join(data, label), { recursive: true });
  for (const [name, bytes] of scans) writeFileSync(join(data, name), bytes);
  const workspace = await openWorkspace(join(root, "workspace"));
  const model = join(fileURLToPath(workspace.buckets.models.uri), BRIGHT_SPOT.id);
  await saveNetwork(model, lopsidedNetwork(), { views: "mirrored-two-sizes", temperature: 2.5, offset: 0.3 });
  await promote(workspace);

  const table = (path: string) => parse(readFileSync(path), { columns: true }) as Record<string, string>[];
  const answers = (rows: readonly Record<string, string>[]) =>
    new Map(rows.map(({ path, probability }) => [path, Number(probability)]));
  await evaluateFolder({ model, data, out: join(root, "evaluated"), seed: 1 });
  const evaluated = answers(table(join(root, "evaluated", "predictions.csv")));
  await explainFolder({ model, data, out: join(root, "explained") });
  const explained = answers(table(join(root, "explained", "explain.csv")));

  const { warehouse } = workspace;
  const context = { workspace, seed: 0, progress: silentProgress, signal: new AbortController().signal };
  await ingestStep({ ...context, log: pino({ level: "silent" }) }, { data });
  const service = new ScoreService(workspace);
  // Every page is a picture of its own here.
  expect(await drive(service)).toMatchObject({ scored: 9, skipped: 0 });
  await service.close();
  const bySha = new Map((await warehouse.rows("predictions")).map(({ row }) => [row.sha256, row.probability]));

  const { models, reports } = workspace.buckets;
  const app = await buildServer({ models, reports, warehouse, log: pino({ level: "silent" }) });
  const served = new Map<string, Prediction>();
  for (const [name, payload] of scans)
    served.set(name, (await app.inject({ method: "POST", url: "/v1/predictions", payload })).json<Prediction>());
  await app.close();

  const classifier = await loadClassifier(model);
  const all: number[] = [];
  for (const [name, bytes] of scans) {
    const { probability, slices } = await classifier.score(bytes);
    all.push(probability);
    for (const other of [evaluated.get(name), explained.get(name), served.get(name)?.probability])
      expect(Math.abs((other as number) - probability)).toBeLessThan(1e-6);
    // Score answers for every page by itself, from the curated picture.
    for (const slice of slices) expect(bySha.get(slice.sha256)).toBeCloseTo(slice.probability, 6);
    expect(slices).toHaveLength(name.includes("pages") ? 3 : 1);
  }
  // They were not all answered alike for want of anything to see.
  expect(new Set(all.map((p) => p.toFixed(4))).size).toBeGreaterThan(3);
  await classifier.dispose();
  await workspace.close();
});

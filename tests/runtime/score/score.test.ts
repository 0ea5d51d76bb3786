import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { curatedName, curatedPixels } from "../../../runtime/dataset";
import { evaluateScored } from "../../../runtime/evaluate";
import { decodeColourPng, type GreyImage, RECIPE, replicate } from "../../../runtime/imaging";
import { loadClassifier, modelFilesInStore } from "../../../runtime/model";
import { createLogger } from "../../../runtime/platform/logging";
import { silentProgress } from "../../../runtime/platform/progress";
import { openWorkspace, type Workspace } from "../../../runtime/platform/workspace";
import { setCurrent } from "../../../runtime/registry";
import { scoreStep } from "../../../runtime/score";
import { scoreContract } from "../../../runtime/score/contract";
import { main } from "../../../runtime/score/main";
import type { ScoringBatch } from "../../../runtime/score/scoring";
import { ScoreService } from "../../../runtime/score/service";
import { newestStudyAnswer, type StudyAnswer, studyOverlay } from "../../../runtime/study";
import { BRIGHT_SPOT, headPixels, saveBrightSpot } from "../../support/bright-spot";
import { ask, drive, parse } from "../../support/drive-scoring";
import { land } from "../preprocess/landed";

const ROOT = resolve(__dirname, "../../..");
const folders: string[] = [];
const opened: { close(): Promise<void> }[] = [];
afterAll(async () => {
  for (const one of opened) await one.close();
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

async function served(): Promise<{ space: Workspace; service: ScoreService }> {
  const folder = await mkdtemp(join(tmpdir(), "score-"));
  folders.push(folder);
  const space = await openWorkspace(folder);
  const service = new ScoreService(space);
  opened.push(service, space);
  return { space, service };
}

/** Makes the bright-spot model the one that is served. */
async function promote(space: Workspace): Promise<void> {
  await saveBrightSpot(join(fileURLToPath(space.buckets.models.uri), BRIGHT_SPOT.id));
  const next = { model: BRIGHT_SPOT.id, reason: "The test says so." };
  await setCurrent(space.buckets.models, next, undefined, new Date(0));
}

function head(variant: number, bright: boolean): GreyImage {
  const [width, height] = [120, 140];
  const spot = bright ? { x: 60, y: 70, radius: 22 } : undefined;
  return { width, height, depth: 8, pixels: new Uint8Array(headPixels(width, height, spot, variant)) };
}

/** What the step on one machine does. */
const counts = (workspace: Workspace) =>
  scoreStep({
    ...{ workspace, seed: 0, log: createLogger("score") },
    ...{ progress: silentProgress, signal: new AbortController().signal },
  });

describe("the service of the Spark step", () => {
  test("answers once for every picture that lies there, as the current model does, and for new ones only", async () => {
    const { space, service } = await served();
    expect(await drive(service)).toMatchObject({ scored: 0, notes: [expect.stringMatching(/no model here yet/)] });
    await promote(space);
    expect(await drive(service)).toMatchObject({ scored: 0, notes: [expect.stringMatching(/no curated image here/)] });

    for (const bright of [true, false])
      for (const variant of [1, 2]) await land(space, `Cancer/${bright}-${variant}.png`, head(variant, bright));
    // A second name of the same pixels, and a file that is gone.
    await land(space, "Non-Cancer/again.png", head(1, true));
    const gone = await land(space, "Cancer/gone.png", head(3, true));
    await space.buckets.curated.delete(`images/${gone.sha256}.png`);
    expect(await drive(service)).toMatchObject({
      scored: 4,
      skipped: 0,
      rejections: [{ reason: "curated-missing", message: expect.stringContaining(String(gone.sha256)) }],
    });

    const rows = (await space.warehouse.rows("predictions")).map(({ row }) => row);
    expect(new Set(rows.map(({ sha256 }) => sha256)).size).toBe(4);
    expect(rows.map(({ label }) => label).sort()).toEqual(["Cancer", "Cancer", "Non-Cancer", "Non-Cancer"]);
    const classifier = await loadClassifier(modelFilesInStore(space.buckets.models, BRIGHT_SPOT.id));
    opened.push({ close: async () => classifier.dispose() });
    for (const row of rows) {
      expect(row).toMatchObject({ model: BRIGHT_SPOT.id, recipe: RECIPE.id, threshold: classifier.metadata.threshold });
      // That of serve's answer for the same pixels.
      expect(row.id).toBe(createHash("sha256").update(BRIGHT_SPOT.id).update(row.sha256).digest("hex"));
    }

    // The same answer gave the features: those of serve and of Spark.
    const seen = (await space.warehouse.rows("features_deep")).map(({ row }) => row);
    expect(seen.map(({ sha256 }) => sha256).sort()).toEqual(rows.map(({ sha256 }) => sha256).sort());
    for (const row of seen) {
      expect(row).toMatchObject({ backbone: BRIGHT_SPOT.id, recipe: RECIPE.id });
      const pixels = await curatedPixels(space.buckets.curated, {
        object: curatedName(row.sha256),
        sha256: row.sha256,
      });
      const [answer] = await classifier.answer([replicate(pixels as Uint8Array)]);
      expect(row.features).toEqual(Array.from(answer?.features ?? []));
    }
    expect(new Set(seen.map(({ id }) => id)).size).toBe(4);

    expect(await drive(service)).toMatchObject({ scored: 0, skipped: 4, rejections: [{ reason: "curated-missing" }] });
    await land(space, "Cancer/new.png", head(7, false));
    expect(await drive(service)).toMatchObject({ scored: 1, skipped: 4 });
  });

  test("answers every study once, again when it has more slices or is answered by a rule, and says what is not told", async () => {
    const { space, service } = await served();
    await promote(space);
    const [study, series] = ["2.25.7", "2.25.8"];
    const slice = (number: number, bright: boolean) =>
      land(space, `Unlabelled/gateway/${study}/${series}/2.25.${number}.dcm`, head(number, bright), {
        ...{ study, series, instance: `2.25.${number}` },
      });
    await slice(1, false);
    await slice(2, true);
    await land(space, "Cancer/no-study.png", head(9, true));
    expect(await counts(space)).toMatchObject({ items: 3, notes: ["Studies with a new answer of their own: 1."] });
    const first = await newestStudyAnswer(space.buckets.reports, study);
    expect(first).toMatchObject({
      ...{ study, revision: 1, model: BRIGHT_SPOT.id },
      whole: { reason: expect.stringContaining("No evaluation of this model") },
      slices: [
        { instance: "2.25.2", page: 1, decision: "Cancer" },
        { instance: "2.25.1", page: 1, decision: "Non-Cancer" },
      ],
    });
    // Where the bright spot is, in the picture as it stands upright.
    expect(Math.hypot((first?.peak.x ?? 0) - 60, (first?.peak.y ?? 0) - 70)).toBeLessThan(25);
    // A picture of it with the map over it, by which an archive of the hospital is told; erasure finds it by the slice.
    const { overlay, slices } = first as StudyAnswer;
    const name = studyOverlay(study, String(overlay));
    const picture = await space.buckets.reports.read(name);
    expect(createHash("sha256").update(picture).digest("hex")).toBe(overlay);
    const { width, height, samples } = await decodeColourPng(picture, 2 ** 20);
    expect([width, height]).toEqual([120, 140]);
    const coloured = Array.from({ length: width * height }, (_, i) => samples[3 * i] !== samples[3 * i + 2]);
    expect(coloured[(first?.peak.y ?? 0) * width + (first?.peak.x ?? 0)]).toBe(true);
    expect((await space.buckets.reports.stat(name))?.metadata).toEqual({
      picture: slices[0]?.sha256,
      instance: "2.25.2",
    });
    await drive(service);
    expect((await counts(space)).notes).toEqual([]);

    const test = { path: "", label: "Cancer" as const, group: "", probability: 0 };
    const images = Array.from({ length: 40 }, (_, i) => ({
      ...{
        ...test,
        path: `${i}`,
        group: `g${i}`,
        study: `s${i >> 1}`,
        label: i % 4 < 2 ? test.label : ("Non-Cancer" as const),
      },
      probability: i % 4 < 2 ? 0.9 : 0.2,
    }));
    const classifier = await loadClassifier(modelFilesInStore(space.buckets.models, BRIGHT_SPOT.id));
    opened.push({ close: async () => classifier.dispose() });
    const evaluation = await evaluateScored({
      ...{ metadata: classifier.metadata, dataset: "d", test: images, validation: images, seed: 1 },
    });
    expect(evaluation.study).toMatchObject({ rule: { statistic: "rank-1" }, test: { n: 20, cancer: 10 } });
    await space.buckets.reports.write(`evaluation/${BRIGHT_SPOT.id}/evaluation.json`, JSON.stringify(evaluation));
    await drive(service);
    const second = await newestStudyAnswer(space.buckets.reports, study);
    expect(second).toMatchObject({
      ...{ revision: 2, pictures: first?.pictures },
      whole: {
        decision: "Cancer",
        verdict: evaluation.study && "verdict" in evaluation.study ? evaluation.study.verdict : {},
      },
    });
    await slice(3, true);
    await counts(space);
    const third = await newestStudyAnswer(space.buckets.reports, study);
    expect([third?.revision, third?.slices.length]).toEqual([3, 3]);
    expect(third?.pictures).not.toBe(first?.pictures);
    // Whose it is, the hospital knows alone.
    expect(Object.keys(third ?? {})).toEqual(expect.not.arrayContaining(["patient", "accession"]));
  });

  test("adds the features of pictures that were answered for before there was a table of them, and no second answer", async () => {
    const { space, service } = await served();
    await promote(space);
    for (const variant of [1, 2, 3]) await land(space, `Cancer/${variant}.png`, head(variant, true));
    await drive(service);
    const answers = await space.warehouse.rows("predictions");
    const features = await space.warehouse.rows("features_deep");
    for (const { batch } of features.slice(0, 1)) await space.buckets.warehouse.delete(`features_deep/${batch}.jsonl`);
    await land(space, "Unlabelled/new.png", head(4, false));

    expect(await counts(space)).toEqual({ items: 4, skipped: 0, rejected: 0, notes: [] });
    expect((await space.warehouse.rows("predictions")).length).toBe(answers.length + 1);
    const again = (await space.warehouse.rows("features_deep")).map(({ row }) => row);
    expect(again.length).toBe(4);
    for (const { row } of features)
      expect(again.find(({ id }) => id === row.id)).toEqual({ ...row, extracted_at: expect.any(String) });
    expect(await counts(space)).toEqual({ items: 0, skipped: 4, rejected: 0, notes: [] });
    expect(await drive(service)).toMatchObject({ scored: 0, skipped: 4 });
  });

  test("takes no pixels that are not those of the keys, no other model's batch and no request that it does not know", async () => {
    const { space, service } = await served();
    await promote(space);
    const row = await land(space, "Cancer/a.png", head(1, true));
    const [planned] = await ask(service, { type: "plan-scoring" });
    const batch = parse(planned) as ScoringBatch;
    const made = [row.sha256];
    await expect(ask(service, { type: "score", batch, made }, Buffer.alloc(5))).rejects.toThrow(
      /The pixels of 1 images have 16384 bytes, not 5/,
    );
    const other = { ...batch, model: "another" };
    await expect(ask(service, { type: "score", batch: other, made }, Buffer.alloc(16_384))).rejects.toThrow();
    await expect(ask(service, { type: "make" })).rejects.toThrow(/no request of the type "make"/);
    expect((await ask(service, { type: "hello" }))[0]?.header).toEqual({ recipe: RECIPE.id });
  });
});

describe("its process", () => {
  test("names every variable that is missing, and no bucket that is not its own", async () => {
    const failure = await main({}).catch((error: Error) => error.message);
    expect(failure).toMatch(/CURATED_BUCKET[\s\S]*MODELS_BUCKET[\s\S]*REPORTS_BUCKET[\s\S]*WAREHOUSE/);
    expect(failure).not.toMatch(/PROCESSED|LANDING|QUARANTINE/);
    expect(scoreContract.target).toBe(main.name);
  });

  test("answers frames on its pipes under the environment of its contract, and exits with 0 when they end", async () => {
    const { space } = await served();
    const { curated, models, warehouse } = space.buckets;
    const requests = [{ type: "hello" }, { type: "plan-scoring" }];
    const input = Buffer.concat(
      requests.map((header) => {
        const text = Buffer.from(JSON.stringify(header));
        const head = Buffer.alloc(8);
        head.writeUInt32BE(text.length, 0);
        return Buffer.concat([head, text]);
      }),
    );
    const run = spawnSync(process.execPath, [join(ROOT, "dist/runtime/score/main.js")], {
      input,
      env: {
        ...{ CURATED_BUCKET: curated.uri, MODELS_BUCKET: models.uri, WAREHOUSE: warehouse.uri },
        REPORTS_BUCKET: space.buckets.reports.uri,
      },
    });
    expect([run.status, run.stderr.toString()]).toEqual([0, ""]);
    expect(run.stdout.toString()).toContain(RECIPE.id);
    expect(run.stdout.toString()).toContain("there is no model here yet");
  });
});

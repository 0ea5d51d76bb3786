import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import {
  currentImages,
  historyName,
  keptAnswerName,
  keptPageName,
  LABEL_WITHDRAWN,
  type Learning,
  labelsOfFeedback,
  learnFromFeedback,
  readShardRows,
  splitOfNewGroup,
} from "../../../runtime/dataset";
import { find } from "../../../runtime/forget";
import { decodeScan, encodePng, pixelSha256 } from "../../../runtime/imaging";
import { ingestStep } from "../../../runtime/ingest";
import { openIdentities } from "../../../runtime/intake";
import { drawPhantom } from "../../../runtime/phantom";
import { newestFirst } from "../../../runtime/platform/newest-first";
import type { StepContext } from "../../../runtime/platform/step";
import { CURRENT_ASSIGNMENTS, type Row } from "../../../runtime/platform/warehouse";
import { preprocessStep } from "../../../runtime/preprocess";
import { headPng } from "../../support/head";
import { prepareSlices } from "../train/slices";

const AT = new Date("2026-05-01T08:00:00.000Z");
const NOW = new Date("2026-05-10T00:00:00.000Z");
const [ANN, BEA, CLEO] = ["ann@hospital.org", "bea@hospital.org", "cleo@hospital.org"];
const PATIENT = "a".repeat(64);

let root: string;
let context: StepContext;
/** SHA-256 of the pictures of scans by name. */
const picture: Record<string, string> = {};
let said = 0;

beforeAll(async () => {
  process.env.LOG_LEVEL = "fatal";
  root = mkdtempSync(join(tmpdir(), "learning-"));
  context = await prepareSlices(root, "workspace", [
    { name: "Cancer/a.png", patient: 1, split: "train" },
    { name: "Non-Cancer/b.png", patient: 2, split: "train" },
    { name: "Cancer/e.png", patient: 5, split: "test" },
  ]);
  const { landing } = context.workspace.buckets;
  const land = async (name: string, png: Buffer) => void (await landing.create(name, png));
  // Of the data set and without a label, some of it near what is tested on.
  await land("Unlabelled/new.png", await headPng(96, 80, { x: 30, y: 30, radius: 9 }));
  await land("Unlabelled/near.png", await reencoded("Cancer/e.png"));
  await ingestStep(context);
  await preprocessStep(context);
  for (const { source, sha256 } of await currentImages(context.workspace.warehouse)) picture[source] = sha256;
});
afterAll(async () => {
  await context.workspace.close();
  rmSync(root, { recursive: true });
});

/** The same picture in other pixels. */
async function reencoded(name: string): Promise<Buffer> {
  const scan = await context.workspace.buckets.landing.read(name);
  return sharp(await sharp(scan).resize(150).jpeg({ quality: 80 }).toBuffer())
    .toColourspace("b-w")
    .png()
    .toBuffer();
}

interface Answer {
  readonly request: string;
  readonly id: string;
}

/** An answer's row, as if a picture had been scored. */
async function answered(sha256: string): Promise<Answer> {
  const request = `00000000-0000-0000-0000-${String(++said).padStart(12, "0")}`;
  const id = createHash("sha256").update(`${request}`).digest("hex");
  const row = { request, id, model: "m", recipe: "r", probability: 0.9, label: "Cancer", decision: "Cancer" };
  await context.workspace.warehouse.append("predictions", request, [
    { ...row, threshold: 0.5, sha256, predicted_at: AT.toISOString(), who: null, milliseconds: null },
  ]);
  return { request, id };
}

async function say({ request, id }: Answer, who: string, label: string, more: Partial<Row<"feedback">> = {}) {
  const feedback = `feedback-${++said}`;
  const given_at = new Date(AT.getTime() + said * 60_000).toISOString();
  await context.workspace.warehouse.append("feedback", feedback, [
    {
      feedback,
      request,
      id,
      label,
      comment: null,
      who,
      given_at,
      supersedes: null,
      scope: null,
      confirmed: null,
      ...more,
    },
  ]);
}

/** A picture that was sent to the service alone, and is kept of its answer. */
async function sent(scan: Buffer, { pages = 1, patient = null as string | null } = {}) {
  const page = (await decodeScan(scan, {}).next()).value;
  if (!page || !("image" in page)) throw new Error("It is no scan.");
  const [sha256, png] = [pixelSha256(page.image), await encodePng(page.image)];
  const answer = await answered(sha256);
  const { reports } = context.workspace.buckets;
  await reports.create(keptPageName(answer.id, sha256, AT), png);
  const study = { study: "2.25.7", series: "2.25.8", instance: "2.25.9", patient, accession: null };
  const kept = { prediction: { pages }, ...(patient ? { study } : {}) };
  await reports.create(keptAnswerName(answer.id, answer.request, AT), JSON.stringify(kept));
  await reports.create(historyName(AT, answer.request), "", { metadata: { pages: String(pages) } });
  return { sha256, answer };
}

const learn = (consent = true): Promise<Learning> => {
  const { landing, curated, reports } = context.workspace.buckets;
  const stores = { landing, curated, reports, warehouse: context.workspace.warehouse };
  return learnFromFeedback(stores, { consent, now: NOW, signal: new AbortController().signal });
};

/** Takes in what landed, and gives what would be trained on by picture. */
async function trained(): Promise<ReadonlyMap<string, { label: string | null; split: string; group: string }>> {
  await ingestStep(context);
  await preprocessStep(context, { threads: 1 });
  const rows = await readShardRows(context.workspace);
  return new Map(rows.map(({ sha256, label, split, group }) => [sha256, { label, split, group }]));
}

/** Labels that a picture has in the data set, once what landed is taken in. */
async function labelsOf(sha256: string): Promise<readonly string[]> {
  await ingestStep(context);
  const images = (await currentImages(context.workspace.warehouse)).filter((image) => image.sha256 === sha256);
  return images.flatMap(({ label }) => label ?? []);
}

const splits = async () =>
  (await context.workspace.warehouse.ask(CURRENT_ASSIGNMENTS, {})).map(({ id, group, split }) => [id, group, split]);

test("a scan of the data set on which two people agree is learnt from, in its own group and split; without consent not", async () => {
  const sha256 = picture["Unlabelled/new.png"] as string;
  const answer = await answered(sha256);
  await say(answer, ANN, "Cancer");
  await say(await answered(sha256), BEA, "Cancer");
  const before = await splits();
  const object = `Cancer/feedback/${sha256}.png`;
  expect(await labelsOfFeedback(context.workspace.warehouse, NOW)).toMatchObject({ agreed: [{ sha256 }], waiting: 0 });

  expect(await learn(false)).toMatchObject({ landed: [], agreed: 0 });
  expect(await labelsOf(sha256)).toEqual([]);

  expect(await learn()).toMatchObject({ landed: [object], left: [], withdrawn: [] });
  const metadata = (await context.workspace.buckets.landing.stat(object))?.metadata;
  expect(metadata).toMatchObject({ "landed-by": "feedback", "agreed-by": "two people" });
  expect(JSON.stringify(metadata)).not.toMatch(/@/);
  const after = await trained();
  expect(after.get(sha256)).toMatchObject({ label: "Cancer" });
  // Every scan that was there has the group and the split that it had.
  expect(await splits()).toEqual(expect.arrayContaining(before));
  expect(await learn()).toMatchObject({ landed: [], withdrawn: [], restored: [] });

  // A third disagrees, and then agrees; consent is taken back, and given again: nothing is deleted.
  await say(answer, CLEO, "Non-Cancer");
  expect(await learn()).toMatchObject({ withdrawn: [object], contradicted: 1 });
  expect(await labelsOf(sha256)).toEqual([]);
  const rows = (await context.workspace.warehouse.rows("images")).filter(({ row }) => row.source === object);
  expect(rows.map(({ row }) => row.reason).sort()).toEqual([null, LABEL_WITHDRAWN].sort());
  await say(answer, CLEO, "Withdrawn");
  expect(await learn()).toMatchObject({ withdrawn: [], restored: [object], landed: [] });
  expect(await labelsOf(sha256)).toEqual(["Cancer"]);
  expect(await learn(false)).toMatchObject({ withdrawn: [object] });
  expect(await labelsOf(sha256)).toEqual([]);
  expect(await learn()).toMatchObject({ restored: [object] });

  // All of them change their minds.
  for (const who of [ANN, BEA]) await say(answer, who, "Non-Cancer");
  expect(await learn()).toMatchObject({ withdrawn: [object], landed: [`Non-Cancer/feedback/${sha256}.png`] });
  expect(await labelsOf(sha256)).toEqual(["Non-Cancer"]);
});

test("what is near a scan that is tested on, or of its patient, is never learnt from", async () => {
  const near = picture["Unlabelled/near.png"] as string;
  const answer = await answered(near);
  for (const who of [ANN, BEA]) await say(answer, who, "Cancer");
  // Of the service alone, and another encoding of what is tested on.
  const again = await sent(
    await sharp(await reencoded("Cancer/e.png"))
      .resize(140)
      .png()
      .toBuffer(),
  );
  for (const who of [ANN, BEA]) await say(again.answer, who, "Cancer");
  // And another slice of the patient that is tested on.
  const tested = (await currentImages(context.workspace.warehouse)).find(({ source }) => source === "Cancer/e.png");
  const slice = await sent(await headPng(90, 70), { patient: tested?.patient ?? "?" });
  await say(slice.answer, CLEO, "Cancer", { confirmed: true });
  const { left, landed } = await learn();
  expect(landed).toEqual([]);
  for (const sha256 of [near, again.sha256, slice.sha256])
    expect(left).toContainEqual({ sha256, label: "Cancer", reason: "held-out" });
  expect(await labelsOf(near)).toEqual([]);
});

test("a scan that was sent to the service alone lands from what is kept of its answer, as its patient's", async () => {
  const scan = await sent(await headPng(88, 100, { x: 50, y: 60, radius: 12 }), { patient: PATIENT });
  await say(scan.answer, CLEO, "Cancer", { confirmed: true });
  const several = await sent(await headPng(88, 96, { x: 40, y: 20, radius: 5 }), { pages: 3 });
  for (const who of [ANN, BEA]) await say(several.answer, who, "Cancer");
  const damaged = await sent(await headPng(70, 96));
  for (const who of [ANN, BEA]) await say(damaged.answer, who, "Non-Cancer");
  const name = keptPageName(damaged.answer.id, damaged.sha256, AT);
  await context.workspace.buckets.reports.write(name, await headPng(70, 95));
  const gone = await answered("f".repeat(64));
  for (const who of [ANN, BEA]) await say(gone, who, "Non-Cancer");

  const { landed, left } = await learn();
  const object = `Cancer/feedback/${scan.sha256}.png`;
  expect(landed).toEqual([object]);
  const reasons = new Map(left.map(({ sha256, reason }) => [sha256, reason]));
  expect(reasons.get(several.sha256)).toBe("several-pages");
  expect(reasons.get(damaged.sha256)).toBe("damaged");
  expect(reasons.get("f".repeat(64))).toBe("gone");
  await ingestStep(context);
  const row = (await currentImages(context.workspace.warehouse)).find(({ source }) => source === object);
  expect(row).toMatchObject({ sha256: scan.sha256, label: "Cancer", patient: PATIENT, study: "2.25.7" });

  // What is kept of the answer goes after its days; the label stays.
  const { reports } = context.workspace.buckets;
  await reports.delete(keptPageName(scan.answer.id, scan.sha256, AT));
  await reports.delete(`answers/${scan.answer.id}/${newestFirst(AT, scan.answer.request)}.json`);
  expect(await learn()).toMatchObject({ withdrawn: [], landed: [] });

  // Forgotten with its original.
  const source = "Unlabelled/new.png";
  const found = await find(context.workspace, { source }, await openIdentities("local:test"));
  for (const label of ["Cancer", "Non-Cancer"])
    expect(found.objects).toContain(`${label}/feedback/${picture[source]}.png`);
  expect(found.shared).toBe(0);
});

test("a scan whose own group is one that is tested on stays where it landed, and never trains", async () => {
  const { pixels, name } = await ofTestGroup();
  const { sha256, answer } = await sent(pixels);
  for (const who of [ANN, BEA]) await say(answer, who, "Cancer");
  expect(await learn()).toMatchObject({ landed: [name] });
  expect((await trained()).get(sha256)).toMatchObject({ label: "Cancer", split: "test" });
  for (let run = 2; run <= 3; run++) {
    const { counting, left, ...moved } = await learn();
    expect(moved).toMatchObject({ landed: [], withdrawn: [], restored: [] });
    expect([counting.includes(name), left.map((one) => one.sha256).includes(sha256)]).toEqual([true, false]);
    expect((await trained()).get(sha256)).toMatchObject({ label: "Cancer", split: "test" });
  }
  // Taken back and said again, it comes back.
  expect(await learn(false)).toMatchObject({ withdrawn: expect.arrayContaining([name]) });
  expect(await learn()).toMatchObject({ restored: expect.arrayContaining([name]) });
  // The other label would be new in a group that is tested on.
  for (const who of [ANN, BEA]) await say(answer, who, "Non-Cancer");
  const { landed, withdrawn, left } = await learn();
  expect([landed, withdrawn]).toEqual([[], [name]]);
  expect(left).toContainEqual({ sha256, label: "Non-Cancer", reason: "held-out" });
});

/** A picture that is nobody's kin, and whose group falls to the test split once it has landed as Cancer. */
async function ofTestGroup(): Promise<{ readonly pixels: Buffer; readonly name: string }> {
  for (let patient = 200; ; patient++) {
    const { pixels } = drawPhantom({ seed: 11, patient, slice: 0.5, size: 64, lesion: true });
    const scan = await sharp(pixels, { raw: { width: 64, height: 64, channels: 1 } })
      .png()
      .toBuffer();
    const page = (await decodeScan(scan, {}).next()).value;
    if (!page || !("image" in page)) throw new Error("It is no scan.");
    const name = `Cancer/feedback/${pixelSha256(page.image)}.png`;
    // As ingest names what lands.
    const bytes = sha256Of(await encodePng(page.image));
    if (splitOfNewGroup(sha256Of(`1 ${bytes} ${name}`)) === "test") return { pixels: scan, name };
  }
}
const sha256Of = (content: string | Buffer) => createHash("sha256").update(content).digest("hex");

test("what lies in the folder of a label is not labelled by feedback", async () => {
  const [same, other] = [picture["Cancer/a.png"] as string, picture["Non-Cancer/b.png"] as string];
  for (const sha256 of [same, other]) {
    const answer = await answered(sha256);
    for (const who of [ANN, BEA]) await say(answer, who, "Cancer");
  }
  const { left, landed } = await learn();
  expect(landed).toEqual([]);
  const reasons = new Map(left.map(({ sha256, reason }) => [sha256, reason]));
  expect([reasons.get(same), reasons.get(other)]).toEqual(["labelled", "contradicts"]);
});

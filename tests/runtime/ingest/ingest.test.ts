import { spawn } from "node:child_process";
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import sharp from "sharp";
import { decodeCurated, PERCEPTUAL_HASH, RECIPE } from "../../../runtime/imaging";
import {
  batchName,
  commit,
  examine,
  fromCloudEvent,
  fromPush,
  IngestContext,
  ingestAll,
  ingestStep,
} from "../../../runtime/ingest";
import { parseLabels } from "../../../runtime/intake/names";
import { openPseudonymiser } from "../../../runtime/intake/pseudonym";
import { UnusableEventError } from "../../../runtime/platform/event-request";
import { createLogger } from "../../../runtime/platform/logging";
import { silentProgress } from "../../../runtime/platform/progress";
import type { StepContext } from "../../../runtime/platform/step";
import type { ObjectStore } from "../../../runtime/platform/stores/object-store";
import type { ImageRow } from "../../../runtime/platform/warehouse";
import { openWorkspace, type Workspace } from "../../../runtime/platform/workspace";
import { writeTiff } from "../imaging/tiff-writer";
import { drawPixels, drawScan } from "./scans";

/** Processes run what the build emitted. */
const DIST = join(__dirname, "..", "..", "..", "dist");
const INGEST_ALL = join(__dirname, "fixtures", "ingest-all.js");

let scratch: string;
let workspace: Workspace;
let context: IngestContext;
const quiet = createLogger("test", { destination: { write() {} } });

beforeEach(async () => {
  scratch = mkdtempSync(join(tmpdir(), "ingest-"));
  workspace = await openWorkspace(scratch);
  context = contextOf({});
});
afterEach(async () => {
  await workspace.close();
  rmSync(scratch, { recursive: true, force: true });
});

function contextOf(more: Partial<ConstructorParameters<typeof IngestContext>[0]>): IngestContext {
  const { landing, curated, quarantine } = workspace.buckets;
  const pseudonymiser = openPseudonymiser("local:test");
  return new IngestContext({
    landing,
    curated,
    quarantine,
    warehouse: workspace.warehouse,
    pseudonymiser,
    log: quiet,
    ...more,
  });
}

async function land(
  name: string,
  content: Buffer | string,
): Promise<{ bucket: string; name: string; generation: number }> {
  const { landing } = workspace.buckets;
  const { generation } = await landing.write(name, content);
  return { bucket: landing.bucket, name, generation };
}

async function deliver(event: { bucket: string; name: string; generation: number }, to = context) {
  return commit(to, await examine(to, event));
}

async function rows(): Promise<ImageRow[]> {
  return (await workspace.warehouse.rows("images"))
    .map(({ row }) => row)
    .sort((a, b) => (a.source < b.source ? -1 : a.source > b.source ? 1 : a.generation - b.generation));
}

async function names(store: ObjectStore): Promise<string[]> {
  const found: string[] = [];
  for await (const { name } of store.listAll()) found.push(name);
  return found;
}

async function quarantined(row: ImageRow | undefined) {
  const { quarantine } = workspace.buckets;
  return JSON.parse((await quarantine.read(`${row?.id}/reason.json`)).toString());
}

function step(signal = new AbortController().signal): StepContext {
  return { workspace, seed: 1, log: quiet, progress: silentProgress, signal };
}

test("a good scan is curated without its metadata, and has a row", async () => {
  const jpeg = await sharp(await drawScan(1, "jpeg"))
    .withExif({ IFD0: { Artist: "Jane Doe, born 1950-01-01" } })
    .toBuffer();
  expect(jpeg.includes("Jane Doe")).toBe(true);
  const event = await land("Cancer/a scan.jpg", jpeg);
  expect(await deliver(event)).toEqual({ curated: 1, quarantined: 0 });

  const [row] = await rows();
  expect(row).toMatchObject({
    source: "Cancer/a scan.jpg",
    generation: 1,
    label: "Cancer",
    status: "curated",
    reason: null,
    format: "jpeg",
    width: 64,
    height: 64,
    bytes: jpeg.length,
    duplicate_of: null,
    patient: null,
  });
  expect(row?.id).toMatch(/^[0-9a-f]{64}$/);
  expect(row?.phash).toMatch(/^[0-9a-f]{64}$/);
  expect(row).toMatchObject({ hash: PERCEPTUAL_HASH.id, recipe: RECIPE.id });
  expect(await names(workspace.buckets.curated)).toEqual([`images/${row?.sha256}.png`]);
  const png = await workspace.buckets.curated.read(`images/${row?.sha256}.png`);
  expect(png.includes("Jane Doe")).toBe(false);
  expect(await decodeCurated(png)).toMatchObject({ width: 64, height: 64, depth: 8 });
  expect(await names(workspace.buckets.quarantine)).toEqual([]);
});

test("a delivery that is repeated, by two at once or later, changes nothing", async () => {
  const event = await land("Cancer/a.png", await drawScan(1));
  const twice = await Promise.all([examine(context, event), examine(context, event)]);
  expect(await Promise.all(twice.map((examined) => commit(context, examined)))).toContainEqual({
    curated: 1,
    quarantined: 0,
  });
  const [row] = (await rows()) as [ImageRow];
  expect(await deliver(event)).toEqual({ curated: 0, quarantined: 0 });
  expect(await rows()).toEqual([row]);
});

test("of two deliveries between which the manifest changed, the rows that were first stand", async () => {
  const event = await land("Cancer/a.png", await drawScan(1));
  const early = await examine(context, event);
  await workspace.buckets.landing.write("manifest.csv", "path,patient_id\nCancer/a.png,p1\n");
  const late = await examine(context, event);
  expect(late).toMatchObject({ facts: { patient: expect.any(String) } });
  const isDone = jest.spyOn(context, "isDone").mockResolvedValue(false);
  expect(await commit(context, early)).toEqual({ curated: 1, quarantined: 0 });
  expect(await commit(context, late)).toEqual({ curated: 0, quarantined: 0 });
  isDone.mockRestore();
  expect(await rows()).toMatchObject([{ source: "Cancer/a.png", patient: null }]);
});

test("an attempt that died before its rows is made up for", async () => {
  const event = await land("Cancer/a.png", await drawScan(1));
  const append = jest.spyOn(workspace.warehouse, "append").mockRejectedValueOnce(new Error("no connection"));
  await expect(deliver(event)).rejects.toThrow("no connection");
  append.mockRestore();
  expect(await rows()).toEqual([]);
  await deliver(event);
  expect(await rows()).toMatchObject([{ source: "Cancer/a.png", status: "curated", duplicate_of: null }]);
});

test("equal pixels under a second name share the curated file", async () => {
  await deliver(await land("Cancer/a.png", await drawScan(1)));
  await deliver(
    await land(
      "Non-Cancer/b.webp",
      await sharp(await drawScan(1))
        .webp({ lossless: true })
        .toBuffer(),
    ),
  );
  const [first, second] = await rows();
  expect(second).toMatchObject({
    sha256: first?.sha256,
    duplicate_of: first?.id,
    label: "Non-Cancer",
    status: "curated",
  });
  expect(second?.id).not.toBe(first?.id);
  expect(await names(workspace.buckets.curated)).toHaveLength(1);
});

test("another generation of a name is another scan with its own row", async () => {
  await deliver(await land("Cancer/a.png", await drawScan(1)));
  await deliver(await land("Cancer/a.png", await drawScan(2)));
  expect((await rows()).map(({ source, generation }) => [source, generation])).toEqual([
    ["Cancer/a.png", 1],
    ["Cancer/a.png", 2],
  ]);
});

test("every page of a file has a row, and a bad page spoils no other", async () => {
  const page = (seed: number, side = 64) => ({
    width: side,
    height: side,
    bits: 8 as const,
    values: drawPixels(seed, side),
  });
  const tiff = writeTiff([page(1), page(2, 8), page(3), page(4, 8)]);
  await deliver(await land("Cancer/stack.tif", tiff));
  const all = await rows();
  expect(all.map(({ source, status, reason }) => [source, status, reason])).toEqual([
    ["Cancer/stack.tif#page=1", "curated", null],
    ["Cancer/stack.tif#page=2", "quarantined", "too-small"],
    ["Cancer/stack.tif#page=3", "curated", null],
    ["Cancer/stack.tif#page=4", "quarantined", "too-small"],
  ]);
  expect(new Set(all.map(({ id }) => id)).size).toBe(4);
  // Slices of one head: they stay together, whatever they look like.
  expect(all.map(({ series }) => series)).toEqual(all.map(() => all[0]?.id));
  // The file lies there once; both reasons name it.
  const file = `${all[1]?.id}/stack.tif`;
  expect((await names(workspace.buckets.quarantine)).sort()).toEqual(
    [file, `${all[1]?.id}/reason.json`, `${all[3]?.id}/reason.json`].sort(),
  );
  expect(await workspace.buckets.quarantine.read(file)).toEqual(tiff);
  expect(await quarantined(all[3])).toMatchObject({
    code: "too-small",
    source: "Cancer/stack.tif#page=4",
    page: 4,
    file,
  });
});

test("pages that are too much to hold at once are all curated", async () => {
  const pages = [1, 2, 3, 4].map((seed) => ({ width: 64, height: 64, bits: 8 as const, values: drawPixels(seed) }));
  const narrow = contextOf({ bytesKept: 0 });
  const examined = await examine(narrow, await land("Cancer/long.tif", writeTiff(pages)));
  if (examined.kind !== "scan") throw new Error("a scan was expected");
  expect(examined.pages.map(({ result }) => "png" in result && result.png !== undefined)).toEqual([
    true,
    false,
    false,
    false,
  ]);
  await commit(narrow, examined);
  for (const [i, row] of (await rows()).entries()) {
    const image = await decodeCurated(await workspace.buckets.curated.read(`images/${row.sha256}.png`));
    expect(Buffer.from(image.pixels).equals(Buffer.from(drawPixels(i + 1)))).toBe(true);
  }
});

describe("what is refused goes to quarantine, untouched and with a reason", () => {
  test.each([
    ["Cancer/empty.png", "", "empty-file", /empty/],
    ["Cancer/text.png", "this is no picture", "unsupported-format", /text file/],
    ["loose.png", "anything", "outside-label-folders", /outside the label folders/],
    ["cancer/a.png", "anything", "outside-label-folders", /Did you mean Cancer\/\?/],
    ["Non-Cancer/reason.json", "{}", "unsupported-format", /JSON/],
  ])("%s", async (name, content, code, message) => {
    const event = await land(name, content);
    expect(await deliver(event)).toEqual({ curated: 0, quarantined: 1 });
    const [row] = await rows();
    expect(row).toMatchObject({
      source: name,
      status: "quarantined",
      reason: code,
      sha256: null,
      bytes: content.length,
    });
    expect(row?.message).toMatch(message);
    const reason = await quarantined(row);
    expect(reason).toMatchObject({ code, message: row?.message, source: name, generation: 1, bytes: content.length });
    expect((await workspace.buckets.quarantine.read(reason.file)).toString()).toBe(content);
    expect(reason.file.startsWith(`${row?.id}/`)).toBe(true);
  });

  test("a file above the limit is never read into memory", async () => {
    const small = contextOf({ limits: { bytes: 1000 } });
    const read = jest.spyOn(workspace.buckets.landing, "read");
    const content = Buffer.alloc(5000, 1);
    await deliver(await land("Cancer/large.png", content), small);
    expect(read).not.toHaveBeenCalled();
    const [row] = await rows();
    expect(row).toMatchObject({ reason: "file-too-large", bytes: 5000 });
    const { file } = await quarantined(row);
    expect(await workspace.buckets.quarantine.read(file)).toEqual(content);
  });

  test("a file whose stored bytes have decayed", async () => {
    const event = await land("Cancer/a.png", await drawScan(1));
    const { path } = await workspace.buckets.landing.materialize("Cancer/a.png");
    const { atime, mtimeMs } = statSync(path);
    appendFileSync(path, "!");
    truncateSync(path, statSync(path).size - 2);
    appendFileSync(path, "?");
    utimesSync(path, atime, mtimeMs / 1000);
    await deliver(event);
    const [row] = await rows();
    expect(row).toMatchObject({ status: "quarantined", reason: "checksum-mismatch" });
    expect(await quarantined(row)).toMatchObject({ code: "checksum-mismatch", file: null });
  });
});

test("stores that cannot be reached are no fault of the scan", async () => {
  const event = await land("Cancer/a.png", await drawScan(1));
  jest.spyOn(workspace.buckets.landing, "read").mockRejectedValueOnce(new Error("ECONNRESET"));
  await expect(deliver(event)).rejects.toThrow("ECONNRESET");
  expect(await rows()).toEqual([]);
  await deliver(event);
  expect(await rows()).toMatchObject([{ status: "curated" }]);
});

test("the manifest says more of a scan, and must not contradict its folder", async () => {
  await land("masks/b.png", await drawScan(9));
  await land(
    "manifest.csv",
    [
      "path,label,patient_id,source,subtype,view,split,mask",
      "Cancer/a.png,Cancer,P-1,ward 3,glioma,axial,test,masks/other.png",
      "Unlabelled/u.png,Non-Cancer,P-1,,,,,",
      "Non-Cancer/wrong.png,Cancer,,,,,,",
    ].join("\r\n"),
  );
  for (const [i, name] of [
    "Cancer/a.png",
    "Cancer/b.png",
    "Non-Cancer/wrong.png",
    "Unlabelled/u.png",
    "Unlabelled/v.png",
  ].entries()) {
    await deliver(await land(name, await drawScan(i)));
  }
  const [a, b, wrong, u, v] = await rows();
  expect(a).toMatchObject({
    label: "Cancer",
    collection: "ward 3",
    subtype: "glioma",
    view: "axial",
    given_split: "test",
    mask: "masks/other.png",
    patient: await openPseudonymiser("local:test").pseudonym("P-1"),
  });
  expect(JSON.stringify(await rows())).not.toContain("P-1");
  expect(b).toMatchObject({ mask: "masks/b.png", patient: null });
  expect(wrong).toMatchObject({ status: "quarantined", reason: "label-conflict", label: null });
  expect(wrong?.message).toMatch(/lies in Non-Cancer\/, and manifest.csv says Cancer/);
  expect(u).toMatchObject({ label: "Non-Cancer", patient: a?.patient, status: "curated" });
  expect(v).toMatchObject({ label: null, status: "curated" });
});

test("a lesion mask is curated beside its scan, and left out with a warning where it cannot be used", async () => {
  const lines: string[] = [];
  const log = createLogger("test", { keepNames: true, destination: { write: (line) => lines.push(line) } });
  const grey = (pixels: Uint8Array, side: number) =>
    sharp(pixels, { raw: { width: side, height: side, channels: 1 } })
      .toColourspace("b-w")
      .png()
      .toBuffer();
  // Labels of tissue instead of black and white: any value is lesion.
  const labels = Uint8Array.from({ length: 64 * 64 }, (_, i) => (i % 64 > 40 && i < 64 * 30 ? 1 + (i % 3) : 0));
  await land("masks/a.png", await grey(labels, 64));
  await land("masks/small.png", await grey(labels.slice(0, 32 * 32), 32));
  await land("masks/text.png", "not an image");
  for (const name of ["a", "small", "text"]) {
    await deliver(await land(`Cancer/${name}.png`, await drawScan(name.length)), contextOf({ log }));
  }
  const [a, ...others] = await rows();
  expect([a, ...others].map((row) => row?.status)).toEqual(["curated", "curated", "curated"]);
  const { curated } = workspace.buckets;
  expect((await names(curated)).filter((name) => name.startsWith("masks/"))).toEqual([`masks/${a?.id}.png`]);
  const mask = await decodeCurated(await curated.read(`masks/${a?.id}.png`));
  expect(Array.from(mask.pixels)).toEqual(Array.from(labels, (value) => (value > 0 ? 255 : 0)));
  expect(lines.join("")).toMatch(/mask of Cancer\/small\.png is left out: .*32 x 32 pixels and the scan 64 x 64/);
  expect(lines.join("")).toMatch(/mask of Cancer\/text\.png is left out/);
});

test("a mask cell that is no name costs its own scan the mask, and nothing else", async () => {
  const cells = [
    "../../secret.png",
    "/etc/passwd",
    "masks//a.png",
    `masks/${"m".repeat(5000)}.png`,
    "masks",
    "masks/none.png",
  ];
  const rows_ = cells.map((cell, i) => `Cancer/${i}.png,${cell}`);
  await land("manifest.csv", `path,mask\n${rows_.join("\n")}\nCancer/good.png,masks/good.png\n`);
  await land("masks/good.png", await drawScan(3));
  for (let i = 0; i < cells.length; i++) await land(`Cancer/${i}.png`, await drawScan(i));
  await land("Cancer/good.png", await drawScan(50));
  const { items, rejected, notes = [] } = await ingestAll(step());
  expect({ items, rejected }).toEqual({ items: 7, rejected: 0 });
  expect(notes).toEqual([
    expect.stringMatching(
      /^6 scans are without the lesion mask that was meant for them\. The lesion mask of Cancer\/0\.png is left out: manifest\.csv names it by what is no name/,
    ),
  ]);
  const all = await rows();
  expect(all.every(({ status }) => status === "curated")).toBe(true);
  expect(all.map(({ mask }) => mask)).toEqual([null, null, null, null, "masks", "masks/none.png", "masks/good.png"]);
  expect((await names(workspace.buckets.curated)).filter((name) => name.startsWith("masks/"))).toHaveLength(1);
});

describe("a person's folder", () => {
  const folderOf = async (files: Record<string, string | Buffer>) => {
    const data = mkdtempSync(join(scratch, "data-"));
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(dirname(join(data, name)), { recursive: true });
      writeFileSync(join(data, name), content);
    }
    return data;
  };

  test("of its own names lands under those of the label folders, with what its manifest says", async () => {
    const data = await folderOf({
      "CANCER/a.png": await drawScan(1),
      "no/b.png": await drawScan(2),
      "Masks/a.png": await drawScan(3),
      "Manifest.csv": "path;patient_id;label;age\nCANCER/a.png;P1;cancer;50\nno/b.png;P2;NO;60\n",
    });
    const options = { data, names: parseLabels("no=Non-Cancer") };
    const { notes } = await ingestStep(step(), options);
    expect((await rows()).map(({ source, label, patient, mask }) => [source, label, patient !== null, mask])).toEqual([
      ["Cancer/a.png", "Cancer", true, "masks/a.png"],
      ["Non-Cancer/b.png", "Non-Cancer", true, null],
    ]);
    expect((await workspace.buckets.landing.read("manifest.csv")).toString()).toBe(
      "path,patient_id,label,age\nCancer/a.png,P1,Cancer,50\nNon-Cancer/b.png,P2,Non-Cancer,60\n",
    );
    expect(notes).toEqual([expect.stringMatching(/ignored: age\.$/), "patients known for 2 of 2 images."]);
    expect(await ingestStep(step(), options)).toMatchObject({ items: 0, skipped: 2, rejected: 0, refused: [] });
  });

  test("says how many patients are known, and when a manifest comes too late to name them", async () => {
    const scans = {
      "Cancer/a.png": await drawScan(1),
      "Cancer/b.png": await drawScan(2),
      "Cancer/c.png": "no picture",
    };
    const data = await folderOf({ ...scans, "manifest.csv": "path,patient_id\nCancer/a.png,P1\n" });
    expect((await ingestStep(step(), { data })).notes).toEqual([
      expect.stringMatching(
        /^patients known for 1 of 2 images\. Of the others, slices of one patient count as strangers/,
      ),
    ]);
    const better = await folderOf({ ...scans, "manifest.csv": "path,patient_id\nCancer/b.png,P1\n" });
    expect((await ingestStep(step(), { data: better })).notes).toEqual([
      expect.stringMatching(/^patients known for 1 of 2 images/),
      expect.stringMatching(/names the patients of 1 of these images now, .* start over/),
    ]);
  });

  test.each([
    ["path,patientid\nCancer/a.png,P1\n", /"patientid" looks like patient_id/],
    ["path,label\nCancer/a.png,maybe\n", /line 2: label is "maybe"/],
  ])("with the manifest %j lands nothing", async (manifest, why) => {
    const data = await folderOf({ "Cancer/a.png": await drawScan(1), "manifest.csv": manifest });
    await expect(ingestStep(step(), { data })).rejects.toThrow(why);
    expect(await names(workspace.buckets.landing)).toEqual([]);
  });
});

test("side files and objects that are gone are acknowledged and leave nothing", async () => {
  expect(await deliver(await land("masks/a.png", await drawScan(1)))).toEqual({ curated: 0, quarantined: 0 });
  expect(await deliver(await land("manifest.csv", "path\n"))).toEqual({ curated: 0, quarantined: 0 });
  expect(await deliver({ bucket: "landing", name: "Cancer/gone.png", generation: 5 })).toEqual({
    curated: 0,
    quarantined: 0,
  });
  expect(await rows()).toEqual([]);
});

describe("a whole landing folder", () => {
  const FILES = 12;
  beforeEach(async () => {
    for (let i = 0; i < FILES; i++) await land(`Cancer/${i}.png`, await drawScan(i % 6));
    await land("Non-Cancer/bad.png", "bad");
    await land("manifest.csv", "path\n");
  });

  test("is ingested once, and a second run has nothing to do", async () => {
    expect(await ingestAll(step())).toEqual({ items: 13, rejected: 1, skipped: 0 });
    const before = await rows();
    expect(await ingestAll(step())).toEqual({ items: 0, rejected: 0, skipped: 13 });
    expect(await rows()).toEqual(before);
    await land("Cancer/new.png", await drawScan(99));
    expect(await ingestAll(step())).toEqual({ items: 1, rejected: 0, skipped: 13 });
  });

  test("has its rows in one file, also after a run that could not write them; a name like a page's is its own", async () => {
    await land("Cancer/like#page=2", await drawScan(50));
    const broken = Object.create(workspace.warehouse, {
      append: { value: () => Promise.reject(new Error("killed")) },
    });
    const killed = { ...step(), workspace: { ...workspace, warehouse: broken } } as StepContext;
    await expect(ingestAll(killed)).rejects.toThrow("killed");
    expect(await rows()).toEqual([]);
    expect(await ingestAll(step())).toEqual({ items: 14, rejected: 1, skipped: 0 });
    expect(await workspace.warehouse.batches("images")).toEqual([
      batchName("Cancer/like#page=2", 1),
      expect.stringMatching(/^many-[0-9a-f]{64}$/),
    ]);
    expect(new Set((await rows()).map(({ id }) => id)).size).toBe(14);
    expect((await rows()).filter(({ duplicate_of }) => duplicate_of !== null)).toHaveLength(6);
    expect(await ingestAll(step())).toEqual({ items: 0, rejected: 0, skipped: 14 });
  });

  test("of which another run was faster with some adds the rest", async () => {
    const { warehouse } = workspace;
    let looked = 0;
    // The first look is at a table that is still empty.
    const late = (prefix: Parameters<typeof warehouse.batches>) =>
      looked++ === 0 ? Promise.resolve([]) : warehouse.batches(...prefix);
    const slow = Object.create(warehouse, {
      batches: { value: (...told: Parameters<typeof warehouse.batches>) => late(told) },
    });
    await ingestAll(step());
    await land("Cancer/late.png", await drawScan(51));
    await ingestAll({ ...step(), workspace: { ...workspace, warehouse: slow } } as StepContext);
    expect(await rows()).toHaveLength(14);
  });

  test("gives the same rows whatever the speed, in any order of events, stopped or not", async () => {
    await ingestAll(step(), { concurrency: 4 });
    const facts = (all: ImageRow[]) => all.map(({ ingested_at: _, ...row }) => row);
    const expected = facts(await rows());
    expect(expected.filter((row) => row.duplicate_of !== null)).toHaveLength(6);
    // The first by name is the first.
    expect(expected.find(({ source }) => source === "Cancer/0.png")?.duplicate_of).toBeNull();

    const other = await openWorkspace(join(scratch, "other"));
    for await (const { name } of workspace.buckets.landing.listAll()) {
      const content = await workspace.buckets.landing.createReadStream(name);
      await other.buckets.landing.write(name, Readable.from(content));
    }
    const interrupt = new AbortController();
    let done = 0;
    const progress = { ...silentProgress, advance: () => ++done === 5 && interrupt.abort() };
    const interrupted = { ...step(interrupt.signal), workspace: other, progress } as StepContext;
    await expect(ingestAll(interrupted, { concurrency: 1 })).rejects.toThrow(/abort/i);
    expect(await ingestAll({ ...step(), workspace: other }, { concurrency: 2 })).toMatchObject({
      skipped: 5,
      items: 8,
    });
    const found = (await other.warehouse.rows("images")).map(({ row }) => row);
    expect(facts(found.sort((a, b) => (a.source < b.source ? -1 : 1)))).toEqual(expected);
    await other.close();
  });

  test("is the same after any number of sudden deaths", async () => {
    await ingestAll(step());
    const facts = (all: ImageRow[]) => all.map(({ ingested_at: _, ...row }) => row);
    const expected = { rows: facts(await rows()), curated: await names(workspace.buckets.curated) };
    await workspace.close();
    for (const folder of [
      "curated",
      "quarantine",
      "warehouse",
      ".store/curated",
      ".store/quarantine",
      ".store/warehouse",
    ]) {
      rmSync(join(scratch, folder), { recursive: true });
    }
    const run = async (waitMs?: number) => {
      const child = spawn(process.execPath, [INGEST_ALL, DIST, scratch], { stdio: ["ignore", "pipe", "inherit"] });
      const closed = new Promise((resolve) => child.once("close", resolve));
      if (waitMs !== undefined) {
        await Promise.race([new Promise((resolve) => child.stdout.once("data", resolve)), closed]);
        await sleep(waitMs);
        child.kill("SIGKILL");
      }
      return closed;
    };
    for (let death = 0; death < 6; death++) await run(Math.random() * 30);
    expect(await run()).toBe(0);
    workspace = await openWorkspace(scratch);
    expect(facts(await rows())).toEqual(expected.rows);
    expect(await names(workspace.buckets.curated)).toEqual(expected.curated);
    for (const { status, sha256, id } of await rows()) {
      if (status === "curated") await decodeCurated(await workspace.buckets.curated.read(`images/${sha256}.png`));
      else expect(await quarantined({ id } as ImageRow)).toMatchObject({ id });
    }
  });

  test("is not begun with a manifest that has mistakes", async () => {
    await land("manifest.csv", "path,label\nCancer/0.png,cancer\n");
    await expect(ingestAll(step())).rejects.toThrow(/line 2: label is "cancer"/);
    expect(await rows()).toEqual([]);
  });
});

describe("events", () => {
  const object = { bucket: "b", name: "Cancer/ä b.png", generation: "1790000000123456" };
  const event = { bucket: "b", name: "Cancer/ä b.png", generation: 1_790_000_000_123_456 };
  const attributes = {
    eventType: "OBJECT_FINALIZE",
    bucketId: "b",
    objectId: "Cancer/ä b.png",
    objectGeneration: "1790000000123456",
  };
  const data = Buffer.from(JSON.stringify(object)).toString("base64");
  const type = "google.cloud.storage.object.v1.finalized";

  test("are read in every form they come in", () => {
    expect(fromCloudEvent({ type, data: object })).toEqual(event);
    expect(fromPush({ message: { attributes } })).toEqual(event);
    expect(fromPush({ message: { data } })).toEqual(event);
    expect(fromPush({ message: { attributes: {}, data }, subscription: "s" })).toEqual(event);
    expect(
      fromCloudEvent({
        type: "google.cloud.pubsub.topic.v1.messagePublished",
        data: { message: { attributes, data } },
      }),
    ).toEqual(event);
    const published = Buffer.from(JSON.stringify({ type, data: object })).toString("base64");
    expect(fromPush({ message: { data: published } })).toEqual(event);
  });

  test("of another kind are nothing to do, and nonsense is refused", () => {
    expect(fromPush({ message: { attributes: { ...attributes, eventType: "OBJECT_DELETE" } } })).toBeUndefined();
    expect(fromCloudEvent({ type: "google.cloud.storage.object.v1.deleted", data: object })).toBeUndefined();
    for (const body of [
      undefined,
      null,
      {},
      "x",
      { message: {} },
      { message: { data: "e30=" } },
      { message: { data: "?" } },
    ]) {
      expect(() => fromPush(body)).toThrow(UnusableEventError);
    }
    expect(() => fromCloudEvent({ type: "something.else" })).toThrow(UnusableEventError);
    expect(() => fromCloudEvent({ type, data: { bucket: "b" } })).toThrow(UnusableEventError);
  });
});

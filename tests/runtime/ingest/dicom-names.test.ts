import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { deidentify } from "../../../runtime/imaging";
import { checkFolder, commit, examine, IngestContext, uploadFolder } from "../../../runtime/ingest";
import { ingestAll } from "../../../runtime/ingest/ingest-all";
import {
  ORIGINAL_NAME,
  openIdentities,
  openInput,
  openPseudonymiser,
  type ReplacementNames,
} from "../../../runtime/intake";
import { createLogger } from "../../../runtime/platform/logging";
import { silentProgress } from "../../../runtime/platform/progress";
import type { ImageRow } from "../../../runtime/platform/warehouse";
import { openWorkspace, type Workspace } from "../../../runtime/platform/workspace";
import { type Elements, writeMr } from "../imaging/dicom/dicom-writer";
import { drawScan } from "./scans";

const KEY = "local:of this test";

let scratch: string;
let workspace: Workspace;
let names: ReplacementNames;
beforeEach(async () => {
  scratch = mkdtempSync(join(tmpdir(), "dicom-names-"));
  workspace = await openWorkspace(join(scratch, "workspace"));
  names = await (await openIdentities(KEY)).of("HOSP-4711");
});
afterEach(async () => {
  await workspace.close();
  rmSync(scratch, { recursive: true, force: true });
});

const slice = (number: number, more: Elements = []): Buffer =>
  writeMr(64, 48 + number, [
    [0x0008_0018, "UI", `1.2.3.${number}`],
    [0x0008_0020, "DA", "20240310"],
    [0x0008_0050, "SH", "ACC-77"],
    [0x0008_0070, "LO", "Philips"],
    [0x0008_103e, "LO", "T2 axial DOE"],
    [0x0010_0010, "PN", "DOE^JANE"],
    [0x0010_0020, "LO", "HOSP-4711"],
    [0x0020_000d, "UI", "1.2.3"],
    [0x0020_000e, "UI", "1.2.3.0"],
    [0x0020_0037, "DS", "1\\0\\0\\0\\1\\0"],
    ...more,
  ]);

function makeFolder(files: Readonly<Record<string, Buffer | string>>): string {
  const folder = mkdtempSync(join(scratch, "data-"));
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  return folder;
}

const upload = (files: Readonly<Record<string, Buffer | string>>) =>
  uploadFolder({ data: makeFolder(files), store: workspace.buckets.landing, pseudonymKey: KEY });

const ingest = () =>
  ingestAll(
    { workspace, seed: 0, signal: new AbortController().signal, progress: silentProgress, log: createLogger("test") },
    { pseudonymKey: KEY },
  );

async function rows(): Promise<ImageRow[]> {
  const all = await workspace.warehouse.rows("images");
  return all.map(({ row }) => row).sort((a, b) => (a.source < b.source ? -1 : 1));
}

async function landed() {
  const objects: { name: string; original: string | undefined }[] = [];
  for await (const { name, metadata } of workspace.buckets.landing.listAll())
    objects.push({ name, original: metadata[ORIGINAL_NAME] });
  return objects;
}

const called = (number: number, folder = "Cancer") =>
  `${folder}/${names.uid("1.2.3")}/${names.uid("1.2.3.0")}/${names.uid(`1.2.3.${number}`)}.dcm`;

/** Every byte of a workspace but landing and quarantine. */
function bytesBehind(): string {
  const read = (folder: string): string =>
    readdirSync(folder)
      .map((name) => join(folder, name))
      .filter((path) => !/(landing|quarantine)$/.test(path))
      .map((path) => `${path} ${statSync(path).isDirectory() ? read(path) : readFileSync(path, "latin1")}`)
      .join("");
  return read(workspace.directory);
}

const FACTS = {
  ...{ accession: expect.stringMatching(/^[0-9A-F]{16}$/), sequence: "T2", body_part: null, scanner: "Philips" },
  ...{ view: "axial", acquired_on: expect.stringMatching(/^20(1|2)\d-\d\d-\d\d$/) },
};

test("an upload calls DICOM files by pseudonyms, and manifest and masks with them", async () => {
  const files = {
    "Cancer/DOE_JANE/IM1": slice(1),
    "cancer/DOE_JANE/IM2.dcm": slice(2),
    "Cancer/plain.png": await drawScan(1),
    "masks/DOE_MASK.png": await drawScan(2),
    "masks/plain.png": await drawScan(3),
    "manifest.csv":
      "path,patient_id,mask,subtype\nCancer/DOE_JANE/IM1,MANIFEST-1,masks/DOE_MASK.png,glioma\n ./cancer/DOE_JANE/IM2.dcm,,,glioma\nCancer/plain.png,,,none\n",
  };
  const first = await upload(files);
  expect(first).toMatchObject({ items: 6, rejected: 0, notes: [] });
  const mask = `masks/${names.uid("1.2.3.1")}.png`;
  expect(await landed()).toEqual(
    [
      { name: called(1), original: "Cancer/DOE_JANE/IM1" },
      { name: called(2), original: "Cancer/DOE_JANE/IM2.dcm" },
      { name: "Cancer/plain.png", original: undefined },
      { name: "manifest.csv", original: undefined },
      { name: mask, original: "masks/DOE_MASK.png" },
      { name: "masks/plain.png", original: undefined },
    ].sort((a, b) => (a.name < b.name ? -1 : 1)),
  );
  expect(await upload(files)).toMatchObject({ items: 0, skipped: 6, rejected: 0, notes: [] });
  // Only the manifest is at hand later: its rows still find what they mean.
  const later = "path,patient_id,mask,subtype\nCancer/DOE_JANE/IM1,MANIFEST-1,,meningioma\n";
  expect(await upload({ "manifest.csv": later, "Cancer/plain.png": files["Cancer/plain.png"] })).toMatchObject({
    ...{ items: 1, skipped: 1, notes: [] },
  });

  expect(await ingest()).toMatchObject({ items: 3, rejected: 0 });
  const all = await rows();
  const given = await (await openIdentities(KEY)).of("MANIFEST-1");
  const place = { study: names.uid("1.2.3"), series: names.uid("1.2.3.0"), landed: null, ...FACTS };
  expect(all.find(({ source }) => source === called(1))).toMatchObject({
    ...{ ...place, instance: names.uid("1.2.3.1"), patient: given.patient, subtype: "meningioma" },
  });
  expect(all.find(({ source }) => source === called(2))).toMatchObject({
    ...{ ...place, instance: names.uid("1.2.3.2"), patient: names.patient, subtype: "glioma", mask: null },
  });
  expect(all.find(({ source }) => source === "Cancer/plain.png")).toMatchObject({
    ...{ mask: "masks/plain.png", study: null, patient: null, acquired_on: null, view: null },
  });
  expect(await ingest()).toMatchObject({ items: 0, skipped: 3 });
  const behind = bytesBehind();
  expect(behind).toContain(names.uid("1.2.3"));
  expect(behind).not.toMatch(/DOE|HOSP|ACC-77|MANIFEST-1|20240310|2024-03-10/);
});

test("a file that somebody put into landing is called the same, whatever it was called there", async () => {
  const { landing, quarantine } = workspace.buckets;
  await landing.write("Cancer/DOE^JANE.dcm", slice(1));
  await landing.write("Cancer/DOE^JANE 2", slice(1, [[0x0018_0015, "CS", "HEAD"]]));
  await landing.write("masks/DOE^JANE.png", await drawScan(1, "png", 64));
  await landing.write("Cancer/DOE^CT", slice(3, [[0x0008_0060, "CS", "CT"]]));
  await landing.write("Tumour of DOE/one.dcm", slice(4));
  await landing.write("Tumour/two.dcm", slice(5));
  await landing.write("manifest.csv", "path,label\nNon-Cancer/DOE.dcm,Cancer\n");
  await landing.write("Non-Cancer/DOE.dcm", slice(6));
  expect(await ingest()).toMatchObject({ items: 6, rejected: 4 });
  const all = await rows();
  expect(all.map(({ source, reason, body_part }) => [source, reason, body_part])).toEqual(
    [
      [called(1), null, null],
      [called(1), null, "HEAD"],
      [called(3), "other-modality", null],
      [called(4, "Elsewhere"), "outside-label-folders", null],
      [called(5, "Tumour"), "outside-label-folders", null],
      [called(6, "Non-Cancer"), "label-conflict", null],
    ].sort((a, b) => ((a[0] as string) < (b[0] as string) ? -1 : 1)),
  );
  for (const row of all) {
    expect(row.landed).toMatch(/^2\.25\./);
    expect(row).toMatchObject({ study: names.uid("1.2.3"), patient: names.patient });
  }
  expect(new Set(all.map(({ landed }) => landed)).size).toBe(6);
  const kept: string[] = [];
  for await (const { name } of quarantine.listAll()) {
    kept.push(name);
    if (name.endsWith("reason.json")) expect((await quarantine.read(name)).toString()).not.toMatch(/DOE|HOSP/);
  }
  expect(kept.join()).not.toMatch(/DOE|HOSP/);
  expect(kept.filter((name) => name.endsWith(".dcm"))).toHaveLength(4);
  expect(await ingest()).toMatchObject({ items: 0, skipped: 6 });
  expect(bytesBehind()).not.toMatch(/DOE|HOSP|ACC-77/);
});

test("only what lies where the gateway alone can create is taken for de-identified", async () => {
  const given = {
    ...{ patient: "ab".repeat(32), study: "2.25.11", series: "2.25.12", instance: "2.25.13" },
    accession: "0123456789ABCDEF",
  };
  const bytes = slice(1, [
    [0x0008_0018, "UI", given.instance],
    [0x0008_0050, "SH", given.accession],
    [0x0010_0020, "LO", given.patient],
    [0x0012_0062, "CS", "YES"],
    [0x0020_000d, "UI", given.study],
    [0x0020_000e, "UI", given.series],
  ]);
  const { landing } = workspace.buckets;
  const own = `${given.study}/${given.series}/${given.instance}.dcm`;
  await landing.write(`Unlabelled/gateway/${own}`, bytes);
  await landing.write(`Unlabelled/${own}`, bytes);
  // The gateway writes pseudonyms. Whatever else stands there is an identifier.
  await landing.write("Unlabelled/gateway/odd.dcm", slice(2));
  await ingest();
  const all = await rows();
  const [inside, odd] = all.filter(({ source }) => source.startsWith("Unlabelled/gateway/"));
  const outside = all.find(({ source }) => !source.startsWith("Unlabelled/gateway/"));
  const trusted = [inside, odd].find((row) => row?.landed === null);
  expect(trusted).toMatchObject({ ...given, source: `Unlabelled/gateway/${own}`, acquired_on: "2024-03-10" });
  expect([inside, odd].find((row) => row !== trusted)).toMatchObject({
    ...{ source: called(2, "Unlabelled/gateway"), patient: names.patient, study: names.uid("1.2.3") },
  });
  for (const [column, value] of Object.entries(given)) expect(outside?.[column as "study"]).not.toBe(value);
});

test("a study is the same one by every door", async () => {
  const { landing } = workspace.buckets;
  const [first, second, third] = [slice(1), slice(2), slice(3)];
  await upload({ "Cancer/a.dcm": first });
  await landing.write("Cancer/DOE by hand.dcm", second);
  // What the gateway sends: de-identified where it came from, under the same key.
  const sent = called(3, "Unlabelled/gateway");
  await landing.write(sent, deidentify(third, names));
  // The same slice once more, as it is.
  await upload({ "Unlabelled/c.dcm": third });
  expect(await ingest()).toMatchObject({ items: 4, rejected: 0 });
  const all = await rows();
  const same = (column: keyof ImageRow) => new Set(all.map((row) => row[column]));
  for (const column of ["patient", "study", "series", "accession", "view"] as const) expect(same(column).size).toBe(1);
  expect([...same("study"), ...same("patient")]).toEqual([names.uid("1.2.3"), names.patient]);
  const twice = all.filter(({ instance }) => instance === names.uid("1.2.3.3"));
  expect(twice.map(({ source }) => source).sort()).toEqual([called(3, "Unlabelled"), sent].sort());
  expect(new Set(twice.map(({ sha256 }) => sha256)).size).toBe(1);
});

test("--check counts patients that headers name, and changes nothing", async () => {
  const data = makeFolder({
    "Cancer/a.dcm": slice(1),
    "Cancer/b.dcm": slice(2, [[0x0010_0020, "LO", "ANONYMOUS"]]),
    "Cancer/c.dcm": slice(3, [[0x0010_0020, "LO", ""]]),
    "manifest.csv": "path,patient_id\nCancer/c.dcm,P3\n",
  });
  const lines = await checkFolder(await openInput(data), {
    progress: silentProgress,
    signal: new AbortController().signal,
  });
  expect(lines).toContainEqual(expect.stringMatching(/^patients known for 2 of 3 images/));
  expect(lines.join("\n")).not.toMatch(/HOSP|DOE/);
});

test("files of one instance are all kept, equal ones once, and those of no UIDs by their bytes", async () => {
  const bare = (value: number) => writeMr(64, 40 + value, [[0x0008_0018, "UI", ""]]);
  const files = {
    "Cancer/a.dcm": slice(1),
    "Cancer/b.dcm": slice(1, [[0x0018_0015, "CS", "HEAD"]]),
    "Cancer/c.dcm": slice(1),
    "Unlabelled/x.dcm": bare(1).fill("9.8.7.6", bare(1).indexOf("1.2.3.4"), bare(1).indexOf("1.2.3.4") + 7),
  };
  expect(await upload(files)).toMatchObject({ items: 3, skipped: 1, rejected: 0 });
  const before = await landed();
  expect(
    before
      .filter(({ name }) => name.startsWith("Cancer/"))
      .map(({ original }) => original)
      .sort(),
  ).toEqual(["Cancer/a.dcm", "Cancer/b.dcm"]);
  expect(await upload(files)).toMatchObject({ items: 0, skipped: 4 });
  expect(await upload({ "Cancer/d.dcm": slice(1, [[0x0018_0015, "CS", "BRAIN"]]) })).toMatchObject({ items: 1 });
  expect(await ingest()).toMatchObject({ items: 4, rejected: 0 });
  const all = await rows();
  for (const { landed } of all) expect(landed).toBeNull();
  expect(new Set(all.map(({ source }) => source)).size).toBe(4);
});

test("what is damaged or too large has no name of a person either", async () => {
  const { landing } = workspace.buckets;
  const { generation } = await landing.write("Cancer/DOE^LARGE.dcm", slice(2));
  const small = new IngestContext({
    ...{ ...workspace.buckets, warehouse: workspace.warehouse, log: createLogger("test") },
    ...{ pseudonymiser: openPseudonymiser(KEY), limits: { bytes: 4000 } },
  });
  await commit(small, await examine(small, { bucket: landing.bucket, name: "Cancer/DOE^LARGE.dcm", generation }));
  await landing.write("Cancer/DOE^JANE.dcm", slice(1));
  const { path } = await landing.materialize("Cancer/DOE^JANE.dcm");
  const { atime, mtimeMs } = statSync(path);
  truncateSync(path, statSync(path).size - 1);
  appendFileSync(path, "?");
  utimesSync(path, atime, mtimeMs / 1000);
  await ingest();
  const all = await rows();
  expect(all.map(({ source, reason }) => [reason, source]).sort()).toEqual([
    ["checksum-mismatch", expect.stringMatching(/^Cancer\/2\.25\.\d+$/)],
    ["file-too-large", called(2)],
  ]);
  expect(JSON.stringify(all)).not.toMatch(/DOE/);
});

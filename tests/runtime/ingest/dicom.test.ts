import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { currentImages } from "../../../runtime/dataset";
import { commit, examine, IngestContext } from "../../../runtime/ingest";
import { openPseudonymiser } from "../../../runtime/intake/pseudonym";
import { createLogger } from "../../../runtime/platform/logging";
import type { ImageRow } from "../../../runtime/platform/warehouse";
import { openWorkspace, type Workspace } from "../../../runtime/platform/workspace";
import { runPydicom } from "../../support/pydicom";
import {
  bytesOfSlice,
  drawSlice,
  type Elements,
  mrElements,
  writeElements,
  writeFile,
  writeMr,
} from "../imaging/dicom/dicom-writer";

let scratch: string;
let workspace: Workspace;
let context: IngestContext;
let logged: string[];

beforeEach(async () => {
  scratch = mkdtempSync(join(tmpdir(), "ingest-dicom-"));
  workspace = await openWorkspace(join(scratch, "workspace"));
  logged = [];
  const { landing, curated, quarantine } = workspace.buckets;
  const log = createLogger("test", { destination: { write: (line: string) => void logged.push(line) } });
  log.level = "debug";
  context = new IngestContext({
    landing,
    curated,
    quarantine,
    warehouse: workspace.warehouse,
    pseudonymiser: openPseudonymiser("local:test"),
    log,
  });
});
afterEach(async () => {
  await workspace.close();
  rmSync(scratch, { recursive: true, force: true });
});

async function ingest(name: string, content: Buffer): Promise<void> {
  const { landing } = workspace.buckets;
  const { generation } = await landing.write(name, content);
  await commit(context, await examine(context, { bucket: landing.bucket, name, generation }));
}

async function rows(): Promise<ImageRow[]> {
  const all = await workspace.warehouse.rows("images");
  return all.map(({ row }) => row).sort((a, b) => (a.source < b.source ? -1 : 1));
}

test("one slice is one curated picture, whatever its transfer syntax and its file's name", async () => {
  const variants = join(scratch, "variants");
  runPydicom(join(__dirname, "..", "imaging", "dicom", "variants.py"), variants);
  const files = readdirSync(join(variants, "same"));
  expect(files).toEqual(
    expect.arrayContaining(["explicit", "implicit", "big-endian", "deflated", "rle", "jpeg-ls", "jpeg-2000"]),
  );
  for (const file of files) await ingest(`Cancer/${file}`, readFileSync(join(variants, "same", file)));
  const all = await rows();
  expect(all).toHaveLength(files.length);
  // They are of one instance, and called so, and none hides another.
  expect(new Set(all.map(({ source }) => source)).size).toBe(1);
  expect((await currentImages(workspace.warehouse)).map(({ id }) => id).sort()).toEqual(all.map(({ id }) => id).sort());
  for (const row of all) expect(row).toMatchObject({ status: "curated", format: "dicom", width: 64, height: 64 });
  expect(new Set(all.map(({ sha256 }) => sha256)).size).toBe(1);
  expect(all.filter(({ duplicate_of }) => duplicate_of === null)).toHaveLength(1);
});

test("each frame is a page, and what is no MR image lies in quarantine by what it is", async () => {
  const frames = Buffer.concat([1, 2, 3].map((i) => bytesOfSlice(drawSlice(64, 48).map((value) => value >> (i - 1)))));
  const multi: Elements = [...mrElements(64, 48, [[0x0028_0008, "IS", "3"]]), [0x7fe0_0010, "OW", frames]];
  await ingest("Unlabelled/a/frames.dcm", writeFile(writeElements(multi)));
  await ingest("Unlabelled/ct", writeMr(64, 48, [[0x0008_0060, "CS", "CT"]]));
  await ingest("Unlabelled/none", writeFile(writeElements(mrElements(64, 48))));
  const report: Elements = [
    [0x0008_0016, "UI", "1.2.840.10008.5.1.4.1.1.88.33"],
    [0x0008_0060, "CS", "SR"],
  ];
  await ingest("Unlabelled/report.png", writeFile(writeElements(report)));
  const told = (await rows()).map(({ source, status, reason, message }) => [
    source.replace(/^.*\.dcm/, ""),
    status,
    ...(reason === null ? [] : [reason, message]),
  ]);
  expect(told.sort()).toEqual([
    ["#page=1", "curated"],
    ["#page=2", "curated"],
    ["#page=3", "curated"],
    ["", "quarantined", "not-an-image", expect.stringContaining("a structured report (SR)")],
    ["", "quarantined", "not-an-image", expect.stringContaining("without pixels")],
    ["", "quarantined", "other-modality", expect.stringContaining("a computed tomograph (CT)")],
  ]);
});

/** In tags, sequences, private tags, and where a code or a UID should stand. */
const PLANTED = ["Doe^Jane", "HOSP-4711", "19500101", "Ward 7 East", "Miller^Kate", "Planted^Name", "9.8.7.6.5.4.3"];
const IDENTIFIED: Elements = [
  [0x0008_0018, "UI", "9.8.7.6.5.4.3"],
  [
    0x0008_1140,
    "SQ",
    [
      [
        [0x0008_1155, "UI", "9.8.7.6.5.4.3"],
        [0x0040_a123, "PN", "Miller^Kate"],
      ],
    ],
  ],
  [0x0009_0010, "LO", "Ward 7 East"],
  [0x0010_0010, "PN", "Doe^Jane"],
  [0x0010_0020, "LO", "HOSP-4711"],
  [0x0010_0030, "DA", "19500101"],
];

test("of a DICOM file, nothing behind ingest has more than pixels", async () => {
  await ingest("Cancer/scan.dcm", writeMr(64, 48, IDENTIFIED));
  // Whoever made these wrote a name where a code stands: no sentence repeats it.
  await ingest("Cancer/modality", writeMr(64, 48, [...IDENTIFIED, [0x0008_0060, "CS", "Planted^Name"]]));
  await ingest("Cancer/photometric", writeMr(64, 48, [...IDENTIFIED, [0x0028_0004, "CS", "Planted^Name"]]));
  await ingest(
    "Cancer/window",
    writeMr(64, 48, [...IDENTIFIED, [0x0028_1050, "DS", "Planted^Name"], [0x0028_1051, "DS", "Doe^Jane"]]),
  );
  await ingest(
    "Cancer/syntax",
    writeFile(writeElements(mrElements(64, 48, IDENTIFIED)), { transferSyntax: "Planted^Name" }),
  );
  await ingest("Cancer/class", writeFile(writeElements(IDENTIFIED), { sopClass: "Planted^Name" }));
  const all = await rows();
  expect(all.filter(({ status }) => status === "curated")).toHaveLength(1);
  const { curated, quarantine } = workspace.buckets;
  const behind: [string, string][] = [
    ["rows", JSON.stringify(all)],
    ["logs", logged.join("\n")],
  ];
  for await (const { name } of curated.listAll()) behind.push([name, (await curated.read(name)).toString("latin1")]);
  for await (const { name } of quarantine.listAll())
    if (name.endsWith("reason.json")) behind.push([name, (await quarantine.read(name)).toString()]);
  // The file that is curated, and a reason for each that is not.
  expect(behind).toHaveLength(2 + 1 + 5);
  expect(logged.length).toBeGreaterThan(0);
  for (const [where, text] of behind)
    for (const planted of PLANTED) expect([where, text.includes(planted)]).toEqual([where, false]);
});

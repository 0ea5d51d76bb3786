import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { encodePng } from "../../../runtime/imaging";
import { checkFolder, ingestStep } from "../../../runtime/ingest";
import { lookThrough } from "../../../runtime/ingest/look-through";
import { ORIGINAL_NAME, openInput } from "../../../runtime/intake";
import { createLogger } from "../../../runtime/platform/logging";
import { type Progress, silentProgress } from "../../../runtime/platform/progress";
import { openWorkspace } from "../../../runtime/platform/workspace";
import { headScan } from "../../support/head-scan";
import { writeNifti } from "../imaging/nifti/nifti-writer";
import { drawHead } from "../imaging/pictures";

/** What --check says of files is held to what ingest then does with the same files. */

let scratch: string;
let data: string;
const stays = new AbortController().signal;

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), "check-folder-"));
  data = join(scratch, "data");
  const png = await encodePng(drawHead(1, 60, 70));
  const uid = (number: number) => [0x0008_0018, "UI", `1.2.3.${number}`] as const;
  const files: Record<string, Buffer | string> = {
    "Cancer/good.png": png,
    "Non-Cancer/same pixels.png": png,
    "Cancer/other.png": await encodePng(drawHead(2, 60, 70)),
    "Cancer/cut.png": png.subarray(0, 300),
    "Cancer/text.png": "a text",
    "Cancer/empty.png": "",
    "Non-Cancer/mr.dcm": headScan({ more: [uid(1)] }),
    "Non-Cancer/ct.dcm": headScan({ more: [uid(2), [0x0008_0060, "CS", "CT"]] }),
    "Non-Cancer/sr.dcm": headScan({ more: [uid(3), [0x0008_0016, "UI", "1.2.840.10008.5.1.4.1.1.88.33"]] }),
    "Non-Cancer/named.dcm": headScan({ more: [uid(4), [0x0028_0301, "CS", "YES"]] }),
    "Non-Cancer/cut.dcm": headScan({ more: [uid(5)] }).subarray(0, -3000),
    "Unlabelled/volume.nii": writeNifti({ size: [40, 40, 50] }),
    "Cancer/torn.png": await encodePng(drawHead(3, 60, 70)),
    "notes.txt": "outside",
    "manifest.csv": "path,label,patient_id\nCancer/torn.png,Non-Cancer,P1\nCancer/good.png,Cancer,P1\n",
  };
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(data, name)), { recursive: true });
    writeFileSync(join(data, name), content);
  }
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const tree = () =>
  (readdirSync(data, { recursive: true }) as string[])
    .sort()
    .map((name) => [name, statSync(join(data, name)).mtimeMs, statSync(join(data, name)).size]);

test("of each file it says what ingest does with it, and why", async () => {
  const before = tree();
  const steps: string[] = [];
  const progress: Progress = {
    ...silentProgress,
    start: (total) => steps.push(`of ${total}`),
    advance: () => steps.push("one"),
  };
  const found = await lookThrough(await openInput(data), { progress, signal: stays });
  expect(steps).toEqual(["of 14", ...Array.from({ length: 14 }, () => "one")]);
  expect(tree()).toEqual(before);
  expect(readdirSync(scratch)).toEqual(["data"]);

  const workspace = await openWorkspace(join(scratch, "workspace"));
  try {
    const step = { workspace, seed: 0, log: createLogger("test"), progress: silentProgress, signal: stays };
    await ingestStep(step, { data });
    const named = new Map<string, string>();
    for await (const { name, metadata } of workspace.buckets.landing.listAll())
      named.set(name, metadata[ORIGINAL_NAME] ?? name);
    const done = new Map<string, Set<string>>();
    for (const { row } of await workspace.warehouse.rows("images")) {
      const name = named.get(row.source.replace(/#page=\d+$/, "")) as string;
      done.set(name, (done.get(name) ?? new Set()).add(row.reason ?? (row.sha256 as string)));
    }
    const said = found.map(({ name, refused, pictures }) => [
      name,
      new Set([...refused.map(({ reason }) => reason.code), ...pictures]),
    ]);
    expect(Object.fromEntries(said)).toEqual(Object.fromEntries(done));
  } finally {
    await workspace.close();
  }
  const codes = Object.fromEntries(found.map(({ name, refused }) => [name, refused.map(({ reason }) => reason.code)]));
  expect(codes).toMatchObject({
    ...{ "Cancer/good.png": [], "Non-Cancer/mr.dcm": [], "Unlabelled/volume.nii": [] },
    ...{
      "Cancer/cut.png": ["truncated"],
      "Cancer/text.png": ["unsupported-format"],
      "Cancer/empty.png": ["empty-file"],
    },
    ...{ "Non-Cancer/ct.dcm": ["other-modality"], "Non-Cancer/sr.dcm": ["not-an-image"] },
    ...{ "Non-Cancer/named.dcm": ["burned-in-text"], "Non-Cancer/cut.dcm": ["truncated"] },
    ...{ "Cancer/torn.png": ["label-conflict"], "notes.txt": ["outside-label-folders"] },
  });
  const volume = found.find(({ name }) => name === "Unlabelled/volume.nii");
  expect(volume?.pictures).toHaveLength(35);
}, 60_000);

test("the report names every file that is refused with its reason, and pictures that lie under two labels", async () => {
  const lines = await checkFolder(await openInput(data), { progress: silentProgress, signal: stays });
  expect(lines).toEqual(
    expect.arrayContaining([
      "formats: png 3, dicom 1, nifti 1",
      "pages, slices and frames of them: 39",
      "files with the pixels of another one: 1; each picture counts once",
      "equal pixels under two labels: 1 pictures; the label of the first name counts. Look at them:",
      "  Cancer/good.png = Non-Cancer/same pixels.png",
      expect.stringMatching(/^files that would be refused: 9 \(ingest keeps them in quarantine: .*truncated 2.*\)$/),
      expect.stringMatching(
        /^ {2}Non-Cancer\/ct\.dcm: This DICOM file is of a computed tomograph \(CT\)\. .* \(other-modality\)$/,
      ),
      expect.stringMatching(/^ {2}Non-Cancer\/sr\.dcm: This DICOM file is a structured report \(SR\), not a picture\./),
    ]),
  );
  // Identifiers of headers are no part of it.
  expect(lines.join("\n")).not.toMatch(/JANE|4711/);
}, 60_000);

test("a file that cannot be read is one that is refused", async () => {
  const going = join(scratch, "going");
  mkdirSync(join(going, "Cancer"), { recursive: true });
  writeFileSync(join(going, "Cancer/a.png"), readFileSync(join(data, "Cancer/good.png")));
  const input = await openInput(going);
  rmSync(join(going, "Cancer/a.png"));
  const [only] = await lookThrough(input, { progress: silentProgress, signal: stays });
  expect(only?.refused[0]?.reason).toEqual({ code: "unreadable", message: "It cannot be read (ENOENT)." });
});

test("stopped, it ends", async () => {
  const stop = new AbortController();
  stop.abort(new Error("stopped"));
  const looking = lookThrough(await openInput(data), { progress: silentProgress, signal: stop.signal });
  await expect(looking).rejects.toThrow("stopped");
});

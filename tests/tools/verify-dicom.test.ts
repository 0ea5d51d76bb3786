import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  drawSlice,
  encapsulate,
  mrElements,
  writeElements,
  writeFile,
  writeMr,
} from "../runtime/imaging/dicom/dicom-writer";
import { writeLosslessJpeg } from "../runtime/imaging/dicom/jpeg-lossless-writer";
import { entriesBelow, pydicomPython, pydicomTestFiles, runPydicom, runVerifyDicom } from "../support/pydicom";

// pydicom judges, by its own test files, by files that it writes, and by files that it can only read.

const ROOT = join(__dirname, "..", "..");
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "verify-dicom-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** What became of the files that pydicom has no pixels of, by their beginnings. */
const REFUSED: Readonly<Record<string, readonly (readonly [count: number, name: RegExp])[]>> = {
  "not-an-image": [
    [7, /^dicomdirtests\/DICOMDIR.* a DICOMDIR/],
    [50, /^dicomdirtests\/TINY_ALPHA\/PT.*a computed tomograph \(CT\) and has no pixels/],
    [3, /^(reportsi|reportsi_with_empty_number_tags|test-SR)\.dcm .*a structured report \(SR\)/],
    [4, /^(ExplVR_BigEndNoMeta|ExplVR_LitEndNoMeta|rtplan|rtplan_truncated)\.dcm .*an RT (ion )?plan/],
    [1, /^rtstruct\.dcm .*an RT structure set/],
    [1, /^waveform_ecg\.dcm .*a waveform/],
    [4, /^(UN_sequence|empty_charset_LEI|no_meta_group_length|priv_SQ)\.dcm .*without pixels/],
  ],
  "unsupported-format": [
    [
      8,
      /^(README\.txt|crayons\.icc|dicomdirtests\/README\.txt|dicomdirtests\/TINY_ALPHA\/README|no_meta\.dcm|rtplan\.dump|rtstruct\.dump|zipMR\.gz) /,
    ],
  ],
  damaged: [
    [1, /^JPEG2000-embedded-sequence-delimiter\.dcm .*another size than the file says/],
    [1, /^badVR\.dcm .*number of frames is no number/],
    [2, /^(meta_missing_tsyntax|nested_priv_SQ)\.dcm .*how many bits a sample has/],
  ],
  truncated: [[1, /^MR_truncated\.dcm /]],
};

test("every file that pydicom is tested with has its pixels, or is refused by what it is", () => {
  const { status, stdout } = runVerifyDicom("--data", pydicomTestFiles(), "--list");
  for (const none of ["refused for their transfer syntax", "refused for another reason", "other pixels", "lost:"])
    expect(entriesBelow(stdout, none)).toEqual([]);
  expect(status).toBe(0);
  const encodings = entriesBelow(stdout, "with the pixels of pydicom 3.0.2").map((line) =>
    /^ *(\d+) \/ (\d+) +(.*)$/.exec(line)?.slice(1),
  );
  const count = (index: number) => encodings.reduce((sum, entry) => sum + Number(entry?.[index]), 0);
  expect(count(0) + count(1)).toBe(89);
  // Of lossy JPEG alone may a pixel be other, by 1.
  expect(encodings.filter((entry) => entry?.[1] !== "0").map((entry) => entry?.[2])).toEqual([
    "JPEG Baseline (Process 1)",
    "JPEG Extended (Process 2 and 4)",
  ]);
  let refused = 0;
  for (const [code, kinds] of Object.entries(REFUSED)) {
    const entries = entriesBelow(stdout, `refused here as ${code},`);
    refused += entries.length;
    for (const [count, kind] of kinds)
      expect([kind, entries.filter((entry) => kind.test(entry)).length]).toEqual([kind, count]);
  }
  // One more is read here: its scan says a thing that its decoder there does not forgive.
  expect(entriesBelow(stdout, "read here, refused by pydicom").map((line) => line.split(" ")[0])).toEqual([
    "JPEG-lossy.dcm",
  ]);
  expect(refused + 1 + 89).toBe(Number(/^ *(\d+) {2}files$/m.exec(stdout)?.[1]));
  const others = entriesBelow(stdout, "read, and not taken by ingest: other-modality");
  for (const name of ["(CT)", "(US)", "(NM)", "(CR)", "(RTDOSE)", "(SEG)", "(OT)", "does not say of which modality"])
    expect(others.some((line) => line.includes(name))).toBe(true);
});

test("files of every depth, sign, table, window, orientation, colour and syntax are read and shown as pydicom has them", () => {
  const data = join(folder, "variants");
  mkdirSync(data);
  runPydicom(join(ROOT, "tests", "runtime", "imaging", "dicom", "variants.py"), data);
  const { status, stdout } = runVerifyDicom("--data", data, "--list");
  for (const none of ["refused for their transfer syntax", "refused for another reason", "other pixels", "lost:"])
    expect(entriesBelow(stdout, none)).toEqual([]);
  expect(status).toBe(0);
  // pydicom cannot know how the pixels of a file without its meta information are stored.
  expect(entriesBelow(stdout, "pictures that pydicom makes none of")).toHaveLength(1);
  expect(stdout).not.toContain("not taken by ingest");
});

test("HTJ2K, and lossless JPEG with every predictor, are read as pydicom reads them", async () => {
  const data = join(folder, "streams");
  mkdirSync(data);
  const [rows, columns] = [40, 56];
  const slice = drawSlice(rows, columns);
  const write = (name: string, transferSyntax: string, stream: Buffer) =>
    writeFileSync(
      join(data, name),
      writeFile(Buffer.concat([writeElements(mrElements(rows, columns)), encapsulate([stream])]), { transferSyntax }),
    );
  for (let predictor = 1; predictor <= 7; predictor++) {
    const frame = { width: columns, height: rows, precision: 12, predictor };
    write(`lossless-${predictor}`, "1.2.840.10008.1.2.4.57", writeLosslessJpeg(slice, frame));
  }
  const frame = { width: columns, height: rows, precision: 12, predictor: 1 };
  write("lossless-restarts", "1.2.840.10008.1.2.4.70", writeLosslessJpeg(slice, frame, { restartRows: 8 }));
  write("htj2k", "1.2.840.10008.1.2.4.201", await encodeHtj2k(slice, rows, columns));
  const { status, stdout } = runVerifyDicom("--data", data, "--list");
  expect(entriesBelow(stdout, "with the pixels of pydicom").map((line) => line.replace(/ +/g, " ").trim())).toEqual([
    "1 / 0 High-Throughput JPEG 2000 (Lossless Only)",
    "7 / 0 JPEG Lossless, Non-Hierarchical (Process 14)",
    "1 / 0 JPEG Lossless, Non-Hierarchical, First-Order Prediction",
  ]);
  expect(status).toBe(0);
});

interface Encoder {
  getDecodedBuffer(frame: object): Uint8Array;
  encode(): void;
  setQuality(reversible: boolean, step: number): void;
  getEncodedBuffer(): Uint8Array;
}

async function encodeHtj2k(slice: Uint16Array, height: number, width: number): Promise<Buffer> {
  const load = require("@cornerstonejs/codec-openjph") as () => Promise<{ HTJ2KEncoder: new () => Encoder }>;
  const encoder = new (await load()).HTJ2KEncoder();
  const frame = { width, height, bitsPerSample: 12, componentCount: 1, isSigned: false, isUsingColorTransform: false };
  encoder.getDecodedBuffer(frame).set(new Uint8Array(slice.buffer));
  encoder.setQuality(true, 0);
  encoder.encode();
  return Buffer.from(encoder.getEncodedBuffer());
}

test("a folder without DICOM shows nothing, and is said to", () => {
  const data = join(folder, "without");
  mkdirSync(data);
  for (const name of ["a.txt", "b.png"]) writeFileSync(join(data, name), "no DICOM");
  const { status, stderr } = runVerifyDicom("--data", data);
  expect([status, stderr]).toEqual([
    1,
    expect.stringContaining(`None of the 2 files below ${data} is DICOM, so nothing was compared.`),
  ]);
});

test("the judge finds one sample that differs, a wrong refusal, and a file of which nothing is told", () => {
  const data = join(folder, "judged");
  mkdirSync(data);
  for (const name of ["changed", "refused", "silent", "equal"]) writeFileSync(join(data, name), writeMr());
  const slice = drawSlice(64, 48);
  const changed = slice.with(1234, (slice[1234] as number) + 1);
  const frame = (path: string, samples: Uint16Array) => [
    `${JSON.stringify({ path, stored: "frame", frame: 0, of: 1, encoding: "Explicit", type: "<u2", bytes: 6144 })}\n`,
    Buffer.from(samples.buffer),
  ];
  const told = [
    `${JSON.stringify({ files: ["changed", "refused", "silent", "equal"] })}\n`,
    ...frame("changed", changed),
    `${JSON.stringify({ path: "changed", end: true })}\n`,
    `${JSON.stringify({ path: "refused", stored: "refused", code: "damaged", message: "It is not." })}\n`,
    `${JSON.stringify({ path: "refused", end: true })}\n`,
    ...frame("equal", slice),
    `${JSON.stringify({ path: "equal", end: true })}\n`,
  ];
  const input = Buffer.concat(told.map((part) => (typeof part === "string" ? Buffer.from(part) : part)));
  const script = join(ROOT, "scripts", "verify-dicom.py");
  const { status, stdout } = spawnSync(pydicomPython(), [script, data], { input, encoding: "utf8" });
  expect(entriesBelow(stdout, "other pixels")).toEqual(["changed  frame 1: by 1  (Explicit)"]);
  expect(entriesBelow(stdout, "refused for another reason")).toEqual(["refused  It is not.  (damaged)"]);
  expect(entriesBelow(stdout, "lost:")).toEqual(["silent"]);
  expect(entriesBelow(stdout, "with the pixels of")).toEqual(["   1 / 0    Explicit"]);
  expect(status).toBe(1);
});

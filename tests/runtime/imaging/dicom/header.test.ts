import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deflateRawSync } from "node:zlib";
import { isDicom, readDicomHeader } from "../../../../runtime/imaging";
import { pydicomTestFiles, runPydicom } from "../../../support/pydicom";
import { type Elements, head, mrElements, writeElements, writeFile, writeMr } from "./dicom-writer";

const SCRIPT = join(__dirname, "headers.py");

/** In files that pydicom is tested with. */
const PLACEHOLDERS: readonly string[] = ["ANON", "Anonymous", "anonymous", "0", "00000"];

const AXIAL = "1\\0\\0\\0\\1\\0";
const CORONAL = "1\\0\\0\\0\\0\\-1";
const SAGITTAL = "0\\1\\0\\0\\0\\-1";

/** An enhanced file of so many frames, each of its own orientation and position. */
const framesOf = (orientations: readonly string[]): Elements => [
  [
    0x5200_9230,
    "SQ",
    orientations.map(
      (orientation, i): Elements => [
        [0x0020_9113, "SQ", [[[0x0020_0032, "DS", `0\\0\\${10 * i}`]]]],
        [0x0020_9116, "SQ", [[[0x0020_0037, "DS", orientation]]]],
      ],
    ),
  ],
];

it("says of a scan whose it is, where it belongs and how it was made", () => {
  const bytes = writeMr(8, 8, [
    [0x0008_0020, "DA", "20260203"],
    [0x0008_002a, "DT", "20260204101500.5+0100"],
    [0x0008_0050, "SH", "ACC-1"],
    [0x0008_0070, "LO", "SIEMENS HEALTHINEERS"],
    [0x0008_1090, "LO", "MAGNETOM Skyra Fit"],
    [0x0008_103e, "LO", "t2_tirm_tra_dark-fluid JOHN DOE"],
    [0x0010_0020, "LO", " 4711 "],
    [0x0012_0062, "CS", "YES"],
    [0x0018_0015, "CS", "BRAIN"],
    [0x0018_0087, "DS", "30000"],
    [0x0020_000d, "UI", "1.2.3"],
    [0x0020_000e, "UI", "1.2.3.1"],
    [0x0020_0013, "IS", "7"],
    [0x0020_0032, "DS", "-100\\-120\\35.5"],
    [0x0020_0037, "DS", AXIAL],
  ]);
  expect(readDicomHeader(bytes)).toEqual({
    patientId: "4711",
    studyUid: "1.2.3",
    seriesUid: "1.2.3.1",
    instanceUid: "1.2.3.4",
    accession: "ACC-1",
    sopClass: "1.2.840.10008.5.1.4.1.1.4",
    view: "axial",
    frameViews: undefined,
    instanceNumber: 7,
    position: 35.5,
    bodyPart: "BRAIN",
    sequence: "FLAIR",
    manufacturer: "Siemens",
    model: "Skyra Fit",
    fieldStrength: 3,
    studyDate: "2026-02-03",
    acquisitionDate: "2026-02-04",
    identityRemoved: true,
    malformedUids: new Set(),
  });
});

it("tells how each frame lies where they differ", () => {
  const { view, frameViews, position } = readDicomHeader(writeMr(8, 8, framesOf([CORONAL, SAGITTAL, "0\\0"])));
  expect([view, frameViews]).toEqual(["coronal", ["coronal", "sagittal", undefined]]);
  expect(position).toBe(0);
  expect(readDicomHeader(writeMr(8, 8, framesOf([AXIAL, AXIAL]))).frameViews).toBeUndefined();
});

it("keeps of texts that people type in what no name can be in", () => {
  const planted = "DOE JANE 4711";
  const { bodyPart, sequence, manufacturer, model } = readDicomHeader(
    writeMr(8, 8, [
      [0x0008_0070, "LO", planted],
      [0x0008_1090, "LO", `${planted} Ingenia ${planted}`],
      [0x0008_103e, "LO", `${planted} T1 post`],
      [0x0018_0015, "CS", planted],
      [0x0018_0020, "CS", planted],
    ]),
  );
  expect({ bodyPart, sequence, manufacturer, model }).toEqual({ model: "Ingenia", sequence: "T1" });
});

it.each([
  ["ANON", undefined],
  ["anonymized", undefined],
  ["0", undefined],
  ["00-000", undefined],
  ["XX", undefined],
  ["99999999", undefined],
  ["--", undefined],
  ["N/A", undefined],
  ["", undefined],
  ["ANON12", "ANON12"],
  ["1", "1"],
  ["11", "11"],
  ["100", "100"],
  ["山田", "山田"],
])("takes of patients' ids %p for %p: what many share names nobody", (given, wanted) => {
  const elements: Elements = [
    [0x0008_0005, "CS", "ISO_IR 192"],
    [0x0010_0020, "LO", Buffer.from(given)],
  ];
  expect(readDicomHeader(writeMr(8, 8, elements)).patientId).toBe(wanted);
});

it.each([
  ["AX T2 FLAIR", "FLAIR"],
  ["t2_tirm_tra_dark-fluid", "FLAIR"],
  ["eDWI_b1000", "DWI"],
  ["ep2d_diff_3scan_trace", "DWI"],
  ["sT1W_3D_TFE", "T1"],
  ["SAGT1 POST", "T1"],
  ["MPRAGE", "T1"],
  ["3DT2 CUBE", "T2"],
  ["T2* GRE", "T2*"],
  ["PATIENT1 DOE", "SE IR"],
  ["a different one", "SE IR"],
])("takes of a description %p the sequence %p", (description, wanted) => {
  const { sequence } = readDicomHeader(
    writeMr(8, 8, [
      [0x0008_103e, "LO", description],
      [0x0018_0020, "CS", "SE\\IR"],
    ]),
  );
  expect(sequence).toBe(wanted);
});

it("takes strange values for none", () => {
  const strange: Elements = [
    [0x0008_0020, "DA", "20260231"],
    [0x0008_0022, "DA", "yesterday"],
    [0x0010_0020, "LO", "x".repeat(2000)],
    [0x0018_0087, "DS", "strong"],
    [0x0020_000d, "UI", "\0\0"],
    [0x0020_0013, "IS", "1e9"],
    [0x0020_0032, "DS", "a\\b\\c"],
    [0x0020_0037, "DS", "left\\right"],
  ];
  const { studyDate, acquisitionDate, patientId, fieldStrength, studyUid, instanceNumber, position, view } =
    readDicomHeader(writeMr(8, 8, strange));
  const found = { studyDate, acquisitionDate, patientId, fieldStrength, studyUid, instanceNumber, position, view };
  expect(Object.values(found)).toEqual(Object.keys(found).map(() => undefined));
});

it("says what stands before the damage of a file, and nothing of what is none", () => {
  const elements = mrElements(8, 8, [[0x0010_0020, "LO", "4711"]]);
  const whole = writeFile(writeElements(elements));
  const nested = Buffer.concat([
    whole,
    ...Array.from({ length: 10_000 }, () =>
      Buffer.concat([head(0x0040_a730, "SQ", 0xffff_ffff), head(0xfffe_e000, "", 0xffff_ffff, { explicit: false })]),
    ),
  ]);
  expect(readDicomHeader(nested).patientId).toBe("4711");
  for (let end = 0; end < whole.length; end++)
    expect([undefined, "4711", "471", "47", "4"]).toContain(readDicomHeader(whole.subarray(0, end)).patientId);
  expect(readDicomHeader(Buffer.from("no DICOM"))).toMatchObject({ patientId: undefined, identityRemoved: false });
  const deflated = writeFile(deflateRawSync(writeElements(elements)), { transferSyntax: "1.2.840.10008.1.2.1.99" });
  expect(readDicomHeader(deflated).patientId).toBe("4711");
});

it("reads an identifier the same in whatever character set it was written", () => {
  const folder = mkdtempSync(join(tmpdir(), "headers-"));
  try {
    const identifiers = JSON.parse(runPydicom(SCRIPT, "write", folder)) as Record<string, string>;
    const files = readdirSync(folder);
    expect(files.length).toBeGreaterThan(40);
    const read = files.map((file) => {
      const { patientId, accession } = readDicomHeader(readFileSync(join(folder, file)));
      return [file, patientId, accession];
    });
    const written = (file: string) => identifiers[file.replace(/-\d+\.dcm$/, "")];
    expect(read).toEqual(files.map((file) => [file, written(file), written(file)]));
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it.each([
  ["UTF-8 that nobody announced", undefined, Buffer.from("Müller-7 ")],
  ["Latin-1 that nobody announced", undefined, Buffer.from("Müller-7", "latin1")],
  ["a set that nobody knows", "ISO_IR 999", Buffer.from("Müller-7", "latin1")],
  ["two characters that look like one", "ISO_IR 192", Buffer.from("Mu\u0308ller-7")],
  ["a set of another spelling", "ISO-IR 100", Buffer.from("Müller-7", "latin1")],
  ["katakana of one byte", "ISO_IR 13", Buffer.from([0xd4, 0xcf]), "\uff94\uff8f"],
  ["an escape sequence that nobody announced", undefined, Buffer.from("\x1b-AM\xfcller-7", "latin1")],
])("reads %s", (_, set, identifier, wanted = "Müller-7") => {
  const elements: Elements = [
    ...(set ? ([[0x0008_0005, "CS", set]] as Elements) : []),
    [0x0010_0020, "LO", identifier],
  ];
  expect(readDicomHeader(writeMr(8, 8, elements)).patientId).toBe(wanted);
});

it("reads the files that pydicom is tested with as pydicom does", () => {
  const folder = pydicomTestFiles();
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile() && isDicom(readFileSync(path)));
  const judged = JSON.parse(runPydicom(SCRIPT, "read", ...files)) as Record<string, Record<string, string | null>>;
  const differing = Object.entries(judged).flatMap(([path, facts]) => {
    const header = readDicomHeader(readFileSync(path));
    return Object.entries(facts).flatMap(([name, value]) => {
      const own = header[name as "patientId"] ?? null;
      // pydicom takes placeholders for ids.
      return own === value || (name === "patientId" && own === null && PLACEHOLDERS.includes(value ?? ""))
        ? []
        : [[path.slice(folder.length + 1), name, value, own]];
    });
  });
  expect(Object.keys(judged).length).toBeGreaterThan(100);
  expect(differing).toEqual([]);
});

test("UIDs are what stands there, and those that are none are told", () => {
  const uids = (instance: string, study: string) => {
    const [instanceUid, studyUid] = [instance, study].map((text) => Buffer.from(text, "latin1")) as [Buffer, Buffer];
    const header = readDicomHeader(
      writeMr(8, 8, [
        [0x0008_0018, "UI", instanceUid],
        [0x0020_000d, "UI", studyUid],
      ]),
    );
    return [header.instanceUid, header.studyUid, ...header.malformedUids];
  };
  expect(uids("1.2.34\0", "1.2.3.4\0\0")).toEqual(["1.2.34", "1.2.3.4"]);
  // Two that differ stay two, and one that blanks fill up stays one.
  expect(uids("1.2\0.3\0", "1.2\\0.3\0")).toEqual(["1.2\0.3", "1.2\\0.3", "studyUid", "instanceUid"]);
  expect(uids("1.2.3 ", "1..2")).toEqual(["1.2.3", "1..2", "studyUid", "instanceUid"]);
});

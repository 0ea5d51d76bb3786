import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import sharp from "sharp";
import {
  type DeidentifyOptions,
  deidentify,
  openDicom,
  RejectedImage,
  type ReplacementNames,
  readDicomHeader,
} from "../../../../runtime/imaging";
import { openIdentities } from "../../../../runtime/intake";
import { pydicomTestFiles, runPydicom } from "../../../support/pydicom";
import {
  bytesOfSlice,
  drawSlice,
  type Elements,
  EXPLICIT,
  encapsulate,
  head,
  ITEM,
  MR_STORAGE,
  mrElements,
  writeElements,
  writeFile,
} from "../dicom/dicom-writer";

const [ROWS, COLUMNS] = [64, 48];
const PIXELS = 0x7fe0_0010;
const JPEG = "1.2.840.10008.1.2.4.50";
const JPEG_2000 = "1.2.840.10008.1.2.4.90";
const DEFLATED = "1.2.840.10008.1.2.1.99";

/** Everything that keeps as much as it may. */
const MOST: DeidentifyOptions = {
  cleanDescriptors: true,
  cleanGraphics: true,
  cleanStructuredContent: true,
  retainDates: "modified",
  retainDeviceIdentity: true,
  retainInstitution: true,
  retainPatientCharacteristics: true,
  retainSafePrivate: true,
};

let names: ReplacementNames;
beforeAll(async () => {
  names = await (await openIdentities("local:a key")).of("MRN-4711-X");
});

/** The pixels of a frame as they are stored, whatever the modality. */
async function pixelsOf(bytes: Buffer): Promise<readonly number[]> {
  return Array.from((await openDicom(bytes).frames.read(0)).values);
}

const slice: Elements = [[PIXELS, "OW", bytesOfSlice(drawSlice(ROWS, COLUMNS))]];

/** A file with elements beside those of a picture. */
const fileOf = (more: Elements, pixels: Elements = slice) =>
  writeFile(writeElements([...mrElements(ROWS, COLUMNS, more), ...pixels]));

const PERSON: Elements = [
  [0x0010_0010, "PN", "Mustermann^Erika"],
  [0x0010_0020, "LO", "MRN-4711-X"],
];

const SECRETS = ["Mustermann", "Erika", "MRN-4711-X", "4711"];

function expectNone(bytes: Buffer, secrets: readonly (string | Buffer)[] = SECRETS): void {
  const found = secrets.filter((secret) =>
    typeof secret === "string"
      ? bytes.toString("latin1").toLowerCase().includes(secret.toLowerCase())
      : bytes.includes(secret),
  );
  expect(found).toEqual([]);
}

/** Where a name can stand that does not belong there: outermost, or in a sequence. */
const MISPLACED: Readonly<Record<string, Elements>> = {
  "a private element": [
    [0x0009_0010, "LO", "ACME of Mustermann"],
    [0x0009_1001, "LO", "Mustermann"],
  ],
  "a private sequence": [
    [0x0009_0010, "LO", "ACME"],
    [0x0009_1002, "SQ", [PERSON]],
  ],
  "a private element that is listed as safe, of another maker": [
    [0x0019_0010, "LO", "ACME"],
    [0x0019_100d, "CS", "MUSTERMANN"],
  ],
  "a private element that is listed as safe, as what it is not": [
    [0x0019_0010, "LO", "SIEMENS MR HEADER"],
    [0x0019_100c, "LO", "Mustermann"],
  ],
  "an attribute that no edition has": [[0x0008_9998, "LO", "Mustermann"]],
  "an attribute of no known representation": [[0x0008_0070, "ZZ", "Mustermann"]],
  "an attribute of another representation": [[0x0018_0050, "OB", Buffer.from("Mustermann")]],
  "an attribute that is retired": [[0x4000_4000, "LT", "Mustermann"]],
  "the length of a group": [[0x0008_0000, "UL", Buffer.from("Mustermann")]],
  "a code": [[0x0008_0008, "CS", "ORIGINAL\\PRIMARY\\MUSTERMANN"]],
  "a code that is none": [[0x0018_0022, "CS", "Frau Erika Mustermann"]],
  "a body part": [[0x0018_0015, "CS", "MUSTERMANN"]],
  "a number": [[0x0018_0050, "DS", "4711 Erika"]],
  "a number that is the patient's": [
    [0x0020_0012, "IS", "47110815"],
    [0x0010_1000, "LO", "47110815"],
  ],
  "a time": [[0x0008_0032, "TM", "Erika"]],
  "a date": [[0x0008_0022, "DA", "Erika"]],
  "an age": [[0x0010_1010, "AS", "Erika"]],
  "a UID": [[0x0020_000e, "UI", "1.2.3.4711"]],
  "a UID that is none": [[0x0008_1155, "UI", "Erika Mustermann"]],
  "a UID of a class": [[0x0008_1150, "UI", "1.2.3.MRN-4711-X"]],
  "a UID that only begins like one of the standard": [[0x0020_0052, "UI", "1.2.840.10008.471147114711"]],
  "a text of the machine": [[0x0018_1020, "LO", "syngo 3 Mustermann"]],
  "a text that is not listed": [[0x0028_1055, "LO", "window of Erika"]],
  "the name of the maker": [[0x0008_0070, "LO", "Mustermann Systems"]],
  "a description": [[0x0008_103e, "LO", "T1 axial Mustermann MRN-4711-X"]],
  "a comment": [[0x0020_4000, "LT", "Frau Mustermann, Erika; MRN-4711-X\r\ncalled today"]],
  "an institution that is called like the patient": [[0x0008_0080, "LO", "Praxis Mustermann"]],
  "a meaning of a code": [[0x0008_0104, "LO", "Erika"]],
  "a colour profile": [[0x0028_2000, "OB", Buffer.from("Mustermann")]],
  "a table of values": [
    [
      0x0028_3010,
      "SQ",
      [
        [
          [0x0028_3003, "LO", "Mustermann"],
          [0x0028_3006, "ZZ", "Erika"],
        ],
      ],
    ],
  ],
  "an encapsulated document": [[0x0042_0011, "OB", Buffer.from("Mustermann")]],
  "encrypted attributes": [[0x0400_0500, "SQ", [[[0x0400_0520, "OB", Buffer.from("Mustermann")]]]]],
  "a curve": [[0x5000_3000, "OW", Buffer.from("Mustermann")]],
  "an overlay": [
    [0x6000_0022, "LO", "Mustermann"],
    [0x6000_1500, "LO", "Mustermann"],
    [0x6002_3000, "OW", Buffer.from("Mustermann")],
    [0x601e_4000, "LT", "Mustermann"],
  ],
  "a graphic annotation": [[0x0070_0001, "SQ", [[[0x0070_0008, "SQ", [[[0x0070_0006, "ST", "Mustermann"]]]]]]]],
  "a content item": [
    [
      0x0040_a730,
      "SQ",
      [
        [
          [0x0040_a160, "UT", "Mustermann"],
          [0x0040_a123, "PN", "Mustermann^Erika"],
        ],
      ],
    ],
  ],
  "a sequence of a sequence": [
    [0x0008_1115, "SQ", [[[0x0008_1199, "SQ", [[...PERSON, [0x0009_1001, "UN", Buffer.from("Erika")]]]]]]],
  ],
  "a sequence that says nothing of itself": [
    [0x0008_1115, "UN", writeElements([[ITEM, "", ""]], { explicit: false })],
    [
      0x0008_1199,
      "UN",
      Buffer.concat([
        head(ITEM, "", 18, { explicit: false }),
        head(0x0010_0010, "", 10, { explicit: false }),
        Buffer.from("Mustermann"),
      ]),
    ],
  ],
};

const sorted = (elements: Elements) => [...elements].sort(([a], [b]) => a - b);

describe.each(Object.entries(MISPLACED))("in %s", (_, elements) => {
  test.each([
    ["outermost", elements],
    ["in a sequence", [[0x0040_0260, "SQ", [sorted(elements)]]] as Elements],
  ])("a name is not left, %s", async (_place, misplaced) => {
    const file = fileOf([...PERSON, ...misplaced]);
    for (const options of [{}, MOST, { ...MOST, retainDates: "full" as const }]) {
      const after = deidentify(file, names, options);
      expectNone(after);
      expect(await pixelsOf(after)).toEqual(await pixelsOf(file));
    }
  });
});

test("what stands before, behind and beside the elements is not left", async () => {
  const trailing: Elements = [
    [0xfffa_fffa, "SQ", [[[0x0400_0120, "OB", Buffer.from("Mustermann")]]]],
    [0xfffc_fffc, "OB", Buffer.from("Mustermann")],
  ];
  const pixels = Buffer.concat([bytesOfSlice(drawSlice(ROWS, COLUMNS)), Buffer.from("Mustermann")]);
  const dataSet = writeElements([...mrElements(ROWS, COLUMNS, PERSON), [PIXELS, "OW", pixels], ...trailing]);
  const meta = writeElements([
    [0x0002_0002, "UI", MR_STORAGE],
    [0x0002_0003, "UI", "1.2.3.4711"],
    [0x0002_0010, "UI", EXPLICIT],
    [0x0002_0013, "SH", "Erika"],
    [0x0002_0016, "AE", "MUSTERMANN"],
    [0x0002_0100, "UI", "1.2.3.4711"],
    [0x0002_0102, "OB", Buffer.from("Mustermann")],
  ]);
  const file = Buffer.concat([
    Buffer.alloc(128, "Mustermann"),
    Buffer.from("DICM"),
    meta,
    dataSet,
    Buffer.from("4711"),
  ]);
  const after = deidentify(file, names);
  expectNone(after);
  expect(await pixelsOf(after)).toEqual(await pixelsOf(file));
  expect(after.length).toBeLessThan(dataSet.length + 700);
});

/** Names in bytes of their character set. */
const CHARACTER_SETS: readonly (readonly [terms: string, name: Buffer])[] = [
  ["ISO_IR 100", Buffer.from("M\xfcllersch\xf6n", "latin1")],
  ["ISO_IR 144", Buffer.from([0xbb, 0xee, 0xda, 0xd0, 0xd5, 0xd2])],
  ["ISO_IR 126", Buffer.from([0xc4, 0xe9, 0xef, 0xed, 0xf5, 0xf3])],
  ["ISO_IR 192", Buffer.from("Müllerschön 山田太郎")],
  ["GB18030", Buffer.from([0xcd, 0xf5, 0xd0, 0xa1, 0xb6, 0xab])],
  ["\\ISO 2022 IR 87", Buffer.from("\x1b$B;3ED\x1b(B", "latin1")],
  ["ISO 2022 IR 13\\ISO 2022 IR 87", Buffer.from([0xd4, 0xcf, 0xc0, 0xde])],
  ["\\ISO 2022 IR 149", Buffer.from("\x1b$)C\xb1\xe8\xc8\xf1\xc1\xdf", "latin1")],
];

test.each(CHARACTER_SETS)("a name in %j is not left", async (terms, name) => {
  const text = Buffer.concat([Buffer.from("T1 "), name, Buffer.alloc((name.length + 1) % 2, " ")]);
  const texts: Elements = [
    [0x0008_0005, "CS", terms],
    [0x0008_0070, "LO", text],
    [0x0008_0080, "LO", Buffer.concat([name, Buffer.alloc(name.length % 2, " ")])],
    [0x0008_1030, "LO", text],
    [0x0010_0010, "PN", Buffer.concat([name, Buffer.alloc(name.length % 2, " ")])],
    [0x0018_0024, "SH", text],
    [0x0018_1030, "LO", text],
    [0x0020_4000, "LT", text],
  ];
  const file = fileOf([...texts, [0x0040_0260, "SQ", [texts]]]);
  const core = name.subarray(name.length > 6 ? 3 : 0, name.length > 6 ? -3 : undefined);
  expect(file.includes(core)).toBe(true);
  const after = deidentify(file, names, MOST);
  expectNone(after, [core, Buffer.from(core.toString("latin1"))]);
  expect(await pixelsOf(after)).toEqual(await pixelsOf(file));
});

test("a text that stays is the same in UTF-8, and the file says so", () => {
  const file = fileOf([
    [0x0008_0005, "CS", "ISO_IR 144"],
    [0x0008_0080, "LO", Buffer.from([0xba, 0xdb, 0xd8, 0xdd])],
  ]);
  const after = deidentify(file, names, { retainInstitution: true });
  expect(after.includes("Клин")).toBe(true);
  expect(after.includes("ISO_IR 192")).toBe(true);
  expect(deidentify(file, names).includes("ISO_IR")).toBe(false);
});

test("words stay that name nobody, unless somebody is called so", () => {
  const described = (name: string) =>
    fileOf([
      [0x0008_0070, "LO", "SIEMENS Healthineers"],
      [0x0008_103e, "LO", "t1_mprage_sag_p2 Dr. Weiss 3mm +C"],
      [0x0010_0010, "PN", name],
    ]);
  const after = deidentify(described("Muster"), names, { cleanDescriptors: true });
  expect(after.includes("t1 mprage sag p2 3mm")).toBe(true);
  expect(after.includes("SIEMENS Healthineers")).toBe(true);
  expect(deidentify(described("Sag^Siemens"), names, MOST).toString("latin1")).not.toMatch(/sag |siemens/i);
});

/** A JPEG of the slice with what applications and people write into one. */
async function commentedJpeg(): Promise<Buffer> {
  const pixels = Buffer.from(drawSlice(ROWS, COLUMNS).map((value) => value >> 4));
  const jpeg = await sharp(pixels, { raw: { width: COLUMNS, height: ROWS, channels: 1 } })
    .toColourspace("b-w")
    .withExif({ IFD0: { Artist: "Erika Mustermann" } })
    .jpeg()
    .toBuffer();
  const comment = Buffer.from("\xff\xfe\x00\x0cMustermann", "latin1");
  const behind = Buffer.from("\0\0Mustermann");
  return Buffer.concat([jpeg.subarray(0, 2), comment, jpeg.subarray(2), behind]);
}

const EIGHT_BITS: Elements = [
  [0x0028_0100, "US", [8]],
  [0x0028_0101, "US", [8]],
  [0x0028_0102, "US", [7]],
];

test("what was written into compressed streams is not left, and their pictures are the same", async () => {
  const jpeg = await commentedJpeg();
  expect(jpeg.toString("latin1").match(/Mustermann/g)?.length).toBeGreaterThan(2);
  const [half, elements] = [300, mrElements(ROWS, COLUMNS, [...EIGHT_BITS, ...PERSON])];
  for (const pieces of [[jpeg], [jpeg.subarray(0, half), jpeg.subarray(half)]]) {
    const file = writeFile(Buffer.concat([writeElements(elements), encapsulate(pieces)]), { transferSyntax: JPEG });
    const after = deidentify(file, names);
    expectNone(after);
    expect(await pixelsOf(after)).toEqual(await pixelsOf(file));
  }
});

test("what was written into JPEG 2000 is not left, in the head and of a tile, and the picture is the same", async () => {
  const original = readFileSync(join(pydicomTestFiles(), "MR_small_jp2klossless.dcm"));
  const start = original.indexOf(Buffer.from("\xff\x4f\xff\x51", "latin1"));
  const size = original.readUInt32LE(start - 4);
  const stream = original.subarray(start, start + size);
  const comment = Buffer.from("\xff\x64\x00\x0e\x00\x01Mustermann", "latin1");
  const tile = stream.indexOf(Buffer.from("\xff\x90\x00\x0a", "latin1"));
  const tiles = Buffer.concat([stream.subarray(tile, tile + 12), comment, stream.subarray(tile + 12)]);
  tiles.writeUInt32BE(tiles.readUInt32BE(6) + comment.length, 6);
  const commented = Buffer.concat([stream.subarray(0, tile), comment, tiles, Buffer.from("Erika ")]);
  const more: Elements = [
    [0x0028_0101, "US", [16]],
    [0x0028_0102, "US", [15]],
    [0x0028_0103, "US", [1]],
  ];
  const file = (bytes: Buffer) =>
    writeFile(Buffer.concat([writeElements(mrElements(64, 64, [...more, ...PERSON])), encapsulate([bytes])]), {
      transferSyntax: JPEG_2000,
    });
  const after = deidentify(file(commented), names);
  expectNone(after);
  expect(await pixelsOf(after)).toEqual(await pixelsOf(file(stream)));
});

/** Pixels of 12 bits with an overlay in the bit above them. */
function withOverlayInPixels(encode: (pixels: Buffer) => Buffer, transferSyntax = EXPLICIT): Buffer {
  const pixels = drawSlice(ROWS, COLUMNS).map((value, i) => (i % 3 === 0 ? value | 0x1000 : value));
  const overlay: Elements = [
    [0x6000_0100, "US", [16]],
    [0x6000_0102, "US", [12]],
  ];
  const dataSet = writeElements(mrElements(ROWS, COLUMNS, overlay));
  return writeFile(Buffer.concat([dataSet, encode(bytesOfSlice(pixels))]), { transferSyntax });
}

test("an overlay in the bits of pixels is taken out of native ones, and compressed ones are refused", async () => {
  const file = withOverlayInPixels((pixels) => writeElements([[PIXELS, "OW", pixels]]));
  const after = deidentify(file, names);
  expect(after.subarray(-bytesOfSlice(drawSlice(ROWS, COLUMNS)).length)).toEqual(
    bytesOfSlice(drawSlice(ROWS, COLUMNS)),
  );
  expect(await pixelsOf(after)).toEqual(await pixelsOf(file));
  const compressed = withOverlayInPixels((pixels) => encapsulate([pixels]), "1.2.840.10008.1.2.1.98");
  expect(() => deidentify(compressed, names)).toThrow(/overlays in the bits of compressed pixels/);
});

test("elements said twice, and out of order, are read as they are by others: the later counts", () => {
  const file = writeFile(
    writeElements([
      [0x0010_0020, "LO", "Mustermann"],
      ...mrElements(ROWS, COLUMNS, [[0x0018_0050, "DS", "5"]]),
      [0x0010_0020, "LO", "MRN-4711-X"],
      [0x0018_0050, "DS", "7 "],
      ...slice,
    ]),
  );
  const after = deidentify(file, names);
  expectNone(after);
  const tags = [0x0010_0020, 0x0018_0050].map((tag) =>
    after.indexOf(head(tag, "", 0, { explicit: false }).subarray(0, 4)),
  );
  expect(tags).toEqual([...tags].sort((a, b) => a - b));
  expect(after.includes(`${String.fromCharCode(2)}\x007 `)).toBe(true);
});

test("a deflated file is one afterwards, and a file without its head gets one", async () => {
  const dataSet = writeElements([...mrElements(ROWS, COLUMNS, PERSON), ...slice]);
  const deflated = deidentify(writeFile(deflateRawSync(dataSet), { transferSyntax: DEFLATED }), names);
  expect(await pixelsOf(deflated)).toEqual(Array.from(drawSlice(ROWS, COLUMNS)));
  const start = 132 + 12 + deflated.readUInt32LE(140);
  expectNone(inflateRawSync(deflated.subarray(start)));
  for (const explicit of [true, false]) {
    const bare = writeElements([...mrElements(ROWS, COLUMNS, PERSON), ...slice], { explicit });
    const after = deidentify(bare, names);
    expect(after.toString("latin1", 128, 132)).toBe("DICM");
    expect(await pixelsOf(after)).toEqual(Array.from(drawSlice(ROWS, COLUMNS)));
    expectNone(after);
  }
});

test("a header says afterwards what the names say, and what it said of the scan", () => {
  const before = fileOf([
    ...PERSON,
    [0x0008_0020, "DA", "20240229"],
    [0x0008_0050, "SH", "A-4711"],
    [0x0008_0070, "LO", "SIEMENS"],
    [0x0008_103e, "LO", "T2 flair Mustermann"],
    [0x0008_1090, "LO", "Skyra"],
    [0x0018_0015, "CS", "BRAIN"],
    [0x0018_0087, "DS", "3"],
    [0x0020_000d, "UI", "1.2.3.4711.1"],
    [0x0020_000e, "UI", "1.2.3.4711.2"],
    [0x0020_0037, "DS", "1\\0\\0\\0\\1\\0"],
  ]);
  const header = readDicomHeader(before);
  const after = readDicomHeader(deidentify(before, names, { cleanDescriptors: true, retainDates: "modified" }));
  const day = new Date(Date.UTC(2024, 1, 29) - names.dayShift * 86_400_000).toISOString().slice(0, 10);
  expect(after).toEqual({
    ...header,
    patientId: names.patient,
    studyUid: names.uid("1.2.3.4711.1"),
    seriesUid: names.uid("1.2.3.4711.2"),
    instanceUid: names.uid("1.2.3.4"),
    accession: names.accession("A-4711"),
    studyDate: day,
    identityRemoved: true,
  });
  expect(header).toMatchObject({ sequence: "FLAIR", manufacturer: "Siemens", model: "Skyra", bodyPart: "BRAIN" });
  const full = readDicomHeader(deidentify(before, names, { retainDates: "full", retainUids: true }));
  expect(full).toMatchObject({ studyUid: "1.2.3.4711.1", studyDate: "2024-02-29", sequence: undefined });
  expect(readDicomHeader(deidentify(before, names))).toMatchObject({
    studyDate: undefined,
    acquisitionDate: undefined,
  });
});

test("safe private elements stay where they are wanted, with what reserves their block", () => {
  const diffusion: Elements = [
    [0x0019_0010, "LO", "SIEMENS MR HEADER"],
    [0x0019_0011, "LO", "ACME"],
    [0x0019_100c, "IS", "1735"],
    [0x0019_1008, "CS", "IMAGE NUM 4"],
    [0x0019_110c, "IS", "1736"],
  ];
  const file = fileOf(diffusion);
  const after = deidentify(file, names, { retainSafePrivate: true });
  expect(after.includes("SIEMENS MR HEADER ") && after.includes("1735")).toBe(true);
  expectNone(after, ["ACME", "IMAGE NUM 4", "1736"]);
  expectNone(deidentify(file, names), ["SIEMENS MR HEADER", "1735"]);
});

test.each([
  [
    "of a transfer syntax of its own",
    writeFile(Buffer.alloc(8), { transferSyntax: "1.2.3.4711" }),
    "unsupported-encoding",
  ],
  [
    "of a class of its own",
    writeFile(writeElements(mrElements(8, 8, [[0x0008_0016, "UI", "1.2.3.4711"]]))),
    "not-an-image",
  ],
  ["with too few pixels", fileOf([], [[PIXELS, "OW", Buffer.alloc(100)]]), "truncated"],
  [
    "with a value that reaches past its end",
    Buffer.concat([fileOf([], []), head(0x0028_1055, "LO", 200)]),
    "truncated",
  ],
  ["with sequences without end", fileOf([], [...slice, ...deep(100)]), "damaged"],
  ["that is none", Buffer.from("Mustermann".repeat(40)), "damaged"],
])("a file %s is refused", (_, file, code) => {
  let refused: unknown;
  try {
    deidentify(file, names);
  } catch (error) {
    refused = error;
  }
  expect(refused).toBeInstanceOf(RejectedImage);
  expect(refused).toMatchObject({ code });
  expectNone(Buffer.from((refused as Error).message));
});

function deep(levels: number): Elements {
  let elements: Elements = [[0x0008_0100, "SH", "1"]];
  for (let i = 0; i < levels; i++) elements = [[0x0040_0260, "SQ", [elements]]];
  return elements;
}

test("every test file of pydicom is refused for a reason, or has the same pixels afterwards by pydicom", () => {
  const folder = mkdtempSync(join(tmpdir(), "deidentify-"));
  try {
    const files = pydicomTestFiles();
    for (const part of ["before", "after"]) mkdirSync(join(folder, part));
    const refused: string[] = [];
    for (const path of readdirSync(files, { recursive: true, encoding: "utf8" })) {
      if (statSync(join(files, path)).isDirectory()) continue;
      const name = path.replaceAll("/", " ");
      const bytes = readFileSync(join(files, path));
      try {
        writeFileSync(join(folder, "after", name), deidentify(bytes, names, MOST));
        writeFileSync(join(folder, "before", name), bytes);
      } catch (error) {
        if (!(error instanceof RejectedImage)) throw error;
        refused.push(name);
      }
    }
    const compared = runPydicom(
      join(__dirname, "instances.py"),
      "compare",
      join(folder, "before"),
      join(folder, "after"),
    );
    const { same, differ } = JSON.parse(compared) as { same: number; differ: string[] };
    expect(differ).toEqual([]);
    expect(same).toBe(89);
    // Texts of the folder, and files that are cut, or without what says what they are.
    expect(refused.filter((name) => name.endsWith(".dcm")).sort()).toEqual([
      "MR_truncated.dcm",
      "badVR.dcm",
      "meta_missing_tsyntax.dcm",
      "nested_priv_SQ.dcm",
      "no_meta.dcm",
      "rtplan_truncated.dcm",
    ]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

import {
  landedManifest,
  type Manifest,
  manifestNotes,
  mergeManifests,
  parseManifest,
} from "../../../runtime/intake/manifest";
import { ANY_CASE, classify, parseLabels } from "../../../runtime/intake/names";
import { ConfigurationError } from "../../../runtime/platform/config";

describe("manifest.csv", () => {
  test("is read in any order of columns, with what spreadsheets add", () => {
    const text =
      '\uFEFFpatient_id, label ,path,extra,split,mask\r\n p1 ,Cancer,".\\Cancer\\a, b.png",x,test,./masks/m.png\r\n\r\n,,Unlabelled/c.png,,,,,\r\n';
    const manifest = parseManifest(Buffer.from(text));
    expect([...manifest.values()]).toEqual([
      expect.objectContaining({
        path: "Cancer/a, b.png",
        label: "Cancer",
        patientId: "p1",
        split: "test",
        mask: "masks/m.png",
        view: undefined,
      }),
      expect.objectContaining({ path: "Unlabelled/c.png", label: undefined, patientId: undefined, split: undefined }),
    ]);
    expect(parseManifest("").size).toBe(0);
    expect(parseManifest("path\n").size).toBe(0);
  });

  test("with mistakes names them all, with their lines", () => {
    const rows = [
      "path,label,split",
      "Cancer/a.png,cancer,",
      ",Cancer,",
      "../b.png,Cancer,",
      "Cancer/c.png,Cancer,training",
      "Cancer/d.png,Cancer,test",
      "Cancer/d.png,Cancer,train",
      "Cancer/e.png,Cancer,test,surplus",
    ];
    let message = "";
    try {
      parseManifest(rows.join("\n"));
    } catch (error) {
      expect(error).toBeInstanceOf(ConfigurationError);
      message = (error as Error).message;
    }
    for (const [line, what] of [
      [2, 'label is "cancer"'],
      [3, "path is empty"],
      [4, 'path is "../b.png"'],
      [5, 'split is "training"'],
      [7, "Cancer/d.png stands here a second time"],
      [8, "there are 4 cells under 3 columns"],
    ] as const) {
      expect(message).toContain(`line ${line}: ${what}`);
    }
    expect(() => parseManifest("file,label\na,Cancer\n")).toThrow(/no column "path"/);
    expect(() => parseManifest('path\n"a\n')).toThrow(/Quote Not Closed/);
  });

  test("that comes later adds rows and takes none away", () => {
    const merged = mergeManifests(
      Buffer.from("path,label\nCancer/a.png,Cancer\nCancer/b.png,Cancer\n"),
      Buffer.from("path,patient_id\r\nCancer/b.png,p2\r\nCancer/c.png,p3\r\n"),
    );
    expect([...parseManifest(merged).values()].map(({ path, label, patientId }) => [path, label, patientId])).toEqual([
      ["Cancer/a.png", "Cancer", undefined],
      ["Cancer/b.png", undefined, "p2"],
      ["Cancer/c.png", undefined, "p3"],
    ]);
    expect(mergeManifests(merged, merged).equals(merged)).toBe(true);
    // What an earlier version took in silence would stop every ingest now.
    const old = mergeManifests(Buffer.from("path,patientid,age\nCancer/a.png,p1,9\n"), merged);
    expect(old.toString().split("\n")[0]).toBe("path,age,label,patient_id");
  });

  test("says which rows and masks name a file that is not there, and which columns mean nothing", () => {
    const manifest = parseManifest(
      "path,patient_id,mask,width,height\nscans/Cancer/a.png,p1,,1,2\nCancer/b.png,p2,masks/no.png,1,2\n",
    );
    const files = [
      { name: "cancer/b.png", object: "Cancer/b.png", path: "", size: 1, input: classify("Cancer/b.png") },
    ];
    expect(manifestNotes(manifest, files)).toEqual([
      expect.stringMatching(/ignored: width, height\.$/),
      expect.stringMatching(/1 of its 2 files in vain, scans\/Cancer\/a.png/),
      expect.stringMatching(/1 lesion masks in vain, masks\/no.png/),
    ]);
    expect(manifestNotes(parseManifest("path\nCancer/b.png\n"), files)).toEqual([]);
    expect(manifestNotes(manifest, files, () => true)).toHaveLength(1);
  });
});

describe("columns of a manifest", () => {
  const header = (...columns: string[]) => `${columns.join(",")}\n`;

  test.each([
    ["patientid", "patient_id"],
    ["PatientID", "patient_id"],
    ["patient-id", "patient_id"],
    ["Patient ID", "patient_id"],
    ["patient", "patient_id"],
    ["patinet_id", "patient_id"],
    ["pateint", "patient_id"],
    ["subject_id", "patient_id"],
    ["Subject", "patient_id"],
    ["lable", "label"],
    ["Label", "label"],
    ["labels", "label"],
    ["splits", "split"],
    ["spilt", "split"],
    ["Source", "source"],
    ["sub-type", "subtype"],
    ["subtpye", "subtype"],
    ["masks", "mask"],
    ["maks", "mask"],
    ["segmentation", "mask"],
    ["views", "view"],
    ["veiw", "view"],
  ])("%s stops, and %s is named as what was meant", (column, meant) => {
    expect(() => parseManifest(header("path", "width", column))).toThrow(
      new RegExp(`line 1: the column "${column}" looks like ${meant}\\. Call it ${meant};`),
    );
  });

  test.each(["Path", "file", "filename", "File Name", "image", "image_path", "PATH"])(
    "%s is a misspelt path",
    (column) => {
      expect(() => parseManifest(header(column, "label"))).toThrow(
        new RegExp(`there is no column "path"[\\s\\S]*"${column}" looks like path`),
      );
    },
  );

  test("that are somebody's own are ignored, and named", () => {
    const own =
      "width height format sha256 age sex site scanner date sequence weight notes modality slice series study group id " +
      "task mass dataset grade size hospital type plane bytes phash patient_age patient_sex patient_weight birth_date " +
      "comment tumor_volume center contrast url checksum index version manufacturer protocol echo_time score course " +
      "filename image file diagnosis fold";
    const manifest = parseManifest(`path,${own.split(" ").join(",")}\nCancer/a.png\n`);
    expect(manifest.ignored).toEqual(own.split(" "));
    expect(manifest.size).toBe(1);
  });

  test("beside the known one may sound like it, but not twice be it", () => {
    expect(
      parseManifest("path,patient_id,patient,subject\nCancer/a.png,p1,Jane,x\n").get("Cancer/a.png"),
    ).toMatchObject({
      patientId: "p1",
    });
    expect(() => parseManifest("path,patient_id,PatientID\n")).toThrow(/"PatientID" looks like patient_id/);
    expect(() => parseManifest("path,label,label\n")).toThrow(/"label" stands there twice/);
  });
});

describe("tables of other programs", () => {
  const rows = [
    ["path", "patient_id", "notes"],
    ["Cancer/a, b.png", "p1", "one; two"],
    ["Cancer/ä.png", "p2", ""],
  ];
  const quoted = (delimiter: string, end = "\r\n") =>
    rows.map((row) => row.map((cell) => (/[,;\t]/.test(cell) ? `"${cell}"` : cell)).join(delimiter)).join(end);
  const expected = [
    ["Cancer/a, b.png", "p1"],
    ["Cancer/ä.png", "p2"],
  ];
  const bigEndian = (text: string) => Buffer.from(text, "utf16le").swap16();

  test.each([
    ["semicolons", Buffer.from(quoted(";"))],
    ["tabs", Buffer.from(quoted("\t"))],
    ["old line endings", Buffer.from(quoted(",", "\r"))],
    ["semicolons, a mark and a line that names them", Buffer.from(`\uFEFFsep=;\r\n${quoted(";")}`)],
    ["UTF-16 with tabs, as Excel's Unicode text", Buffer.from(`\uFEFF${quoted("\t")}`, "utf16le")],
    ["UTF-16, big end first", bigEndian(`\uFEFF${quoted(",")}`)],
    ["UTF-16 without a mark", Buffer.from(quoted(";"), "utf16le")],
    ["Windows-1252 with semicolons, as Excel's CSV", Buffer.from(quoted(";"), "latin1")],
  ])("with %s are read, and land as UTF-8 with commas", (name, content) => {
    const said = (manifest: Manifest) => [...manifest.values()].map(({ path, patientId }) => [path, patientId]);
    expect(said(parseManifest(content, ANY_CASE))).toEqual(expected);
    const landed = landedManifest(content, ANY_CASE);
    expect(said(parseManifest(landed))).toEqual(expected);
    // An old line ending alone is nothing to put right.
    if (name !== "old line endings") expect(landed.toString().split("\n")[0]).toBe("path,patient_id,notes");
  });

  test("that are none are refused, with what to do", () => {
    expect(() => parseManifest(Buffer.from("PK\u0003\u0004rest"))).toThrow(/an Excel workbook[\s\S]*CSV UTF-8/);
    expect(() => parseManifest(Buffer.from("path\nCancer/a\0.png\n"))).toThrow(/NUL characters/);
  });
});

describe("a person's own names", () => {
  const names = parseLabels("yes=Cancer, Nein = non-cancer,?=Unlabelled");

  test("in a manifest are those below landing, also of labels", () => {
    const content = Buffer.from(
      "path,label,mask,notes\nYES/a.png,yes,Masks/a.png,x\nnein/b.png,NEIN,,\n./?/c.png,?,,\nCancer/d.png,,,\n",
    );
    const expected = [
      ["Cancer/a.png", "Cancer", "masks/a.png"],
      ["Non-Cancer/b.png", "Non-Cancer", undefined],
      ["Unlabelled/c.png", undefined, undefined],
      ["Cancer/d.png", undefined, undefined],
    ];
    const said = (manifest: Manifest) => [...manifest.values()].map(({ path, label, mask }) => [path, label, mask]);
    expect(said(parseManifest(content, names))).toEqual(expected);
    const landed = landedManifest(content, names);
    expect(landed.toString()).toBe(
      "path,label,mask,notes\nCancer/a.png,Cancer,masks/a.png,x\nNon-Cancer/b.png,Non-Cancer,,\nUnlabelled/c.png,,,\nCancer/d.png,,,\n",
    );
    expect(landedManifest(landed, names).equals(landed)).toBe(true);
    expect(() => parseManifest("path,label\nCancer/a.png,maybe\n", names)).toThrow(/label is "maybe"/);
    expect(() => parseManifest(content)).toThrow(/label is "yes"/);
  });

  test.each([
    ["yes", /"yes" is not FOLDER=LABEL/],
    ["yes=Tumour", /"yes=Tumour" is not FOLDER=LABEL/],
    ["yes=masks", /is not FOLDER=LABEL/],
    ["a/b=Cancer", /is not FOLDER=LABEL/],
    ["=Cancer", /is not FOLDER=LABEL/],
    ["", /is not FOLDER=LABEL/],
    ["x=Cancer,X=Non-Cancer", /"X" stands for Cancer already/],
    ["cancer=Non-Cancer", /"cancer" stands for Cancer already/],
    ["masks=Cancer", /"masks" stands for masks already/],
  ])("--labels %j is refused", (text, why) => {
    expect(() => parseLabels(text)).toThrow(why);
  });
});

describe("a hostile manifest", () => {
  test("of a hundred thousand rows is read, and so many mistakes are not all told", () => {
    const many = Array.from({ length: 100_000 }, (_, i) => `Cancer/${i}.png,p${i}`);
    expect(parseManifest(`path,patient_id\n${many.join("\n")}\n`).size).toBe(100_000);
    const wrong = many.map((row) => `../${row}`);
    const told = () => parseManifest(`path,patient_id\n${wrong.join("\n")}\n`);
    expect(told).toThrow(/line 2: path is[\s\S]*and 99980 more of the kind\./);
    expect(told).not.toThrow(/line 40:/);
  });

  test("of huge cells, formulas and paths that lead out names them briefly", () => {
    const huge = "x".repeat(2 ** 20);
    let message = "";
    try {
      parseManifest(
        `path,label,patient_id\nCancer/a.png,${huge},p\nCancer/b.png,,${huge}\n../../etc/passwd,,\n/etc/passwd,,\nC:\\scans\\a.png,,\nCancer/../../b,,\n`,
      );
    } catch (error) {
      message = (error as Error).message;
    }
    expect(message.length).toBeLessThan(2000);
    for (const line of [2, 3, 4, 5, 6, 7]) expect(message).toContain(`line ${line}: `);
    expect(parseManifest('path,patient_id,source\n"=1+1.png",=SUM(A1:A9),@x\n').size).toBe(1);
    // A mask that is none costs its own scan the mask, and that only.
    expect(parseManifest(`path,mask\nCancer/a.png,../../x\nCancer/b.png,/etc/x\nCancer/c.png,${huge}\n`).size).toBe(3);
  });
});

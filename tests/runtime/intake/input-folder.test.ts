import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import {
  classify,
  mergeManifests,
  parseManifest,
  pickScans,
  readInputFolder,
  requireLabelFolders,
  unmatchedRows,
} from "../../../runtime/intake/input-folder";
import { KmsPseudonymiser, openPseudonymiser } from "../../../runtime/intake/pseudonym";
import { ConfigurationError } from "../../../runtime/platform/config";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "input-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function put(name: string | Buffer, content = "x"): void {
  if (typeof name === "string") mkdirSync(dirname(join(folder, name)), { recursive: true });
  writeFileSync(
    typeof name === "string" ? join(folder, name) : Buffer.concat([Buffer.from(`${folder}/`), name]),
    content,
  );
}

describe("what a path stands for", () => {
  test.each([
    ["Cancer/a.png", { kind: "scan", folder: "Cancer", label: "Cancer" }],
    ["Non-Cancer/deep/er/a", { kind: "scan", folder: "Non-Cancer", label: "Non-Cancer" }],
    ["Unlabelled/a.png", { kind: "scan", folder: "Unlabelled", label: undefined }],
    ["masks/a.png", { kind: "mask" }],
    ["manifest.csv", { kind: "manifest" }],
    ["Cancer/manifest.csv", { kind: "scan", folder: "Cancer", label: "Cancer" }],
  ])("%s", (path, expected) => expect(classify(path)).toEqual(expected));

  test.each([
    ["a.png", /outside the label folders/],
    ["Cancer", /outside the label folders/],
    ["cancer/a.png", /none of the label folders. Did you mean Cancer\/\?/],
    ["non_cancer/a.png", /Did you mean Non-Cancer\/\?/],
    ["Unlabeled/a.png", /Did you mean Unlabelled\/\?/],
    ["other/Cancer/a.png", /The folder other\/ is none of the label folders. Scans belong in/],
  ])("%s is a stray", (path, message) => {
    expect(classify(path)).toEqual({ kind: "stray", message: expect.stringMatching(message) });
  });
});

describe("reading a folder", () => {
  test("lists regular files in the order of their names, whatever they are called", () => {
    for (const name of [
      "Cancer/b.png",
      "Cancer/a b'\"🧠.png",
      "Non-Cancer/x/y.png",
      "notes.txt",
      "masks/b.png",
      "manifest.csv",
    ]) {
      put(name, "path\n");
    }
    put("Cancer/line\nbreak.png");
    put(Buffer.from("Cancer/sch\xe4del.png", "latin1"));
    const { files, notes } = readInputFolder(folder);
    expect(files.map(({ name }) => name)).toEqual([
      "Cancer/a b'\"🧠.png",
      "Cancer/b.png",
      "Cancer/line%0Abreak.png",
      "Cancer/sch%E4del.png",
      "Non-Cancer/x/y.png",
      "manifest.csv",
      "masks/b.png",
      "notes.txt",
    ]);
    expect(notes).toEqual([]);
  });

  test("follows links to files and to a label folder, and passes over the rest, saying so", () => {
    put("elsewhere/a.png", "abc");
    symlinkSync(join(folder, "elsewhere", "a.png"), join(folder, "linked.png"));
    symlinkSync(join(folder, "elsewhere"), join(folder, "Cancer"));
    symlinkSync(folder, join(folder, "elsewhere", "circle"));
    symlinkSync(join(folder, "gone"), join(folder, "broken"));
    execFileSync("mkfifo", [join(folder, "pipe")]);
    const { files, notes } = readInputFolder(folder);
    expect(files.map(({ name, size }) => [name, size])).toEqual([
      ["Cancer/a.png", 3],
      ["elsewhere/a.png", 3],
      ["linked.png", 3],
    ]);
    expect(notes).toHaveLength(4);
    expect(notes.join("\n")).toMatch(
      /broken is a link to nothing[\s\S]*circle is a link to a folder[\s\S]*pipe is no regular/,
    );
  });

  test("says what is wrong with the folder", () => {
    expect(() => readInputFolder(join(folder, "nothing"))).toThrow(/nothing: it does not exist/);
    put("cancer/a.png");
    expect(() => requireLabelFolders(readInputFolder(folder))).toThrow(/Did you mean Cancer\/\?/);
    put("Cancer/a.png");
    expect(() => requireLabelFolders(readInputFolder(folder))).not.toThrow();
  });
});

test("a limit picks the same scans everywhere, balanced, and a larger one keeps them", () => {
  const files = ["Cancer", "Non-Cancer", "Unlabelled", "masks"].flatMap((part) =>
    Array.from({ length: part === "Unlabelled" ? 3 : 50 }, (_, i) => `${part}/${i}.png`),
  );
  const scans = (names: string[]) => names.map((name) => ({ name, input: classify(name) }));
  const pick = (names: string[], limit: number) => pickScans(scans(names), limit).map(({ name }) => name);
  const ten = pick(files, 10);
  expect(ten).toEqual(pick([...files].reverse(), 10));
  const count = (names: string[], part: string) => names.filter((name) => name.startsWith(`${part}/`)).length;
  expect(["Cancer", "Non-Cancer", "Unlabelled", "masks"].map((part) => count(ten, part))).toEqual([4, 3, 3, 0]);
  expect(pick(files, 30)).toEqual(expect.arrayContaining(ten));
  expect(pick(files, 1000)).toHaveLength(103);
});

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
  });

  test("says which rows name a file that is not there", () => {
    const manifest = parseManifest("path,patient_id\nscans/Cancer/a.png,p1\nCancer/b.png,p2\n");
    const there = new Set(["Cancer/a.png", "Cancer/b.png"]);
    expect(unmatchedRows(manifest, (path) => there.has(path))).toMatch(
      /1 of its 2 files in vain, scans\/Cancer\/a.png/,
    );
    expect(unmatchedRows(manifest, () => true)).toBeUndefined();
  });
});

describe("pseudonyms", () => {
  test("of a local key are an HMAC-SHA256", async () => {
    // RFC 4231, test case 2.
    const expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    expect(await openPseudonymiser("local:Jefe").pseudonym("what do ya want for nothing?")).toBe(expected);
    expect(await openPseudonymiser("local:other").pseudonym("what do ya want for nothing?")).not.toBe(expected);
  });

  test("of Cloud KMS are asked for once a patient, and checked", async () => {
    const { crc32c } = await import("@node-rs/crc32");
    const requests: { url: string; data: unknown }[] = [];
    const mac = Buffer.alloc(32, 7);
    let answer: object = { mac: mac.toString("base64"), macCrc32c: String(crc32c(mac)), verifiedDataCrc32c: true };
    const version = "projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1";
    const kms = new KmsPseudonymiser(version, async (request) => {
      requests.push(request);
      return { data: answer };
    });
    expect(await Promise.all([kms.pseudonym("p1"), kms.pseudonym("p1")])).toEqual(Array(2).fill(mac.toString("hex")));
    expect(requests).toEqual([
      {
        url: `https://cloudkms.googleapis.com/v1/${version}:macSign`,
        method: "POST",
        data: { data: Buffer.from("p1").toString("base64"), dataCrc32c: String(crc32c("p1")) },
      },
    ]);
    answer = { ...answer, macCrc32c: "1" };
    await expect(kms.pseudonym("p2")).rejects.toThrow(/damaged signature/);
    answer = { mac: mac.toString("base64"), macCrc32c: String(crc32c(mac)), verifiedDataCrc32c: true };
    expect(await kms.pseudonym("p2")).toBe(mac.toString("hex"));
  });

  test.each(["", "local:", "gcp-kms://projects/p", "secret"])("a key %j is refused", (uri) => {
    expect(() => openPseudonymiser(uri)).toThrow(ConfigurationError);
  });
});

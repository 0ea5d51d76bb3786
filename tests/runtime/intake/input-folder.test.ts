import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pickScans, readInputFolder, requireLabelFolders } from "../../../runtime/intake/input-folder";
import { classify, type FolderNames, parseLabels } from "../../../runtime/intake/names";
import { openInput } from "../../../runtime/intake/open-input";
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
    put("yes/a.png");
    put("normal/a.png");
    expect(() => requireLabelFolders(readInputFolder(folder))).toThrow(
      /Did you mean Non-Cancer\/\?[\s\S]*Perhaps: --labels "normal=Non-Cancer,yes=Cancer"/,
    );
    put("Cancer/a.png");
    expect(() => requireLabelFolders(readInputFolder(folder))).not.toThrow();
  });
});

describe("a name of --labels that no folder has", () => {
  const opened = (text: string) => openInput(folder, parseLabels(text));

  test("is refused beside folders whose label is not known: it would lose a class", async () => {
    put("ye/a.png");
    put("no/b.png");
    await expect(opened("yes=Cancer,no=Non-Cancer")).rejects.toThrow(/yes\/ is not in .*; there is ye\/, whose label/);
    await expect(opened("ye=Cancer,no=Non-Cancer")).resolves.toBeDefined();
  });

  test("is fine where every folder has its label: it may stand in the manifest", async () => {
    put("Cancer/a.png");
    await expect(opened("pos=Cancer")).resolves.toBeDefined();
  });
});

describe("a person's own names of folders", () => {
  const seen = (names?: FolderNames) =>
    readInputFolder(folder, names).files.map(({ name, object, input }) => [name, object, input.kind]);

  test("count in any case, and the files land under the names that they stand for", () => {
    for (const name of ["CANCER/a.png", "non-cancer/b.png", "unLabelled/c.png", "Masks/a.png"]) put(name);
    put("Manifest.CSV", "path\n");
    expect(seen()).toEqual([
      ["CANCER/a.png", "Cancer/a.png", "scan"],
      ["Manifest.CSV", "manifest.csv", "manifest"],
      ["Masks/a.png", "masks/a.png", "mask"],
      ["non-cancer/b.png", "Non-Cancer/b.png", "scan"],
      ["unLabelled/c.png", "Unlabelled/c.png", "scan"],
    ]);
  });

  test("are others where the person says so, links too", () => {
    put("yes/a.png");
    put("Cancer/b.png");
    put("elsewhere/c.png");
    symlinkSync(join(folder, "elsewhere"), join(folder, "No"));
    const { linked } = readInputFolder(folder, parseLabels("YES=Cancer,no=Non-Cancer"));
    expect(linked).toEqual([realpathSync(join(folder, "elsewhere"))]);
    expect(seen(parseLabels("YES=Cancer,no=Non-Cancer"))).toEqual([
      ["Cancer/b.png", "Cancer/b.png", "scan"],
      ["No/c.png", "Non-Cancer/c.png", "scan"],
      ["elsewhere/c.png", "elsewhere/c.png", "stray"],
      ["yes/a.png", "Cancer/a.png", "scan"],
    ]);
  });

  test("that would make one scan of two files are refused: one would be lost", () => {
    for (const name of ["cancer/a.png", "Cancer/a.png", "Cancer/b.png"]) put(name);
    put("manifest.csv", "path\n");
    put("Manifest.csv", "path\n");
    expect(() => requireLabelFolders(readInputFolder(folder))).toThrow(
      /Cancer\/a.png and cancer\/a.png would both become Cancer\/a.png[\s\S]*Manifest.csv and manifest.csv/,
    );
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

import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { verifyPixels } from "../../tools/verify-pixels";
import { drawHead, writeBmp } from "../runtime/imaging/pictures";
import { writeTiff } from "../runtime/imaging/tiff-writer";
import { captureOutput } from "../support/captured-output";

// The comparison itself needs Pillow, which tests do not install: these stand in for Python and see what it is told.

const printed = captureOutput();
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "verify-pixels-"));
  mkdirSync(join(folder, "data", "below"), { recursive: true });
  writeFileSync(join(folder, "a-file"), "");
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A command that answers as a Python with Pillow, and does `then` in place of the comparison. */
function python(then: string, version = "3.12", pillow = 0): string {
  const file = join(folder, "python");
  writeFileSync(
    file,
    `#!${process.execPath}
if (process.argv[2] === "-c") { console.log(${JSON.stringify(version)}); process.exit(${pillow}); }
${then}`,
  );
  chmodSync(file, 0o755);
  return file;
}

const keepWhatIsTold = `process.stdin.pipe(require("node:fs").createWriteStream(__dirname + "/told"));
process.stdin.on("end", () => { process.exitCode = 1; });`;

/** The lines that were told, each with the samples that follow it. */
function told(): { message: Record<string, unknown>; samples: Buffer }[] {
  const bytes = readFileSync(join(folder, "told"));
  const lines: { message: Record<string, unknown>; samples: Buffer }[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf("\n", at) + 1;
    const message = JSON.parse(bytes.toString("utf8", at, end)) as { bytes?: number };
    at = end + (message.bytes ?? 0);
    lines.push({ message, samples: bytes.subarray(end, at) });
  }
  return lines;
}

test("tells every page of every file, and passes on what the comparison found", async () => {
  const data = join(folder, "data");
  const head = drawHead(3, 40, 50);
  const values = Array.from(head.pixels);
  writeFileSync(join(data, "below", "b.bmp"), writeBmp({ width: 40, height: 50, bits: 24, values }));
  const page = { width: 40, height: 50, bits: 16 as const, values: values.map((value) => 200 * value) };
  writeFileSync(join(data, "a.tif"), writeTiff([page, { ...page, extra: { 259: 34_925 } }, page], { bigEndian: true }));
  writeFileSync(
    join(data, "small.bmp"),
    writeBmp({ width: 3, height: 2, bits: 8, values: [0, 1, 0, 1, 1, 1], palette: [0, 255] }),
  );
  writeFileSync(join(data, "notes.txt"), "No picture.\n");
  writeFileSync(join(data, "none"), "");
  // A name that is no text.
  writeFileSync(Buffer.concat([Buffer.from(`${data}/`), Buffer.from([0xff, 0xe9, 0x2e])]), "x");

  expect(await verifyPixels(["--data", data, "--python", python(keepWhatIsTold)])).toBe(1);
  const lines = told();
  const files = ["a.tif", "below/b.bmp", "none", "notes.txt", "small.bmp", "\xff\xe9."];
  expect(lines[0]?.message).toEqual({ files });
  for (const path of files) expect(lines.filter(({ message }) => message.path === path && message.end)).toHaveLength(1);
  const pages = (path: string) => lines.filter(({ message }) => message.path === path && message.page);
  expect(pages("a.tif").map(({ message }) => [message.page, message.pages, message.depth ?? message.code])).toEqual([
    [1, 3, 16],
    [2, 3, "unsupported-encoding"],
    [3, 3, 16],
  ]);
  const [first] = pages("a.tif");
  expect(values.map((_, i) => first?.samples.readUInt16LE(2 * i))).toEqual(page.values);
  expect(pages("small.bmp")[0]?.message).toMatchObject({ width: 3, height: 2, depth: 8, bytes: 6 });
  expect(pages("none")[0]?.message).toMatchObject({ code: "empty-file" });
  expect(pages("notes.txt")[0]?.message).toMatchObject({ code: "unsupported-format" });
});

test("says so when the comparison ends early", async () => {
  for (let i = 0; i < 50; i++) {
    const bytes = writeBmp({
      width: 300,
      height: 300,
      bits: 8,
      values: Array(90_000).fill(1).fill(2, 50),
      palette: [0, 9, 99],
    });
    writeFileSync(join(folder, "data", `${i}.bmp`), bytes);
  }
  const early = python('process.stdin.once("data", () => process.exit(7));');
  expect(await verifyPixels(["--data", join(folder, "data"), "--python", early])).toBe(1);
  expect(printed()).toMatch(/The comparison with Pillow ended by exit code 7, at .*\.bmp or a file before it\./);
});

test.each([
  ["no folder", () => ["--data", join(folder, "nowhere"), "--python", python("")], "is no folder"],
  ["no Python", () => ["--data", folder, "--python", join(folder, "nothing")], "cannot be started"],
  ["an old Python", () => ["--data", folder, "--python", python("", "3.9")], "is no Python 3.10 or newer"],
  ["no Pillow", () => ["--data", folder, "--python", python("", "3.12", 1)], "pip install Pillow"],
  ["nothing to compare", () => ["--data", join(folder, "data"), "--python", python("")], "holds no file"],
  ["no --data", () => [], "--data"],
])("wrong usage: %s", async (_, args, message) => {
  expect(await verifyPixels(args())).toBe(2);
  expect(printed()).toContain(message);
});

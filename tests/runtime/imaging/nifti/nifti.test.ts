import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { constants, deflateRawSync, gzipSync } from "node:zlib";
import {
  type DecodedPage,
  decodeScan,
  type ImageLimits,
  outlineScan,
  pixelSha256,
  RejectedImage,
  sniffFormat,
} from "../../../../runtime/imaging";
import { decodeAll } from "../../../support/decode-all";
import { entriesBelow } from "../../../support/pydicom";
import { mrElements, writeElements, writeFile } from "../dicom/dicom-writer";
import { randomNumbers } from "../pictures";
import { drawVolume, packed, writeNifti } from "./nifti-writer";

const ROOT = join(__dirname, "..", "..", "..", "..");
const PYTHON = join(ROOT, ".parts", "nifti", "bin", "python");

async function pagesOf(bytes: Buffer, limits: Partial<ImageLimits> = {}): Promise<DecodedPage[]> {
  const pages: DecodedPage[] = [];
  for await (const page of decodeScan(bytes, limits)) pages.push(page);
  return pages;
}

async function imagesOf(bytes: Buffer) {
  return (await pagesOf(bytes)).map((page) => {
    if (!("image" in page)) throw page.rejected;
    return page.image;
  });
}

async function refusal(bytes: Buffer, limits: Partial<ImageLimits> = {}): Promise<RejectedImage> {
  const error = await pagesOf(bytes, limits).catch((thrown: unknown) => thrown);
  if (error instanceof RejectedImage) return error;
  throw new Error(`It was not refused: ${JSON.stringify(error)}`);
}

test("volumes of every type, order, version, orientation, scale and window are cut and shown as nibabel has them", () => {
  if (!existsSync(PYTHON)) throw new Error("nibabel is not installed: run npm run setup:tests.");
  const folder = mkdtempSync(join(tmpdir(), "verify-nifti-"));
  try {
    const written = spawnSync(PYTHON, [join(__dirname, "variants.py"), folder], { encoding: "utf8" });
    expect([written.status, written.stderr]).toEqual([0, ""]);
    const tool = join(ROOT, "dist", "tools", "verify-nifti.js");
    const command = [tool, "--python", PYTHON, "--data", folder, "--list"];
    const { status, stdout, stderr } = spawnSync(process.execPath, command, { encoding: "utf8" });
    for (const none of ["for a limit", "refused by nibabel", "for another reason", "other slices", "lost:"])
      expect([none, entriesBelow(stdout, none)]).toEqual([none, []]);
    expect([status, stderr]).toEqual([0, expect.anything()]);
    const refused = entriesBelow(stdout, "no grey volume, or blank").map((line) => line.split(" ")[0]);
    expect(refused).toEqual(["blank.nii.gz", "colours.nii", "complex.nii"]);
    // 40 of types, 96 that are turned, and the rest.
    expect(entriesBelow(stdout, "volumes with all their slices")).toHaveLength(167);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a folder without NIfTI shows nothing, and is said to", () => {
  const folder = mkdtempSync(join(tmpdir(), "no-nifti-"));
  try {
    writeFileSync(join(folder, "a.txt"), "no volume");
    const tool = join(ROOT, "dist", "tools", "verify-nifti.js");
    const command = [tool, "--python", PYTHON, "--data", folder];
    const { status, stderr } = spawnSync(process.execPath, command, { encoding: "utf8" });
    expect([status, stderr]).toEqual([1, expect.stringMatching(/None of the 1 files below .* is NIfTI, so nothing/)]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("the judge finds a voxel that differs, and slices that are missing", () => {
  const folder = mkdtempSync(join(tmpdir(), "judge-nifti-"));
  try {
    const script = `import nibabel as nib, numpy as np, sys
data = np.zeros((40, 40, 40), np.int16); data[5:35, 5:35, 5:35] = np.arange(30)
for name in ("changed", "missing"): nib.save(nib.Nifti1Image(data, np.diag([-1, -1, 1, 1])), f"{sys.argv[1]}/{name}.nii")`;
    expect(spawnSync(PYTHON, ["-c", script, folder]).status).toBe(0);
    const slice = (k: number, path: string, change = 0) => {
      const pixels = new Uint16Array(1600);
      for (let j = 5; j < 35; j++) for (let i = 5; i < 35; i++) pixels[j * 40 + i] = k - 5;
      pixels[250] = (pixels[250] as number) + change;
      const head = { path, page: k + 1, pages: 40, width: 40, height: 40, depth: 16, bytes: 3200 };
      return Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), Buffer.from(pixels.buffer)]);
    };
    const told = (path: string, ...slices: Buffer[]) =>
      Buffer.concat([...slices, Buffer.from(`${JSON.stringify({ path, end: true })}\n`)]);
    const all = (path: string, change: number) =>
      Array.from({ length: 29 }, (_, i) => slice(i + 6, path, i === 3 ? change : 0));
    const input = Buffer.concat([
      Buffer.from(`${JSON.stringify({ files: ["changed.nii", "missing.nii"] })}\n`),
      told("changed.nii", ...all("changed.nii", 1)),
      told("missing.nii", ...all("missing.nii", 0).slice(0, -1)),
    ]);
    const judge = join(ROOT, "scripts", "verify-nifti.py");
    const { status, stdout } = spawnSync(PYTHON, [judge, folder], { input, encoding: "utf8" });
    expect(entriesBelow(stdout, "other slices")).toEqual([
      "changed.nii  slice 10: by 1",
      expect.stringMatching(/^missing\.nii {2}slices 7 to 34 are shown, and not/),
    ]);
    expect(status).toBe(1);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("packed or not, and as DICOM, a slice has the same pixels", async () => {
  const plain = writeNifti({
    size: [48, 64, 40],
    matrix: [
      [-1, 0, 0],
      [0, -1, 0],
      [0, 0, 1],
    ],
  });
  expect(sniffFormat(plain)).toEqual({ format: "nifti" });
  expect(sniffFormat(packed(plain).subarray(0, 1024))).toEqual({ format: "nifti" });
  const [one, other] = [await pagesOf(plain), await pagesOf(packed(plain))];
  expect(other).toEqual(one);
  const slice = drawVolume([48, 64, 40]).subarray(20 * 48 * 64, 21 * 48 * 64);
  const orientation: [number, "DS", string] = [0x0020_0037, "DS", "1\\0\\0\\0\\1\\0"];
  const dicom = writeFile(
    writeElements([
      ...mrElements(64, 48, [orientation]),
      [0x7fe0_0010, "OW", Buffer.from(slice.buffer, slice.byteOffset, slice.byteLength)],
    ]),
  );
  const [scan] = await imagesOf(dicom);
  const page = one.find(({ page }) => page === 21);
  if (!scan || !page || !("image" in page)) throw new Error("A picture is missing.");
  expect(pixelSha256(page.image)).toBe(pixelSha256(scan));
});

test("a page is a slice: its number is that of the file, and blank ones at the ends are none", async () => {
  const bytes = writeNifti({ size: [40, 40, 50] });
  expect(outlineScan(bytes)).toEqual({ format: "nifti", pages: 50, pixels: 50 * 1600 });
  expect(outlineScan(packed(bytes))).toEqual(outlineScan(bytes));
  const pages = await pagesOf(bytes);
  const shown = pages.map(({ page }) => page);
  expect(shown).toEqual(Array.from({ length: 35 }, (_, i) => i + 9));
  expect(new Set(pages.map(({ pages: of }) => of))).toEqual(new Set([50]));
  // One within is a fault of the scan, and is said.
  const gap = drawVolume([40, 40, 50]);
  gap.fill(0, 20 * 1600, 21 * 1600);
  const refused = (await pagesOf(writeNifti({ size: [40, 40, 50], values: gap }))).filter((page) => "rejected" in page);
  expect(refused).toMatchObject([{ page: 21, rejected: { code: "blank-image" } }]);
});

test("one rule makes all slices of a volume grey", async () => {
  const values = drawVolume([40, 40, 40]).map((value) => value - 50);
  values[20 * 1600 + 820] = -900;
  const images = await imagesOf(writeNifti({ size: [40, 40, 40], values }));
  // The lowest of all slices is black, so that air in another slice is what it is here.
  for (const { pixels } of images) expect(pixels[0]).toBe(850);
  expect(Math.min(...images.map(({ pixels }) => Math.min(...pixels)))).toBe(0);
});

test("of several volumes the first is taken", async () => {
  const size = [40, 40, 40, 3];
  const first = drawVolume(size).subarray(0, 64_000);
  expect(await pagesOf(packed(writeNifti({ size })))).toEqual(
    await pagesOf(writeNifti({ size: size.slice(0, 3), values: first })),
  );
});

test.each([
  ["long along i", [20, 60, 60], [4, 1, 1], 20],
  ["long along j", [60, 20, 60], [1, 4, 1], 20],
  ["long along k", [60, 60, 20], [1, 1, 4], 20],
  ["nearly even", [60, 61, 62], [1.2, 1, 1], 62],
] as const)("slices lie across the axis that was taken in slices: %s", async (_, size, spacing, slices) => {
  expect(outlineScan(writeNifti({ size, spacing })).pages).toBe(slices);
});

test("limits are said before a voxel is read, with what the volume has", async () => {
  const wide = writeNifti({ size: [64, 64, 512], spacing: [1, 1, 3] });
  const small = packed(wide);
  expect(outlineScan(wide).pages).toBe(512);
  const refused = async (limits: Partial<ImageLimits>) => {
    const [plain, gz] = [await refusal(wide, limits), await refusal(small, limits)];
    expect(gz).toMatchObject({ code: plain.code, message: plain.message });
    return plain;
  };
  expect(await refused({ pages: 64 })).toMatchObject({
    code: "too-many-pages",
    message: expect.stringContaining("has 512 slices of 64 x 64 voxels; at most 64 slices are taken."),
  });
  expect(await refused({ totalPixels: 2_000_000 })).toMatchObject({ code: "too-many-pixels" });
  expect(await refusal(small, { bytes: 2 ** 21 })).toMatchObject({
    code: "file-too-large",
    message: expect.stringContaining("512 slices of 64 x 64 voxels, 5 MiB when it is unpacked; at most 2 MiB"),
  });
  expect(await refused({ minimumSide: 65 })).toMatchObject({ code: "too-small" });
});

const size = [40, 40, 40];
const with_ = (change: (header: Buffer) => void) => writeNifti({ size, change });
/** Numbers of a header by their places. */
const float = (fractions: Readonly<Record<number, number>>, wholes: Readonly<Record<number, number>> = {}) =>
  with_((header) => {
    for (const [at, value] of Object.entries(fractions)) header.writeFloatLE(value, Number(at));
    for (const [at, value] of Object.entries(wholes)) header.writeInt16LE(value, Number(at));
  });
const short = (wholes: Readonly<Record<number, number>>) => float({}, wholes);
const nan = (at: number) => with_((header) => header.writeFloatLE(Number.NaN, at));

/** Each is refused, with the code. */
const HOSTILE: Readonly<Record<string, readonly [code: string, () => Buffer]>> = {
  "no dimensions": ["damaged", () => short({ 40: 0 })],
  "eight dimensions": ["damaged", () => short({ 40: 8 })],
  "minus one plane": ["damaged", () => short({ 46: -1 })],
  "no rows": ["damaged", () => short({ 44: 0 })],
  "32,767 planes": ["too-many-pages", () => short({ 46: 32_767 })],
  "32,767 volumes": ["file-too-large", () => short({ 40: 4, 48: 32_767 })],
  "volumes that are not there": ["truncated", () => short({ 40: 4, 48: 9 })],
  vectors: ["unsupported-encoding", () => short({ 40: 5, 50: 3 })],
  "no type": ["damaged", () => short({ 70: 0 })],
  "a type that there is not": ["damaged", () => short({ 70: 999 })],
  colours: ["unsupported-encoding", () => short({ 70: 128 })],
  labels: ["unsupported-encoding", () => short({ 68: 1002 })],
  "its voxels elsewhere": ["unsupported-encoding", () => with_((header) => void header.write("ni1\0", 344, "latin1"))],
  "voxels within the header": ["damaged", () => float({ 108: 16 })],
  "voxels behind the end": ["truncated", () => float({ 108: 1e6 })],
  "voxels nowhere": ["damaged", () => nan(108)],
  "voxels at infinity": ["damaged", () => float({ 108: Number.POSITIVE_INFINITY })],
  "no size of voxels": ["damaged", () => nan(80)],
  "an endless voxel": ["damaged", () => float({ 84: Number.POSITIVE_INFINITY })],
  "an sform that is none": ["damaged", () => nan(280)],
  "an sform without a third direction": ["damaged", () => with_((header) => header.fill(0, 312, 328))],
  "a qform that is none": ["damaged", () => float({ 256: 3 }, { 254: 0, 252: 1 })],
  "an intercept that is none": ["damaged", () => float({ 112: 2, 116: Number.NaN })],
  "voxels like sticks": ["unsupported-encoding", () => writeNifti({ size, spacing: [30, 1, 40] })],
  "one value": ["blank-image", () => writeNifti({ size, values: new Int16Array(64_000).fill(5) })],
  "no gzip behind the header": [
    "damaged",
    () => {
      const bytes = packed(writeNifti({ size: [64, 64, 64], values: noise(64 ** 3) }));
      return Buffer.concat([bytes.subarray(0, 2000), Buffer.alloc(bytes.length - 2000, 0xff)]);
    },
  ],
  "another checksum": [
    "damaged",
    () => {
      const bytes = packed(writeNifti({ size }));
      bytes.writeUInt32LE(1, bytes.length - 8);
      return bytes;
    },
  ],
  "4 GiB behind the voxels": ["damaged", () => bomb(writeNifti({ size }), 4096)],
  "a header that says 2.7 GiB": [
    "file-too-large",
    () => bomb(writeNifti({ size: [1200, 1200, 1000], values: new Int16Array(1), spacing: [1, 1, 3] }), 4096),
  ],
  "a header that says 250 MiB, and no more": [
    "truncated",
    () => packed(writeNifti({ size: [512, 512, 499], values: new Int16Array(1), spacing: [1, 1, 3] })),
  ],
};

function noise(length: number): Int16Array {
  const random = randomNumbers(3);
  return Int16Array.from({ length }, () => 30_000 * random());
}

/** A mebibyte of zeros, again and again, behind what is given. */
function bomb(bytes: Buffer, mebibytes: number): Buffer {
  const head = gzipSync(bytes);
  const zeros = deflateRawSync(Buffer.alloc(2 ** 20), { finishFlush: constants.Z_SYNC_FLUSH });
  const start = deflateRawSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH });
  return Buffer.concat([head.subarray(0, 10), start, ...new Array<Buffer>(mebibytes).fill(zeros)]);
}

/** What a process holds that has decoded nothing, and what one file may take. */
const MOST_MEMORY = 600 * 2 ** 20;

test("headers and streams that no volume has are refused with a reason, in little time and memory", () => {
  const files = new Map(Object.entries(HOSTILE).map(([name, [, write]]) => [name, write()]));
  const { results, memory } = decodeAll(files);
  for (const [name, [code]] of Object.entries(HOSTILE))
    expect([name, results[name]?.pictures]).toMatchObject([name, { code }]);
  expect(memory).toBeLessThan(MOST_MEMORY);
});

test("a file that ends early is refused, wherever it ends", () => {
  const files = new Map<string, Buffer>();
  const [plain, two] = [writeNifti({ size }), writeNifti({ size: [40, 40, 40, 2] })];
  for (const [name, bytes] of [
    ["plain", plain],
    ["packed", packed(plain)],
    ["two", two],
    ["two packed", packed(two)],
  ] as const)
    for (let percent = 0; percent < 100; percent++)
      files.set(`${name} ${percent}`, bytes.subarray(0, Math.floor((bytes.length * percent) / 100)));
  const { results } = decodeAll(files);
  const taken = Object.entries(results).filter(([, { pictures }]) => typeof pictures === "string");
  expect(taken.map(([name]) => name)).toEqual([]);
});

test("bits that have changed are refused, or change pixels, and do no harm", () => {
  const files = new Map<string, Buffer>();
  const random = randomNumbers(11);
  for (const [name, bytes, until] of [
    ["header", writeNifti({ size }), 352],
    ["packed", packed(writeNifti({ size })), 3000],
  ] as const)
    for (let i = 0; i < 100; i++) {
      const copy = Buffer.from(bytes);
      for (let j = 0; j < 4; j++) {
        const at = Math.floor(Math.min(until, bytes.length) * random());
        copy[at] = (copy[at] as number) ^ (1 << ((i + j) % 8));
      }
      files.set(`${name} ${i}`, copy);
    }
  expect(decodeAll(files).memory).toBeLessThan(MOST_MEMORY);
});

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { deflateRawSync } from "node:zlib";
import { decodeAll } from "../../../support/decode-all";
import { pydicomTestFiles } from "../../../support/pydicom";
import { randomNumbers } from "../pictures";
import {
  bytesOfSlice,
  drawSlice,
  EXPLICIT,
  encapsulate,
  head,
  ITEM,
  mrElements,
  UNDEFINED_LENGTH,
  writeElements,
  writeFile,
  writeMr,
} from "./dicom-writer";

/** What a process holds that has decoded nothing, and what one file may take: five times the largest of these. */
const MOST_MEMORY = 600 * 2 ** 20;

const testFile = (name: string) => readFileSync(join(pydicomTestFiles(), name));

/** One for each codec; all are refused when they end before their pixels do. */
const ENCODED = [
  "MR_small_RLE.dcm",
  "MR_small_jp2klossless.dcm",
  "MR_small_jpeg_ls_lossless.dcm",
  "SC_rgb_jpeg_gdcm.dcm",
  "SC_rgb_jpeg_dcmtk.dcm",
  "JPGExtended.dcm",
  "image_dfl.dcm",
  "SC_rgb_gdcm_KY.dcm",
] as const;

test("a file that ends early is refused, wherever it ends", () => {
  const files = new Map<string, Buffer>();
  const cut = (name: string, bytes: Buffer, step: number) => {
    for (let percent = 0; percent < 100; percent += step)
      files.set(`${name} ${percent}`, bytes.subarray(0, Math.floor((bytes.length * percent) / 100)));
  };
  cut("native", writeMr(), 1);
  for (const name of ENCODED) cut(name, testFile(name), 10);
  const { results, memory } = decodeAll(files);
  const taken = Object.entries(results).filter(([, { pictures }]) => typeof pictures === "string");
  expect(taken.map(([name]) => name)).toEqual([]);
  const read = Object.entries(results).filter(
    ([name, { stored }]) => name.startsWith("native") && typeof stored === "string",
  );
  expect(read).toEqual([]);
  expect(memory).toBeLessThan(MOST_MEMORY);
});

test("bits that have changed are refused, or change pixels, and do no harm", () => {
  const files = new Map<string, Buffer>();
  const flip = (name: string, bytes: Buffer, count: number, from: number, to: number) => {
    const random = randomNumbers(name.length);
    for (let i = 0; i < count; i++) {
      const copy = Buffer.from(bytes);
      for (let j = 0; j < 4; j++) {
        const at = Math.floor(from + (to - from) * random());
        copy[at] = (copy[at] as number) ^ (1 << ((i + j) % 8));
      }
      files.set(`${name} ${i}`, copy);
    }
  };
  const native = writeMr();
  flip("header", native, 60, 132, native.length - 2 * 64 * 48);
  for (const name of ENCODED) {
    const bytes = testFile(name);
    const pixels = Math.max(0, bytes.lastIndexOf(Buffer.from([0xe0, 0x7f, 0x10, 0])));
    flip(`${name} header`, bytes, 4, 132, Math.max(pixels + 64, 1000));
    flip(`${name} pixels`, bytes, 8, pixels + 20, bytes.length);
  }
  const { memory } = decodeAll(files);
  expect(memory).toBeLessThan(MOST_MEMORY);
});

const sequence = (depth: number, length: number) => {
  const parts: Buffer[] = [];
  for (let i = 0; i < depth; i++)
    parts.push(head(0x0008_1140, "SQ", length), head(ITEM, "", length, { explicit: false }));
  return Buffer.concat(parts);
};
const pixels = () => writeElements([[0x7fe0_0010, "OW", bytesOfSlice(drawSlice(64, 48))]]);
const dataSet = (...parts: Buffer[]) => writeFile(Buffer.concat(parts));
const first = (upTo: number) => writeElements(mrElements(64, 48).filter(([tag]) => tag < upTo));
const rest = (from: number) => writeElements(mrElements(64, 48).filter(([tag]) => tag >= from));

/** Each is refused, with the code. */
const HOSTILE: Readonly<Record<string, readonly [code: string, () => Buffer]>> = {
  "10,000 nested sequences without lengths": [
    "damaged",
    () => dataSet(first(0x0008_1140), sequence(10_000, UNDEFINED_LENGTH), rest(0x0010_0000), pixels()),
  ],
  "10,000 nested groups of a frame": [
    "damaged",
    () => {
      const nested: Buffer[] = [];
      for (let i = 0; i < 10_000; i++)
        nested.push(head(0x5200_9230, "SQ", UNDEFINED_LENGTH), head(ITEM, "", UNDEFINED_LENGTH, { explicit: false }));
      return dataSet(first(0x5200_0000), Buffer.concat(nested), pixels());
    },
  ],
  "2,000,000 private tags": [
    "damaged",
    () =>
      dataSet(
        first(0x0009_0000),
        Buffer.concat(new Array(2_000_000).fill(head(0x0009_1001, "LO", 0))),
        rest(0x0010_0000),
        pixels(),
      ),
  ],
  "an element of 4 GiB": [
    "not-an-image",
    () => dataSet(first(0x0009_0000), head(0x0009_1001, "OB", 0xffff_fffe), rest(0x0010_0000), pixels()),
  ],
  "pixels of 4 GiB": [
    "truncated",
    () => dataSet(first(0x7fe0_0000), head(0x7fe0_0010, "OW", 0xffff_fffe), Buffer.alloc(100)),
  ],
  "a fragment of 4 GiB": [
    "truncated",
    () =>
      writeFile(
        Buffer.concat([
          first(0x7fe0_0000),
          head(0x7fe0_0010, "OB", UNDEFINED_LENGTH),
          head(ITEM, "", 0, { explicit: false }),
          head(ITEM, "", 0xffff_fffe, { explicit: false }),
          Buffer.alloc(100),
        ]),
        { transferSyntax: "1.2.840.10008.1.2.5" },
      ),
  ],
  "65,535 x 65,535 pixels that are not there": [
    "too-many-pixels",
    () => dataSet(writeElements(mrElements(65_535, 65_535)), pixels()),
  ],
  "65,535 x 65,535 pixels of one run": [
    "too-many-pixels",
    () =>
      writeFile(Buffer.concat([writeElements(mrElements(65_535, 65_535)), encapsulate([Buffer.alloc(100, 1)])]), {
        transferSyntax: "1.2.840.10008.1.2.5",
      }),
  ],
  "no rows": ["damaged", () => dataSet(writeElements(mrElements(0, 48)), pixels())],
  "2,000,000,000 frames": [
    "too-many-pages",
    () => dataSet(writeElements(mrElements(64, 48, [[0x0028_0008, "IS", "2000000000"]])), pixels()),
  ],
  "1,000 frames of which one is there": [
    "truncated",
    () => dataSet(writeElements(mrElements(64, 48, [[0x0028_0008, "IS", "1000"]])), pixels()),
  ],
  "minus one frame": [
    "damaged",
    () => dataSet(writeElements(mrElements(64, 48, [[0x0028_0008, "IS", "-1"]])), pixels()),
  ],
  "frames that are no number": [
    "damaged",
    () => dataSet(writeElements(mrElements(64, 48, [[0x0028_0008, "IS", "many"]])), pixels()),
  ],
  "more bits than there are": [
    "damaged",
    () => dataSet(writeElements(mrElements(64, 48, [[0x0028_0101, "US", [17]]])), pixels()),
  ],
  "24 bits a sample": [
    "unsupported-encoding",
    () => dataSet(writeElements(mrElements(64, 48, [[0x0028_0100, "US", [24]]])), pixels()),
  ],
  "a window that is no number": [
    "damaged",
    () =>
      dataSet(
        writeElements(
          mrElements(64, 48, [
            [0x0028_1050, "DS", "wide"],
            [0x0028_1051, "DS", "1"],
          ]),
        ),
        pixels(),
      ),
  ],
  "a rescale slope of 0": [
    "damaged",
    () =>
      dataSet(
        writeElements(
          mrElements(64, 48, [
            [0x0028_1052, "DS", "0"],
            [0x0028_1053, "DS", "0"],
          ]),
        ),
        pixels(),
      ),
  ],
  "a table that is not there": [
    "damaged",
    () =>
      dataSet(
        writeElements(mrElements(64, 48, [[0x0028_3010, "SQ", [[[0x0028_3002, "US", [60_000, 0, 16]]]]]])),
        pixels(),
      ),
  ],
  "pixels a thousand times as high as wide": [
    "unsupported-encoding",
    () => dataSet(writeElements(mrElements(64, 48, [[0x0028_0030, "DS", "1000\\1"]])), pixels()),
  ],
  "a deflated data set of 4 GiB": [
    "damaged",
    () => {
      // A mebibyte of zeros, again and again, without an end.
      const zeros = deflateRawSync(Buffer.alloc(2 ** 20), { finishFlush: 2 });
      return writeFile(Buffer.concat(new Array(4096).fill(zeros)), { transferSyntax: "1.2.840.10008.1.2.1.99" });
    },
  ],
  "segments of runs that overlap": [
    "damaged",
    () => {
      const frame = Buffer.alloc(200);
      frame.writeUInt32LE(2, 0);
      frame.writeUInt32LE(150, 4);
      frame.writeUInt32LE(100, 8);
      return writeFile(Buffer.concat([first(0x7fe0_0000), encapsulate([frame])]), {
        transferSyntax: "1.2.840.10008.1.2.5",
      });
    },
  ],
  "a JPEG 2000 stream of another size": [
    "damaged",
    () => {
      const stream = Buffer.alloc(200);
      stream.set([0xff, 0x4f, 0xff, 0x51]);
      stream.writeUInt32BE(60_000, 8);
      stream.writeUInt32BE(60_000, 12);
      stream.writeUInt16BE(1, 40);
      return writeFile(Buffer.concat([first(0x7fe0_0000), encapsulate([stream])]), {
        transferSyntax: "1.2.840.10008.1.2.4.90",
      });
    },
  ],
  "pixels in no fragment": [
    "truncated",
    () => writeFile(Buffer.concat([first(0x7fe0_0000), encapsulate([])]), { transferSyntax: "1.2.840.10008.1.2.4.90" }),
  ],
  video: [
    "unsupported-encoding",
    () =>
      writeFile(Buffer.concat([first(0x7fe0_0000), encapsulate([Buffer.alloc(100)])]), {
        transferSyntax: "1.2.840.10008.1.2.4.102",
      }),
  ],
};

test("lengths, counts and nestings that no file has are refused with a reason", () => {
  const files = new Map(Object.entries(HOSTILE).map(([name, [, write]]) => [name, write()]));
  const { results, memory } = decodeAll(files);
  for (const [name, [code]] of Object.entries(HOSTILE))
    expect([name, results[name]?.pictures]).toMatchObject([name, { code }]);
  expect(memory).toBeLessThan(MOST_MEMORY);
});

test("what is only unusual is read", () => {
  const many = Buffer.concat(
    new Array(100_000)
      .fill(0)
      .map((_, i) => Buffer.concat([head(0x0009_1000 + (i % 256), "LO", 4), Buffer.from("text")])),
  );
  const files = new Map<string, Buffer>([
    ["100,000 private tags", dataSet(first(0x0009_0000), many, rest(0x0010_0000), pixels())],
    [
      "10,000 nested sequences with lengths",
      dataSet(first(0x0008_1140), nestedWithLengths(10_000), rest(0x0010_0000), pixels()),
    ],
    ["60 nested sequences", dataSet(first(0x0008_1140), closed(60), rest(0x0010_0000), pixels())],
    ["bytes behind the pixels", Buffer.concat([writeMr(), Buffer.alloc(1000, 255)])],
    [
      "a window of no width",
      writeMr(64, 48, [
        [0x0028_1050, "DS", "100"],
        [0x0028_1051, "DS", "0"],
      ]),
    ],
  ]);
  const { results } = decodeAll(files);
  for (const name of files.keys()) expect([name, results[name]?.pictures]).toEqual([name, "1 pages"]);
});

/** The innermost is empty; each knows how long it is, which 32 bits can say. */
function nestedWithLengths(depth: number): Buffer {
  const parts: Buffer[] = [];
  for (let i = depth; i > 0; i--) {
    // 12 bytes before the items of a sequence, 8 before what lies in an item.
    parts.push(head(0x0008_1140, "SQ", 20 * i - 12), head(ITEM, "", 20 * (i - 1), { explicit: false }));
  }
  return Buffer.concat(parts);
}

function closed(depth: number): Buffer {
  const ends = Buffer.concat(
    new Array(depth).fill(
      Buffer.concat([head(0xfffe_e00d, "", 0, { explicit: false }), head(0xfffe_e0dd, "", 0, { explicit: false })]),
    ),
  );
  return Buffer.concat([sequence(depth, UNDEFINED_LENGTH), ends]);
}

test("a file without its transfer syntax is read as it stands", () => {
  const bare = writeElements(mrElements(64, 48), { explicit: false });
  const value = bytesOfSlice(drawSlice(64, 48));
  const implicit = Buffer.concat([bare, head(0x7fe0_0010, "OW", value.length, { explicit: false }), value]);
  const files = new Map<string, Buffer>([
    ["implicit", implicit],
    ["explicit", dataSet(first(0x7fe0_0000), pixels()).subarray(128 + 4 + 12)],
    ["says explicit, is implicit", writeFile(implicit, { transferSyntax: EXPLICIT })],
  ]);
  const { results } = decodeAll(files);
  for (const name of files.keys()) expect([name, results[name]?.pictures]).toEqual([name, "1 pages"]);
});

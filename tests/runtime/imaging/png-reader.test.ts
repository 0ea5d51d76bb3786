import { deflateSync } from "node:zlib";
import sharp from "sharp";
import { decodeScan } from "../../../runtime/imaging";
import { readGreyPng, tryGreyPng } from "../../../runtime/imaging/png-reader";
import { chunk, randomNumbers } from "./pictures";

const WIDTH = 23;
const HEIGHT = 19;
const FILTERS = ["none", "sub", "up", "average", "paeth"];

interface Layout {
  width?: number;
  height?: number;
  depth?: number;
  colour?: number;
  interlace?: number;
}

function header({ width = WIDTH, height = HEIGHT, depth = 8, colour = 0, interlace = 0 }: Layout): Buffer {
  const data = Buffer.alloc(13);
  data.writeUInt32BE(width, 0);
  data.writeUInt32BE(height, 4);
  data.set([depth, colour, 0, 0, interlace], 8);
  return chunk("IHDR", data);
}

function file(...chunks: Uint8Array[]): Buffer {
  return Buffer.concat([Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), ...chunks]);
}

const END = chunk("IEND", Buffer.alloc(0));

/** Filtered rows of noise: whatever bytes stand there are some picture, so the filters need not be applied here. */
function filteredRows(depth: number, filterOf: (row: number) => number): Buffer {
  const random = randomNumbers(depth);
  const rows = Buffer.alloc(HEIGHT * (1 + (WIDTH * depth) / 8));
  for (let i = 0; i < rows.length; i++) rows[i] = Math.floor(256 * random());
  for (let y = 0; y < HEIGHT; y++) rows[(y * rows.length) / HEIGHT] = filterOf(y);
  return rows;
}

/** What libvips sees in the file, as another implementation of the format. */
async function seenByLibvips(png: Buffer, depth: 8 | 16): Promise<number[]> {
  const { data } = await sharp(png)
    .toColourspace(depth === 8 ? "b-w" : "grey16")
    .raw({ depth: depth === 8 ? "uchar" : "ushort" })
    .toBuffer({ resolveWithObject: true });
  return Array.from(depth === 8 ? data : new Uint16Array(new Uint8Array(data).buffer));
}

describe.each([8, 16] as const)("a grey PNG of %i bits", (depth) => {
  test.each([...FILTERS, "all in turn"])("filter %s", async (name) => {
    const filter = FILTERS.indexOf(name);
    const rows = filteredRows(depth, (y) => (filter < 0 ? y % FILTERS.length : filter));
    const png = file(header({ depth }), chunk("IDAT", deflateSync(rows)), END);
    const image = readGreyPng(png);
    expect([image.width, image.height, image.depth]).toEqual([WIDTH, HEIGHT, depth]);
    expect(Array.from(image.pixels)).toEqual(await seenByLibvips(png, depth));
  });
});

describe("the reader of grey PNGs", () => {
  const rows = filteredRows(8, () => 4);
  const idat = chunk("IDAT", deflateSync(rows));
  const good = file(header({}), idat, END);

  test("joins the pieces of the pixels and skips what may be skipped", () => {
    const compressed = deflateSync(rows);
    const split = file(
      header({}),
      chunk("tEXt", Buffer.from("Comment\0x")),
      chunk("IDAT", compressed.subarray(0, 7)),
      chunk("IDAT", compressed.subarray(7)),
      END,
    );
    expect(readGreyPng(split)).toEqual(readGreyPng(good));
  });

  test("reads a view into a larger buffer, at an odd place", () => {
    const wide = file(header({ depth: 16 }), chunk("IDAT", deflateSync(filteredRows(16, () => 2))), END);
    const shifted = Buffer.concat([Buffer.alloc(1), wide]).subarray(1);
    expect(readGreyPng(shifted)).toEqual(readGreyPng(wide));
  });

  test.each([
    ["another format", Buffer.from("GIF89a, and more than enough bytes to read on"), "grey PNG"],
    ["nothing", Buffer.alloc(0), "grey PNG"],
    ["colours", file(header({ colour: 2 }), idat, END), "grey PNG"],
    ["one bit a pixel", file(header({ depth: 1 }), idat, END), "grey PNG"],
    ["interlaced rows", file(header({ interlace: 1 }), idat, END), "grey PNG"],
    ["no header", file(idat, END), "begin with its header"],
    ["a palette", file(header({}), chunk("PLTE", Buffer.alloc(6)), idat, END), '"PLTE" has no place'],
    ["no width", file(header({ width: 0 }), idat, END), "header is wrong"],
    ["no pixels", file(header({}), END), "pixels cannot be read"],
    ["no end", file(header({}), idat), "before its last chunk"],
    ["an unknown filter", file(header({}), chunk("IDAT", deflateSync(filteredRows(8, () => 5))), END), "filter 5"],
    ["a row too few", file(header({ height: HEIGHT + 1 }), idat, END), "bytes of pixels and not"],
    ["a row too many", file(header({ height: HEIGHT - 1 }), idat, END), "damaged"],
  ])("refuses %s", (_, bytes, message) => {
    expect(() => readGreyPng(bytes)).toThrow(message);
  });

  test("refuses the file wherever it is cut, and whichever byte is changed", () => {
    for (let length = 0; length < good.length; length++) {
      expect(() => readGreyPng(good.subarray(0, length))).toThrow();
    }
    for (let at = 0; at < good.length; at++) {
      const changed = Buffer.from(good);
      changed[at] = (changed[at] as number) ^ 0x10;
      expect(() => readGreyPng(changed)).toThrow();
    }
  });

  test("refuses pixels whose own checksum is wrong", () => {
    const compressed = deflateSync(rows);
    compressed.writeUInt8((compressed.at(-1) as number) ^ 1, compressed.length - 1);
    expect(() => readGreyPng(file(header({}), chunk("IDAT", compressed), END))).toThrow("pixels cannot be read");
  });

  test("refuses a header that announces too much before it makes room for it", () => {
    const before = process.memoryUsage().arrayBuffers;
    const bomb = file(header({ width: 60_000, height: 60_000 }), idat, END);
    expect(() => readGreyPng(bomb)).toThrow("60000 x 60000 pixels");
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 20);
  });
});

describe("a grey PNG that anybody sent", () => {
  const compressed = chunk("IDAT", deflateSync(filteredRows(8, (y) => y % FILTERS.length)));
  const withChunk = (type: string, data: Buffer) => file(header({}), chunk(type, data), compressed, END);
  const decoded = async (png: Buffer) => {
    for await (const page of decodeScan(png, { minimumSide: 1 })) if ("image" in page) return page.image;
    throw new Error("No page.");
  };

  test("is read as it is where nothing else stands in it", () => {
    const plain = file(header({}), compressed, END);
    expect(tryGreyPng(plain)).toEqual(readGreyPng(plain));
    expect(tryGreyPng(withChunk("gAMA", Buffer.from([0, 0, 177, 143])))).toEqual(readGreyPng(plain));
  });

  test("goes to the general decoder where a chunk may say how its samples are meant", async () => {
    const exif = Buffer.from("4d4d002a00000008000101120003000000010006000000000000", "hex");
    const turned = withChunk("eXIf", exif);
    expect(tryGreyPng(turned)).toBeUndefined();
    expect(tryGreyPng(withChunk("tRNS", Buffer.from([0, 7])))).toBeUndefined();
    expect(tryGreyPng(withChunk("tEXt", Buffer.from("Raw profile type exif\0")))).toBeUndefined();
    // Orientation 6: what was the height is the width.
    expect(await decoded(turned)).toMatchObject({ width: HEIGHT, height: WIDTH });
  });

  test("goes to the general decoder where it is damaged", () => {
    const good = file(header({}), compressed, END);
    for (const length of [0, 7, 30, good.length - 20]) expect(tryGreyPng(good.subarray(0, length))).toBeUndefined();
  });
});

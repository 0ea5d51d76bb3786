import sharp from "sharp";
import { decodeScan, type ImageLimits, outlineScan } from "../../../runtime/imaging";
import { writeTiff } from "./tiff-writer";

const tiff = (side: number, pages: number) =>
  sharp({ create: { width: side, height: side * pages, channels: 3, background: "black", pageHeight: side } })
    .toColourspace("b-w")
    .tiff({ compression: "deflate" })
    .toBuffer();

const refusal = (bytes: Buffer, limits: Partial<ImageLimits> = {}) => {
  try {
    outlineScan(bytes, limits);
  } catch (error) {
    return error as { code: string; message: string };
  }
  throw new Error("It was not refused.");
};

test.each([
  ["png", 1],
  ["jpeg", 1],
  ["webp", 1],
  ["tiff", 5],
] as const)("says what a %s file costs, without decoding it", async (format, pages) => {
  const one = sharp({ create: { width: 64, height: 48, channels: 3, background: "black" } });
  const bytes = format === "tiff" ? await tiff(64, pages) : await one.toFormat(format).toBuffer();
  expect(outlineScan(bytes)).toEqual({ format, pages, pixels: 64 * (format === "tiff" ? 64 : 48) * pages });
});

test("refuses what no page of can be taken, with the reason of the first", async () => {
  expect(refusal(Buffer.alloc(0)).code).toBe("empty-file");
  expect(refusal(Buffer.from("plain text")).code).toBe("unsupported-format");
  expect(refusal(await tiff(16, 3)).code).toBe("too-small");
  const png = await sharp({ create: { width: 64, height: 64, channels: 3, background: "black" } })
    .png()
    .toBuffer();
  expect(refusal(png.subarray(0, png.length - 8)).code).toBe("truncated");
  expect(refusal(png, { pixels: 4095 }).code).toBe("too-many-pixels");
});

test("bounds pages, and the pixels of all of them, before anything is decoded", async () => {
  const bytes = await tiff(64, 5);
  expect(refusal(bytes, { pages: 4 })).toMatchObject({
    code: "too-many-pages",
    message: expect.stringMatching(/4 pages/),
  });
  const limits = { totalPixels: 5 * 64 * 64 - 1 };
  const reason = { code: "too-many-pixels", message: expect.stringMatching(/more than 20,479 pixels together/) };
  expect(refusal(bytes, limits)).toMatchObject(reason);
  await expect(decodeScan(bytes, limits).next()).rejects.toMatchObject(reason);
  expect(outlineScan(bytes, { totalPixels: 5 * 64 * 64 }).pages).toBe(5);
});

test("a page that is too large by itself is refused alone, and costs nothing", async () => {
  const page = (side: number) => ({ width: side, height: side, bits: 8, values: new Uint8Array(side * side) }) as const;
  const bytes = writeTiff([page(64), page(128), page(64)]);
  const codes = [];
  for await (const decoded of decodeScan(bytes, { pixels: 64 * 64, totalPixels: 2 * 64 * 64 })) {
    codes.push("rejected" in decoded ? decoded.rejected.code : "read");
  }
  expect(codes).toEqual(["blank-image", "too-many-pixels", "blank-image"]);
});

test("spends no time on strips that a page cannot have, nor on endless tags", () => {
  expect(outlineScan(manyStrips(1000, 2_000_000)).pages).toBe(1000);

  const big = Buffer.alloc(64 + 20 * 70_000);
  big.write("II+\0\x08\0\0\0\x10", "latin1");
  big.writeBigUInt64LE(70_000n, 16);
  expect(refusal(big)).toMatchObject({ code: "damaged", message: expect.stringMatching(/more tags/) });
}, 10_000);

/** Pages of 64 x 64 that all announce the same long list of strips without bytes. */
function manyStrips(pages: number, strips: number): Buffer {
  const list = 8;
  const first = list + 4 * strips;
  const size = 2 + 8 * 12 + 4;
  const bytes = Buffer.alloc(first + pages * size);
  bytes.write("II*\0", "latin1");
  bytes.writeUInt32LE(first, 4);
  const tags: readonly (readonly [tag: number, count: number, value: number])[] = [
    [256, 1, 64],
    [257, 1, 64],
    [258, 1, 8],
    [259, 1, 1],
    [262, 1, 1],
    [273, strips, list],
    [278, 1, 1],
    [279, strips, list],
  ];
  for (let page = 0; page < pages; page++) {
    const at = first + page * size;
    bytes.writeUInt16LE(tags.length, at);
    for (const [index, [tag, count, value]] of tags.entries()) {
      const entry = at + 2 + index * 12;
      bytes.writeUInt16LE(tag, entry);
      bytes.writeUInt16LE(4, entry + 2);
      bytes.writeUInt32LE(count, entry + 4);
      bytes.writeUInt32LE(value, entry + 8);
    }
    bytes.writeUInt32LE(page + 1 < pages ? at + size : 0, at + size - 4);
  }
  return bytes;
}

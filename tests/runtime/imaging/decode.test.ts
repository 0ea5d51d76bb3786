import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { deflateSync, gzipSync } from "node:zlib";
import { crc32 } from "@node-rs/crc32";
import sharp from "sharp";
import {
  type DecodedPage,
  decodeCurated,
  decodeScan,
  encodePng,
  type GreyImage,
  pixelSha256,
  REJECTION_CODES,
  RejectedImage,
  sniffFormat,
} from "../../../runtime/imaging";
import { chunk, drawHead, pngFile, randomNumbers, writeBmp } from "./pictures";
import { type TiffPage, writeTiff } from "./tiff-writer";

const WIDTH = 48;
const HEIGHT = 40;
const COUNT = WIDTH * HEIGHT;

function series(change: (index: number) => number, length = COUNT): number[] {
  return Array.from({ length }, (_, index) => change(index));
}

async function pagesOf(bytes: Buffer, limits = {}): Promise<DecodedPage[]> {
  const pages: DecodedPage[] = [];
  for await (const page of decodeScan(bytes, limits)) pages.push(page);
  return pages;
}

async function decodeOne(bytes: Buffer, limits = {}): Promise<GreyImage> {
  const pages = await pagesOf(bytes, limits);
  expect(pages).toHaveLength(1);
  const [page] = pages;
  if (!page || !("image" in page)) throw new Error("no image");
  return page.image;
}

async function codeOf(bytes: Buffer, limits = {}): Promise<string> {
  try {
    await pagesOf(bytes, limits);
  } catch (error) {
    if (!(error instanceof RejectedImage)) throw error;
    expect(error.message).toMatch(/^[A-Z].*\.$/s);
    expect(error.message).not.toMatch(/vips|sharp|undefined|NaN|Error/i);
    expect(REJECTION_CODES).toHaveProperty([error.code]);
    return error.code;
  }
  return "taken";
}

const luma = (r: number, g: number, b: number) => Math.floor((299 * r + 587 * g + 114 * b + 500) / 1000);
const raw = (values: number[], channels: 1 | 2 | 3 | 4) =>
  sharp(Uint8Array.from(values), { raw: { width: WIDTH, height: HEIGHT, channels } });
const ramp = series((i) => (i * 7) % 256);
const colours = series((i) => (i * 11 + (i >> 4)) % 256, COUNT * 3);
const colourLuma = series((i) =>
  luma(colours[3 * i] as number, colours[3 * i + 1] as number, colours[3 * i + 2] as number),
);

describe("PNG", () => {
  const png16 = (values: number[], channels: 1 | 3) =>
    sharp(Uint16Array.from(values), { raw: { width: WIDTH, height: HEIGHT, channels } })
      .toColourspace(channels === 1 ? "grey16" : "rgb16")
      .png()
      .toBuffer();

  test.each([
    ["grey", false],
    ["interlaced", true],
  ])("%s is exact", async (_, progressive) => {
    const image = await decodeOne(await raw(ramp, 1).toColourspace("b-w").png({ progressive }).toBuffer());
    expect(image).toMatchObject({ width: WIDTH, height: HEIGHT, depth: 8 });
    expect(Array.from(image.pixels)).toEqual(ramp);
  });

  test("colour is BT.601 luma, and equal channels are taken exactly", async () => {
    const coloured = await decodeOne(await raw(colours, 3).png().toBuffer());
    expect(Array.from(coloured.pixels)).toEqual(colourLuma);
    const replicated = ramp.flatMap((value) => [value, value, value]);
    expect(Array.from((await decodeOne(await raw(replicated, 3).png().toBuffer())).pixels)).toEqual(ramp);
  });

  test("alpha lies over black", async () => {
    const values = series((i) => (i % 4 === 3 ? [0, 128, 255][(i >> 2) % 3] : 200) as number, COUNT * 4);
    const image = await decodeOne(await raw(values, 4).png().toBuffer());
    expect(Array.from(image.pixels.subarray(0, 3))).toEqual([0, 100, 200]);
    const greyAlpha = await decodeOne(
      await raw(
        series((i) => (i % 2 ? 255 : (i * 3) % 256), COUNT * 2),
        2,
      )
        .png()
        .toBuffer(),
    );
    expect(Array.from(greyAlpha.pixels)).toEqual(series((i) => (i * 6) % 256));
  });

  test("16 bits stay 16 bits", async () => {
    const values = series((i) => (i * 37) % 65536);
    const image = await decodeOne(await png16(values, 1));
    expect(image.depth).toBe(16);
    expect(Array.from(image.pixels)).toEqual(values);
    const rgb = series((i) => (i * 41) % 65536, COUNT * 3);
    const coloured = await decodeOne(await png16(rgb, 3));
    expect(coloured.depth).toBe(16);
    expect(coloured.pixels[5]).toBe(luma(rgb[15] as number, rgb[16] as number, rgb[17] as number));
  });

  test("palettes and 1, 2 and 4 bits are expanded", async () => {
    const few = series((i) => ((i >> 2) % 4) * 85);
    for (const colours of [2, 4, 16]) {
      const values = colours === 2 ? few.map((value) => (value > 100 ? 255 : 0)) : few;
      const rgb = values.flatMap((value) => [value, value, value]);
      const bytes = await raw(rgb, 3).png({ palette: true, colours, dither: 0 }).toBuffer();
      expect(bytes[25]).toBe(3);
      expect(Array.from((await decodeOne(bytes)).pixels)).toEqual(values);
    }
    const bits = pngFile(
      { width: WIDTH, height: HEIGHT },
      1,
      0,
      Buffer.concat(series((y) => y, HEIGHT).map((y) => Buffer.from([0, y, 255, 0, 170, 1, 2]))),
    );
    expect(Array.from((await decodeOne(bits)).pixels.subarray(8, 12))).toEqual([255, 255, 255, 255]);
  });

  test("an animation is refused", async () => {
    const still = await raw(ramp, 1).png().toBuffer();
    const actl = chunk("acTL", Buffer.from([0, 0, 0, 2, 0, 0, 0, 0]));
    expect(await codeOf(Buffer.concat([still.subarray(0, 33), actl, still.subarray(33)]))).toBe("animated");
  });

  test("a bomb is refused by its header, and text chunks that explode do no harm", async () => {
    const header = Buffer.from(await raw(ramp, 1).png().toBuffer());
    header.writeUInt32BE(30_000, 16);
    header.writeUInt32BE(30_000, 20);
    header.writeUInt32BE(crc32(header.subarray(12, 29)), 29);
    expect(await codeOf(header)).toBe("too-many-pixels");
    const good = await raw(ramp, 1).png().toBuffer();
    const text = chunk("zTXt", Buffer.concat([Buffer.from("a\0\0", "latin1"), deflateSync(Buffer.alloc(60_000_000))]));
    const profile = chunk(
      "iCCP",
      Buffer.concat([Buffer.from("a\0\0", "latin1"), deflateSync(Buffer.alloc(60_000_000))]),
    );
    for (const extra of [text, profile]) {
      const image = await decodeOne(Buffer.concat([good.subarray(0, 33), extra, good.subarray(33)]));
      expect(Array.from(image.pixels)).toEqual(ramp);
    }
  });
});

describe("JPEG and WebP", () => {
  test("grey, colour and progressive JPEG", async () => {
    const head = drawHead(1);
    const source = sharp(head.pixels, { raw: { width: head.width, height: head.height, channels: 1 } });
    for (const bytes of [
      await source.clone().toColourspace("b-w").jpeg({ quality: 98 }).toBuffer(),
      await source.clone().toColourspace("srgb").jpeg({ quality: 98, progressive: true }).toBuffer(),
    ]) {
      const image = await decodeOne(bytes);
      expect(image).toMatchObject({ width: head.width, height: head.height, depth: 8 });
      expect(meanDifference(image, head)).toBeLessThan(2);
    }
  });

  test("CMYK is converted: white is white, black is black", async () => {
    const values = series((i) => (i % WIDTH < WIDTH / 2 ? 255 : 0)).flatMap((value) => [value, value, value]);
    const image = await decodeOne(await raw(values, 3).toColourspace("cmyk").jpeg({ quality: 95 }).toBuffer());
    expect(image.pixels[2]).toBeGreaterThan(245);
    expect(image.pixels[WIDTH - 3]).toBeLessThan(60);
  });

  test("orientation is applied", async () => {
    const upright = await raw(ramp, 1).toColourspace("b-w").jpeg({ quality: 100 }).toBuffer();
    const turned = await sharp(upright).withMetadata({ orientation: 6 }).jpeg({ quality: 100 }).toBuffer();
    const [a, b] = [await decodeOne(upright), await decodeOne(turned)];
    expect([b.width, b.height]).toEqual([HEIGHT, WIDTH]);
    // Clockwise: the first row becomes the last column.
    const corner = Array.from({ length: 8 }, (_, x) => b.pixels[x * HEIGHT + HEIGHT - 1] as number);
    corner.forEach((value, x) => {
      expect(Math.abs(value - (a.pixels[x] as number))).toBeLessThan(40);
    });
    const tiff = writeTiff([{ width: WIDTH, height: HEIGHT, bits: 8, values: ramp, orientation: 3 }]);
    expect(Array.from((await decodeOne(tiff)).pixels)).toEqual([...ramp].reverse());
  });

  test("lossless WebP is exact, an animated one is refused", async () => {
    expect(Array.from((await decodeOne(await raw(colours, 3).webp({ lossless: true }).toBuffer())).pixels)).toEqual(
      colourLuma,
    );
    const two = sharp(Uint8Array.from([...colours, ...colours.map((v) => 255 - v)]), {
      raw: { width: WIDTH, height: HEIGHT * 2, channels: 3, pageHeight: HEIGHT },
    });
    expect(await codeOf(await two.webp({ loop: 0 }).toBuffer())).toBe("animated");
  });
});

describe("TIFF", () => {
  const page = (rest: Partial<TiffPage> & Pick<TiffPage, "bits" | "values">): TiffPage => ({
    width: WIDTH,
    height: HEIGHT,
    ...rest,
  });
  const wide = series((i) => (i * 33) % 65536);

  test.each([
    ["little-endian", {}, {}],
    ["big-endian", {}, { bigEndian: true }],
    ["BigTIFF", {}, { big: true }],
    ["big-endian BigTIFF", {}, { big: true, bigEndian: true }],
    ["tiled", { tile: 16 }, {}],
    ["in strips", { rowsPerStrip: 7 }, {}],
    ["deflated", { compression: 8 }, {}],
    ["packed", { compression: 32773 }, {}],
  ] as const)("%s is exact in 8 and 16 bits", async (_, rest, options) => {
    const eight = await decodeOne(writeTiff([page({ bits: 8, values: ramp, ...rest })], options));
    expect(Array.from(eight.pixels)).toEqual(ramp);
    const sixteen = await decodeOne(writeTiff([page({ bits: 16, values: wide, ...rest })], options));
    expect(sixteen.depth).toBe(16);
    expect(Array.from(sixteen.pixels)).toEqual(wide);
  });

  test("LZW, JPEG and 1-bit TIFF decode", async () => {
    const lzw = await raw(ramp, 1).toColourspace("b-w").tiff({ compression: "lzw" }).toBuffer();
    expect(Array.from((await decodeOne(lzw)).pixels)).toEqual(ramp);
    const head = drawHead(2);
    const source = sharp(head.pixels, { raw: { width: head.width, height: head.height, channels: 1 } });
    const jpeg = await decodeOne(
      await source.toColourspace("b-w").tiff({ compression: "jpeg", quality: 95 }).toBuffer(),
    );
    expect(meanDifference(jpeg, head)).toBeLessThan(3);
    const bits = writeTiff([page({ bits: 1, values: series((i) => (i % 6 ? 0 : 0b10110000), HEIGHT * 6) })]);
    expect(Array.from((await decodeOne(bits)).pixels.subarray(0, 5))).toEqual([255, 0, 255, 255, 0]);
  });

  test("min-is-white is turned, a palette is looked up", async () => {
    const white = await decodeOne(writeTiff([page({ bits: 8, photometric: 0, values: ramp })]));
    expect(Array.from(white.pixels)).toEqual(ramp.map((value) => 255 - value));
    const palette = Array.from({ length: 768 }, (_, i) => (255 - (i % 256)) * 257);
    const looked = await decodeOne(writeTiff([page({ bits: 8, photometric: 3, palette, values: ramp })]));
    expect(Array.from(looked.pixels)).toEqual(ramp.map((value) => 255 - value));
  });

  test("signed, 32-bit and float samples: exact where they fit, scaled where they do not", async () => {
    const signed = await decodeOne(writeTiff([page({ bits: 16, sampleFormat: 2, values: series((i) => i - 1024) })]));
    expect(Array.from(signed.pixels)).toEqual(series((i) => i));
    const bigEndian = { bigEndian: true };
    const big = await decodeOne(writeTiff([page({ bits: 16, sampleFormat: 2, values: series((i) => -i) })], bigEndian));
    expect(big.pixels[0]).toBe(COUNT - 1);
    const small = await decodeOne(writeTiff([page({ bits: 32, sampleFormat: 2, values: series((i) => i * 3 - 30) })]));
    expect(Array.from(small.pixels)).toEqual(series((i) => i * 3));
    const long = await decodeOne(writeTiff([page({ bits: 32, values: series((i) => i * 1_000_000) })]));
    expect([long.pixels[0], long.pixels[COUNT - 1], long.depth]).toEqual([0, 65535, 16]);
    const fraction = series((i) => (i === 7 ? Number.NaN : i / COUNT - 0.25));
    const float = await decodeOne(writeTiff([page({ bits: 32, sampleFormat: 3, values: fraction })]));
    expect([float.pixels[0], float.pixels[7], float.pixels[COUNT - 1]]).toEqual([0, 0, 65535]);
    expect(await codeOf(writeTiff([page({ bits: 16, values: wide, extra: { 258: 12 } })]))).toBe(
      "unsupported-encoding",
    );
    expect(await codeOf(writeTiff([page({ bits: 64, sampleFormat: 3, values: fraction })]))).toBe(
      "unsupported-encoding",
    );
  });

  test("CMYK and 16-bit colour", async () => {
    const ink = series((i) => (i < COUNT * 2 ? 0 : 255), COUNT * 4);
    const cmyk = await decodeOne(writeTiff([page({ bits: 8, samples: 4, photometric: 5, values: ink })]));
    expect(cmyk.pixels[0]).toBeGreaterThan(245);
    expect(cmyk.pixels[COUNT - 1]).toBeLessThan(30);
    const rgb = series((i) => (i * 29) % 65536, COUNT * 3);
    const colour = await decodeOne(writeTiff([page({ bits: 16, samples: 3, photometric: 2, values: rgb })]));
    expect(colour.pixels[9]).toBe(luma(rgb[27] as number, rgb[28] as number, rgb[29] as number));
  });

  test("every page comes, a bad page alone is refused", async () => {
    const good = page({ bits: 8, values: ramp });
    const blank = page({ bits: 8, values: series(() => 9) });
    const tiny = { width: 8, height: 8, bits: 8 as const, values: series((i) => i, 64) };
    const other = page({ bits: 16, values: wide });
    const pages = await pagesOf(writeTiff([good, blank, tiny, other]));
    expect(pages.map(({ page, pages }) => `${page}/${pages}`)).toEqual(["1/4", "2/4", "3/4", "4/4"]);
    const outcomes = pages.map((p) => ("image" in p ? p.image.depth : p.rejected.code));
    expect(outcomes).toEqual([8, "blank-image", "too-small", 16]);
  });

  test("absurd directories are refused at once", async () => {
    const good = page({ bits: 8, values: ramp });
    expect(await codeOf(writeTiff([good, good], { loop: true }))).toBe("damaged");
    expect(await codeOf(writeTiff([good, good, good]), { pages: 2 })).toBe("too-many-pages");
    expect(await codeOf(writeTiff([page({ bits: 8, values: ramp, extra: { 256: 60_000, 257: 60_000 } })]))).toBe(
      "too-many-pixels",
    );
    const hugeTile = page({ bits: 8, values: ramp, tile: 16, extra: { 322: 65_520, 323: 65_520 } });
    expect(await codeOf(writeTiff([hugeTile]))).toBe("too-many-pixels");
    const whole = writeTiff([page({ bits: 8, values: ramp, rowsPerStrip: 8 })]);
    whole.writeUInt32LE(whole.length + 4, 4);
    expect(await codeOf(whole)).toBe("truncated");
  });
});

describe("BMP", () => {
  const palette = Array.from({ length: 256 }, (_, i) => (255 - i) * 0x010101);
  test.each([1, 4, 8] as const)("%i bits with a palette, odd width, both directions", async (bits) => {
    const width = 45;
    const values = series((i) => (i * 5) % 2 ** bits, width * HEIGHT);
    for (const topDown of [false, true]) {
      const bytes = writeBmp({ width, height: HEIGHT, bits, values, palette: palette.slice(0, 2 ** bits), topDown });
      expect(Array.from((await decodeOne(bytes)).pixels)).toEqual(values.map((value) => 255 - value));
    }
  });

  test.each([24, 32] as const)("%i bits", async (bits) => {
    const width = 45;
    const values = series((i) => (i * 99_991) & 0xffffff, width * HEIGHT);
    const expected = values.map((v) => luma(v >> 16, (v >> 8) & 255, v & 255));
    for (const topDown of [false, true]) {
      expect(Array.from((await decodeOne(writeBmp({ width, height: HEIGHT, bits, values, topDown }))).pixels)).toEqual(
        expected,
      );
    }
  });

  test("16 bits are spread over the full range", async () => {
    const values = series((i) => (i % 32) * 0x421);
    const image = await decodeOne(writeBmp({ width: WIDTH, height: HEIGHT, bits: 16, values }));
    expect([image.pixels[0], image.pixels[16], image.pixels[31]]).toEqual([0, 132, 255]);
  });

  test("run lengths: runs, literals, jumps, ends of lines", async () => {
    const [width, height] = [32, 32];
    const lines = Array.from({ length: 31 }, () => [32, 7, 0, 0]).flat();
    const last = [10, 1, 0, 3, 2, 3, 4, 0, 0, 2, 5, 0, 14, 9, 0, 1];
    const runs = { compression: 1 as const, bytes: [...lines, ...last] };
    const image = await decodeOne(writeBmp({ width, height, bits: 8, values: [], palette, runs }));
    const first = [...Array(10).fill(254), 253, 252, 251, ...Array(5).fill(255), ...Array(14).fill(246)];
    expect(Array.from(image.pixels.subarray(0, 32))).toEqual(first);
    expect(image.pixels[32]).toBe(248);
    const nibbles = { compression: 2 as const, bytes: Array.from({ length: 32 }, () => [32, 0x12, 0, 0]).flat() };
    const four = await decodeOne(
      writeBmp({ width, height, bits: 4, values: [], palette: palette.slice(0, 16), runs: nibbles }),
    );
    expect(Array.from(four.pixels.subarray(0, 4))).toEqual([254, 253, 254, 253]);
  });

  test("its header is believed only within limits", async () => {
    const bomb = writeBmp({ width: 40, height: 40, bits: 24, values: [] });
    bomb.writeInt32LE(30_000, 18);
    bomb.writeInt32LE(30_000, 22);
    expect(["truncated", "too-many-pixels"]).toContain(await codeOf(bomb));
    const runs = { compression: 1 as const, bytes: [0, 1] };
    expect(await codeOf(writeBmp({ width: 30_000, height: 30_000, bits: 8, values: [], palette, runs }))).toBe(
      "too-many-pixels",
    );
    bomb.writeInt32LE(-40, 18);
    expect(await codeOf(bomb)).toBe("damaged");
  });
});

test("what libraries only warn of is no reason to refuse", async () => {
  const head = drawHead(6);
  const source = sharp(head.pixels, { raw: { width: head.width, height: head.height, channels: 1 } });
  const jpeg = await source.toColourspace("b-w").jpeg().toBuffer();
  const scan = jpeg.indexOf(Buffer.from([0xff, 0xda]));
  const padded = Buffer.concat([
    jpeg.subarray(0, scan),
    Buffer.from([1, 2, 3]),
    jpeg.subarray(scan),
    Buffer.alloc(99, 7),
  ]);
  expect(pixelSha256(await decodeOne(padded))).toBe(pixelSha256(await decodeOne(jpeg)));
  const tags = { 65000: 5, 33629: 1, 34000: 9 };
  const tiff = writeTiff([{ width: WIDTH, height: HEIGHT, bits: 8, values: ramp, extra: tags }]);
  expect(Array.from((await decodeOne(tiff)).pixels)).toEqual(ramp);
});

describe("what is refused", () => {
  test.each([
    ["a text file", Buffer.from("Patient notes, not a picture.\n"), "text"],
    ["text in another script", Buffer.from("Это не снимок, а текст. ".repeat(9)), "text"],
    ["a web page", Buffer.from("<!DOCTYPE html><html><body>404</body></html>"), "HTML"],
    ["an SVG", Buffer.from('<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>'), "SVG"],
    ["a GIF", Buffer.from("GIF89a\x01\0\x01\0\0\0\0;", "latin1"), "GIF"],
    ["a ZIP", Buffer.from("PK\x03\x04\x14\0\0\0", "latin1"), "ZIP"],
    ["a PDF", Buffer.from("%PDF-1.7\n"), "PDF"],
    ["a gzip", gzipSync(Buffer.from("x")), "gzip"],
    ["a HEIC", Buffer.from("\0\0\0\x18ftypheic\0\0\0\0", "latin1"), "HEIC"],
    ["an AVIF", Buffer.from("\0\0\0\x18ftypavif\0\0\0\0", "latin1"), "AVIF"],
    ["a JPEG 2000", Buffer.from("\0\0\0\x0cjP  \r\n\x87\n", "latin1"), "JPEG 2000"],
    ["noise", Buffer.from(series((i) => (i * 7919 + (i >> 3) * 31) % 256, 4096)), "no known"],
  ])("%s is named", async (_, bytes, name) => {
    expect(sniffFormat(bytes).format).toBeUndefined();
    await expect(pagesOf(bytes)).rejects.toMatchObject({
      code: "unsupported-format",
      message: expect.stringContaining(name),
    });
  });

  test("empty, too large, too small, blank", async () => {
    expect(await codeOf(Buffer.alloc(0))).toBe("empty-file");
    expect(await codeOf(await raw(ramp, 1).png().toBuffer(), { bytes: 100 })).toBe("file-too-large");
    const dot = { create: { width: 1, height: 1, channels: 3 as const, background: "white" } };
    expect(await codeOf(await sharp(dot).png().toBuffer())).toBe("too-small");
    expect(
      await codeOf(
        await raw(
          series(() => 77),
          1,
        )
          .png()
          .toBuffer(),
      ),
    ).toBe("blank-image");
  });

  test("a file cut anywhere is refused, whatever the format", async () => {
    const head = drawHead(3);
    const source = () => sharp(head.pixels, { raw: { width: head.width, height: head.height, channels: 1 } });
    const bmpValues = Array.from(head.pixels);
    const palette = Array.from({ length: 256 }, (_, i) => i * 0x010101);
    const files = {
      jpeg: await source().jpeg().toBuffer(),
      progressive: await source().jpeg({ progressive: true }).toBuffer(),
      png: await source().png().toBuffer(),
      tiff: writeTiff([{ width: head.width, height: head.height, bits: 8, values: head.pixels, rowsPerStrip: 16 }]),
      lzw: await source().tiff({ compression: "lzw" }).toBuffer(),
      webp: await source().webp().toBuffer(),
      bmp: writeBmp({ width: head.width, height: head.height, bits: 8, values: bmpValues, palette }),
    };
    for (const [name, bytes] of Object.entries(files)) {
      expect(await codeOf(bytes)).toBe("taken");
      for (const share of [0.002, 0.1, 0.5, 0.9, 0.99]) {
        const code = await codeOf(bytes.subarray(0, Math.max(4, Math.floor(bytes.length * share))));
        expect(`${name} ${share} ${code}`).toMatch(/truncated|damaged|unsupported-format/);
      }
    }
  });

  test("a damaged middle is refused or decoded, never a crash", async () => {
    const head = drawHead(4);
    const source = () => sharp(head.pixels, { raw: { width: head.width, height: head.height, channels: 1 } });
    const random = randomNumbers(5);
    for (const bytes of [
      await source().jpeg().toBuffer(),
      await source().png().toBuffer(),
      await source().tiff().toBuffer(),
    ]) {
      for (let round = 0; round < 25; round++) {
        const broken = Buffer.from(bytes);
        for (let i = 0; i < 6; i++) broken[Math.floor(random() * broken.length)] = Math.floor(random() * 256);
        expect(["taken", ...Object.keys(REJECTION_CODES)]).toContain(await codeOf(broken));
      }
    }
    const png = Buffer.from(await source().png().toBuffer());
    png[Math.floor(png.length / 2)] = (png[Math.floor(png.length / 2)] as number) ^ 255;
    expect(await codeOf(png)).toBe("damaged");
  });

  test("large files stay below 1 GiB, and libraries print nothing", () => {
    const script = join(__dirname, "large-files.js");
    const { stdout, stderr } = spawnSync(process.execPath, [script], { encoding: "utf8" });
    expect(stderr).toBe("");
    const { peakMiB, outcomes } = JSON.parse(stdout) as { peakMiB: number; outcomes: string[] };
    expect(outcomes).toEqual(["8", "8", "too-many-pixels", "16", "truncated"]);
    expect(peakMiB).toBeLessThan(1024);
  });
});

describe("the curated form", () => {
  test.each([8, 16] as const)("is lossless in %i bits, deterministic and bare", async (depth) => {
    const values = series((i) => (i * 173) % 2 ** depth);
    const image: GreyImage =
      depth === 8
        ? { width: WIDTH, height: HEIGHT, depth, pixels: Uint8Array.from(values) }
        : { width: WIDTH, height: HEIGHT, depth, pixels: Uint16Array.from(values) };
    const png = await encodePng(image);
    expect(await encodePng(image)).toEqual(png);
    const chunks: string[] = [];
    for (let at = 8; at < png.length; at += 12 + png.readUInt32BE(at))
      chunks.push(png.toString("latin1", at + 4, at + 8));
    expect([...new Set(chunks)]).toEqual(["IHDR", "IDAT", "IEND"]);
    const back = await decodeCurated(png);
    expect(back.depth).toBe(depth);
    expect(Array.from(back.pixels)).toEqual(values);
    expect(pixelSha256(back)).toBe(pixelSha256(image));
    expect(pixelSha256(await decodeOne(png))).toBe(pixelSha256(image));
    await expect(decodeCurated(await raw(colours, 3).png().toBuffer())).rejects.toThrow("grey PNG");
    await expect(decodeCurated(png.subarray(0, png.length - 40))).rejects.toThrow();
  });

  test("the hash is of size, depth and pixels", () => {
    const pixels = Uint8Array.from([1, 2, 3, 4, 5, 6]);
    const hash = pixelSha256({ width: 3, height: 2, depth: 8, pixels });
    expect(hash).toBe("18ed6cca300c7bd1978247c48a110d992c24d7e77882a399a95e9510b4e6f651");
    expect(pixelSha256({ width: 2, height: 3, depth: 8, pixels })).not.toBe(hash);
    expect(pixelSha256({ width: 3, height: 2, depth: 16, pixels: Uint16Array.from(pixels) })).not.toBe(hash);
  });
});

function meanDifference(a: GreyImage, b: GreyImage): number {
  let sum = 0;
  for (let i = 0; i < a.pixels.length; i++) sum += Math.abs((a.pixels[i] as number) - (b.pixels[i] as number));
  return sum / a.pixels.length;
}

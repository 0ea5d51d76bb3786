import sharp from "sharp";
import { type DecodedPage, decodeScan, type GreyImage, RejectedImage } from "../../../runtime/imaging";
import { chunk, pngFile, writeBmp } from "./pictures";
import { type TiffOptions, type TiffPage, writeTiff } from "./tiff-writer";

// What a picture's grey values are: those of Pillow, within 1. `npm run verify:pixels` compares real files with it;
// these compare with the arithmetic itself.

const WIDTH = 45;
const HEIGHT = 38;
const COUNT = WIDTH * HEIGHT;

async function pagesOf(bytes: Buffer): Promise<DecodedPage[]> {
  const pages: DecodedPage[] = [];
  for await (const page of decodeScan(bytes)) pages.push(page);
  return pages;
}

async function decodeOne(bytes: Buffer): Promise<GreyImage> {
  const [page] = await pagesOf(bytes);
  if (!page || !("image" in page)) throw new Error("no image");
  return page.image;
}

async function refusal(bytes: Buffer): Promise<RejectedImage> {
  const error = await pagesOf(bytes).catch((reason: unknown) => reason);
  if (!(error instanceof RejectedImage)) throw new Error("it was taken");
  return error;
}

/** Values that go up and down slowly, one a pixel. */
function wave(phase: number, low: number, high: number): number[] {
  return Array.from({ length: COUNT }, (_, i) => {
    const [x, y] = [i % WIDTH, Math.floor(i / WIDTH)];
    return Math.round((low + high) / 2 + ((high - low) / 2) * Math.sin(phase + x / (5 + phase) + y / 7));
  });
}

function interleave(...channels: readonly (readonly number[])[]): number[] {
  return Array.from({ length: COUNT }, (_, i) => channels.map((channel) => channel[i] as number)).flat();
}

const luma = (red: number, green: number, blue: number) => 0.299 * red + 0.587 * green + 0.114 * blue;
const byte = (value: number) => Math.min(255, Math.max(0, value));

function expectWithin1(image: GreyImage, expected: ArrayLike<number>): void {
  expect(image.pixels).toHaveLength(expected.length);
  let most = 0;
  for (let i = 0; i < expected.length; i++) {
    most = Math.max(most, Math.abs((image.pixels[i] as number) - (expected[i] as number)));
  }
  expect(most).toBeLessThanOrEqual(1.5);
}

describe("YCbCr in a TIFF that is not JPEG", () => {
  const [y, cb, cr] = [wave(0, 50, 200), wave(1, 100, 156), wave(2, 100, 156)];

  interface Numbers {
    readonly coefficients?: readonly [number, number, number];
    readonly reference?: readonly number[];
  }
  /** TIFF 6.0, section 21. */
  function greyOf(subsampling: readonly [number, number], block: [number, number], numbers: Numbers = {}): number[] {
    const [red, green, blue] = numbers.coefficients ?? [0.299, 0.587, 0.114];
    const [y0, y1, b0, b1, r0, r1] = (numbers.reference ?? [0, 255, 128, 255, 128, 255]) as [
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    return y.map((value, i) => {
      const [px, py] = [i % WIDTH, Math.floor(i / WIDTH)];
      // The chroma of the unit's first pixel; units begin anew in each block.
      const first = (at: number, step: number, side: number) => at - ((at % side) % step);
      const unit = first(py, subsampling[1], block[1]) * WIDTH + first(px, subsampling[0], block[0]);
      const light = ((value - y0) * 255) / (y1 - y0);
      const chromaBlue = (((cb[unit] as number) - b0) * 127) / (b1 - b0);
      const chromaRed = (((cr[unit] as number) - r0) * 127) / (r1 - r0);
      const r = light + (2 - 2 * red) * chromaRed;
      const b = light + (2 - 2 * blue) * chromaBlue;
      return luma(byte(r), byte((light - red * r - blue * b) / green), byte(b));
    });
  }
  const page = (rest: Partial<TiffPage>): TiffPage => ({
    width: WIDTH,
    height: HEIGHT,
    bits: 8,
    samples: 3,
    photometric: 6,
    values: interleave(y, cb, cr),
    ...rest,
  });

  const layouts: [string, Partial<TiffPage>, [number, number], TiffOptions][] = [
    ["in one strip", {}, [WIDTH, HEIGHT], {}],
    ["in strips", { rowsPerStrip: 8 }, [WIDTH, 8], {}],
    ["in tiles", { tile: 16 }, [16, 16], {}],
    ["in planes", { planar: true }, [WIDTH, HEIGHT], {}],
    ["in planes of strips", { planar: true, rowsPerStrip: 8, compression: 8 }, [WIDTH, 8], {}],
    ["deflated, in tiles", { tile: 16, compression: 8 }, [16, 16], {}],
    ["packed, in strips", { rowsPerStrip: 12, compression: 32773 }, [WIDTH, 12], {}],
    ["big-endian BigTIFF", { rowsPerStrip: 8 }, [WIDTH, 8], { big: true, bigEndian: true }],
  ];
  const subsamplings: [number, number][] = [
    [1, 1],
    [2, 1],
    [1, 2],
    [2, 2],
    [4, 1],
    [4, 2],
    [4, 4],
  ];
  test.each(layouts)("%s, with every subsampling", async (_, layout, block, options) => {
    for (const subsampling of layout.planar ? subsamplings.slice(0, 1) : subsamplings) {
      const image = await decodeOne(writeTiff([page({ ...layout, subsampling })], options));
      expectWithin1(image, greyOf(subsampling, block));
    }
  });

  test.each([
    ["BT.709", { coefficients: [0.2126, 0.7152, 0.0722] }],
    ["the range of video", { reference: [16, 235, 128, 240, 128, 240] }],
    ["both", { coefficients: [0.2126, 0.7152, 0.0722], reference: [16, 235, 128, 240, 128, 240] }],
  ] satisfies [string, Numbers][])("by its own numbers: %s", async (_, numbers: Numbers) => {
    const fractions: Record<number, readonly number[]> = {};
    if (numbers.coefficients) fractions[529] = numbers.coefficients;
    if (numbers.reference) fractions[532] = numbers.reference;
    for (const subsampling of [
      [1, 1],
      [2, 2],
    ] as const) {
      const image = await decodeOne(writeTiff([page({ fractions, subsampling })]));
      // Whole steps of luma and chroma, as libtiff has them.
      const expected = greyOf(subsampling, [WIDTH, HEIGHT], numbers);
      expect(Math.max(...expected.map((value, i) => Math.abs(value - (image.pixels[i] as number))))).toBeLessThan(3);
    }
  });

  test("two by two where nothing is said, as TIFF has it", async () => {
    const said = writeTiff([page({ subsampling: [2, 2] })]);
    const unsaid = writeTiff([page({ subsampling: [2, 2], without: [530] })]);
    expect((await decodeOne(unsaid)).pixels).toEqual((await decodeOne(said)).pixels);
  });

  test("turned and mirrored as any other page", async () => {
    const upright = await decodeOne(writeTiff([page({ subsampling: [2, 2] })]));
    const grey = Array.from(upright.pixels);
    for (const orientation of [2, 3, 4, 5, 6, 7, 8]) {
      const turned = await decodeOne(writeTiff([page({ subsampling: [2, 2], orientation })]));
      const plain = writeTiff([{ width: WIDTH, height: HEIGHT, bits: 8, values: grey, orientation }]);
      expect(turned).toEqual(await decodeOne(plain));
    }
  });

  test.each([
    ["planes that are subsampled", { planar: true, subsampling: [2, 2] as const }, "a plane for each"],
    ["16 bits", { bits: 16 as const }, "YCbCr colours with 16-bit samples"],
    [
      "units that were predicted",
      { subsampling: [2, 2] as const, compression: 8 as const, predictor: 2 as const },
      "with a predictor",
    ],
    ["units of 2 by 4", { subsampling: [2, 4] as const }, "subsampled 2 x 4"],
  ])("%s are refused by name", async (_, rest, name) => {
    const error = await refusal(writeTiff([page(rest)]));
    expect([error.code, error.message]).toEqual(["unsupported-encoding", expect.stringContaining(name)]);
  });

  test("tiles far larger than the page are counted before they are unpacked", async () => {
    const extra = { 256: 300_000, 257: 33, 322: 8192, 323: 8192 };
    const error = await refusal(writeTiff([page({ tile: 16, compression: 8, subsampling: [2, 2], extra })]));
    expect(error.code).toBe("too-many-pixels");
  });

  test("coefficients that give no colour are refused", async () => {
    const error = await refusal(writeTiff([page({ fractions: { 529: [0.3, 0, 0.1] } })]));
    expect([error.code, error.message]).toEqual(["damaged", expect.stringContaining("YCbCrCoefficients")]);
  });
});

describe("alpha lies over black", () => {
  const [grey, green, blue] = [wave(0, 30, 250), wave(1, 0, 255), wave(2, 20, 240)];
  const alpha = wave(3, 0, 255);
  const colours = grey.map((value, i) => luma(value, green[i] as number, blue[i] as number));
  const over = (values: readonly number[]) => values.map((value, i) => (value * (alpha[i] as number)) / 255);
  const wide = (values: readonly number[]) => values.map((value) => value * 257);
  const multiplied = (values: readonly number[]) => over(values).map(Math.round);

  const raw = (values: number[], channels: 2 | 4) =>
    sharp(Uint8Array.from(values), { raw: { width: WIDTH, height: HEIGHT, channels } });
  const raw16 = (values: number[], channels: 2 | 4) =>
    sharp(Uint16Array.from(values), { raw: { width: WIDTH, height: HEIGHT, channels } }).toColourspace(
      channels === 2 ? "grey16" : "rgb16",
    );
  const tiff = (rest: Partial<TiffPage> & Pick<TiffPage, "values">) =>
    writeTiff([{ width: WIDTH, height: HEIGHT, bits: 8, ...rest }]);

  const eight: [string, () => Buffer | Promise<Buffer>, readonly number[]][] = [
    ["PNG, grey", () => pngRows(4, interleave(grey, alpha), 2), over(grey)],
    [
      "PNG, colours",
      () =>
        raw(interleave(grey, green, blue, alpha), 4)
          .png()
          .toBuffer(),
      over(colours),
    ],
    [
      "WebP",
      () =>
        raw(interleave(grey, green, blue, alpha), 4)
          .webp({ lossless: true, exact: true })
          .toBuffer(),
      over(colours),
    ],
    ["TIFF, grey", () => tiff({ samples: 2, extraSamples: [2], values: interleave(grey, alpha) }), over(grey)],
    [
      "TIFF, grey that has been multiplied",
      () => tiff({ samples: 2, extraSamples: [1], values: interleave(multiplied(grey), alpha) }),
      over(grey),
    ],
    [
      "TIFF, white as zero",
      () => tiff({ samples: 2, photometric: 0, extraSamples: [2], values: interleave(grey, alpha) }),
      over(grey.map((value) => 255 - value)),
    ],
    [
      "TIFF, colours",
      () => tiff({ samples: 4, photometric: 2, extraSamples: [2], values: interleave(grey, green, blue, alpha) }),
      over(colours),
    ],
    [
      "TIFF, colours that have been multiplied",
      () =>
        tiff({
          samples: 4,
          photometric: 2,
          extraSamples: [1],
          values: interleave(multiplied(grey), multiplied(green), multiplied(blue), alpha),
        }),
      over(colours),
    ],
    [
      "TIFF, planes",
      () =>
        tiff({
          samples: 4,
          photometric: 2,
          extraSamples: [2],
          planar: true,
          values: interleave(grey, green, blue, alpha),
        }),
      over(colours),
    ],
    [
      "TIFF, a palette",
      () =>
        tiff({
          samples: 2,
          photometric: 3,
          extraSamples: [2],
          palette: Array.from({ length: 768 }, (_, i) => (i % 256) * 257),
          values: interleave(grey, alpha),
        }),
      over(grey),
    ],
    [
      "BMP with bit fields",
      () =>
        writeBmp({
          width: WIDTH,
          height: HEIGHT,
          bits: 32,
          masks: [0xff0000, 0xff00, 0xff, 0xff000000],
          values: pixels32(),
        }),
      over(colours),
    ],
    [
      "BMP with bit fields of nothing, as Pillow reads them",
      () => writeBmp({ width: WIDTH, height: HEIGHT, bits: 32, masks: [0, 0, 0, 0], values: pixels32() }),
      over(colours),
    ],
  ];
  test.each(eight)("8 bits: %s", async (_, bytes, expected) => {
    const image = await decodeOne(await bytes());
    expect(image.depth).toBe(8);
    expectWithin1(image, expected);
  });

  test.each([
    [
      "PNG, grey",
      () =>
        raw16(wide(interleave(grey, alpha)), 2)
          .png()
          .toBuffer(),
      wide(over(grey)),
    ],
    [
      "PNG, colours",
      () =>
        raw16(wide(interleave(grey, green, blue, alpha)), 4)
          .png()
          .toBuffer(),
      wide(over(colours)),
    ],
    [
      "TIFF, grey that has been multiplied",
      () => tiff({ bits: 16, samples: 2, extraSamples: [1], values: wide(interleave(multiplied(grey), alpha)) }),
      wide(multiplied(grey)),
    ],
    [
      "TIFF, colours",
      () =>
        tiff({
          bits: 16,
          samples: 4,
          photometric: 2,
          extraSamples: [2],
          values: wide(interleave(grey, green, blue, alpha)),
        }),
      wide(over(colours)),
    ],
  ] as [string, () => Buffer | Promise<Buffer>, number[]][])("16 bits: %s", async (_, bytes, expected) => {
    const image = await decodeOne(await bytes());
    expect(image.depth).toBe(16);
    expectWithin1(image, expected);
  });

  test.each([
    ["TIFF", () => tiff({ samples: 2, extraSamples: [0], values: interleave(grey, alpha) }), grey],
    [
      "TIFF of colours",
      () => tiff({ samples: 4, photometric: 2, extraSamples: [0], values: interleave(grey, green, blue, alpha) }),
      colours,
    ],
    [
      "TIFF of planes",
      () => tiff({ samples: 2, extraSamples: [0], planar: true, values: interleave(grey, alpha) }),
      grey,
    ],
    ["BMP without bit fields", () => writeBmp({ width: WIDTH, height: HEIGHT, bits: 32, values: pixels32() }), colours],
  ] as [string, () => Buffer, number[]][])(
    "and a sample that is none counts for nothing: %s",
    async (_, bytes, expected) => {
      expectWithin1(await decodeOne(bytes()), expected);
    },
  );

  test("one bit of 16 is no alpha, as Pillow has it", async () => {
    const values = grey.map((value) => (value >> 3) * 0x421);
    const masks = [0x7c00, 0x3e0, 0x1f, 0x8000] as const;
    const image = await decodeOne(writeBmp({ width: WIDTH, height: HEIGHT, bits: 16, masks, values }));
    expectWithin1(
      image,
      grey.map((value) => ((value >> 3) * 255) / 31),
    );
  });

  test.each([2, 4, 8, 16] as const)("the transparent grey of a PNG with %i bits", async (depth) => {
    const most = 2 ** depth - 1;
    const values = grey.map((value, i) => (i % 3 === 0 ? most : Math.floor((value * most) / 256)));
    const transparent = chunk("tRNS", Buffer.from([most >> 8, most & 255]));
    const image = await decodeOne(pngRows(0, values, 1, depth, transparent));
    const white = depth === 16 ? 65_535 : 255;
    expectWithin1(
      image,
      values.map((value) => (value === most ? 0 : (value * white) / most)),
    );
  });

  test("where white is transparent, a PNG of one bit is black all over", async () => {
    const transparent = chunk("tRNS", Buffer.from([0, 1]));
    const bytes = pngRows(
      0,
      grey.map((value) => value >> 7),
      1,
      1,
      transparent,
    );
    expect((await refusal(bytes)).code).toBe("blank-image");
  });

  test("the transparent entries of a palette, and the transparent colour of a PNG", async () => {
    const entries = Buffer.from(Array.from({ length: 256 }, (_, i) => [i, 255 - i, (i * 7) % 256]).flat());
    const shares = Buffer.from(Array.from({ length: 256 }, (_, i) => (i * 3) % 256));
    const palette = await decodeOne(pngRows(3, grey, 1, 8, chunk("PLTE", entries), chunk("tRNS", shares)));
    expectWithin1(
      palette,
      grey.map((i) => (luma(i, 255 - i, (i * 7) % 256) * ((i * 3) % 256)) / 255),
    );
    const [r, g, b] = [grey[100], green[100], blue[100]] as [number, number, number];
    const key = chunk("tRNS", Buffer.from([0, r, 0, g, 0, b]));
    const keyed = await decodeOne(pngRows(2, interleave(grey, green, blue), 3, 8, key));
    expectWithin1(
      keyed,
      colours.map((value, i) => (grey[i] === r && green[i] === g && blue[i] === b ? 0 : value)),
    );
    expect(keyed.pixels[100]).toBe(0);
  });

  function pixels32(): number[] {
    return grey.map(
      (value, i) =>
        (((alpha[i] as number) << 24) | (value << 16) | ((green[i] as number) << 8) | (blue[i] as number)) >>> 0,
    );
  }

  function pngRows(
    colour: number,
    values: readonly number[],
    channels: number,
    depth = 8,
    ...before: readonly Buffer[]
  ): Buffer {
    const rowBytes = Math.ceil((WIDTH * channels * depth) / 8);
    const rows = Buffer.alloc(HEIGHT * (1 + rowBytes));
    values.forEach((value, i) => {
      const [row, column] = [Math.floor(i / (WIDTH * channels)), i % (WIDTH * channels)];
      const at = row * (1 + rowBytes) + 1 + ((column * depth) >> 3);
      if (depth === 16) rows.writeUInt16BE(value, at);
      else rows[at] = (rows[at] as number) | (value << (8 - depth - ((column * depth) & 7)));
    });
    return pngFile({ width: WIDTH, height: HEIGHT }, depth, colour, rows, ...before);
  }
});

describe("what stands beside the pixels of a TIFF", () => {
  const grey = wave(0, 10, 240);
  const page = (rest: Partial<TiffPage>): TiffPage => ({
    width: WIDTH,
    height: HEIGHT,
    bits: 8,
    values: grey,
    ...rest,
  });

  test.each([
    ["a page number without the number of pages", { extra: { 297: 1 } }],
    ["tags that are not sorted", { unsorted: true }],
    ["a size of strips that goes beyond the file", { extra: { 279: 99_999_999 } }],
    ["no size of strips", { without: [279] }],
    ["no rows a strip", { without: [278] }],
    ["options of another compression", { extra: { 292: 4, 317: 2 } }],
    [
      "one kind of sample for three",
      { samples: 3, photometric: 2 as const, values: interleave(grey, grey, grey), extra: { 339: 1, 258: 8 } },
    ],
    [
      "more samples than are described",
      { samples: 4, photometric: 2 as const, values: interleave(grey, grey, grey, Array(COUNT).fill(255)) },
    ],
  ] satisfies [string, Partial<TiffPage>][])("is no reason to refuse it: %s", async (_, rest) => {
    for (const options of [{}, { bigEndian: true }, { big: true }]) {
      expect(Array.from((await decodeOne(writeTiff([page(rest)], options))).pixels)).toEqual(grey);
    }
  });

  test("text without an end", async () => {
    const bytes = writeTiff([page({ extra: { 34737: 0x41424344 } })]);
    const at = bytes.indexOf(Buffer.from([0xb1, 0x87, 4, 0, 1, 0, 0, 0]));
    bytes.writeUInt16LE(2, at + 2);
    bytes.writeUInt32LE(4, at + 4);
    expect(Array.from((await decodeOne(bytes)).pixels)).toEqual(grey);
  });

  test("does not hide that the pixels are damaged", async () => {
    const jpeg = await sharp(Uint8Array.from(grey), { raw: { width: WIDTH, height: HEIGHT, channels: 1 } })
      .toColourspace("b-w")
      .tiff({ compression: "jpeg", quality: 95 })
      .toBuffer();
    const scan = jpeg.indexOf(Buffer.from([0xff, 0xda]));
    expect((await decodeOne(jpeg)).pixels).toHaveLength(COUNT);
    jpeg.fill(0xff, scan + 40, scan + 120);
    expect(["damaged", "truncated"]).toContain((await refusal(jpeg)).code);
  });

  test.each([
    ["LZMA", { 259: 34_925 }],
    ["Zstandard", { 259: 50_000 }],
    ["old-style JPEG", { 259: 6 }],
    ["an unknown method (compression 999)", { 259: 999 }],
    ["CIE L*a*b*", { 262: 8 }],
    ["a transparency mask", { 262: 4 }],
    ["12-bit unsigned samples", { 258: 12 }],
    ["64-bit floating-point samples", { 258: 64, 339: 3 }],
    ["SampleFormat 5", { 339: 5 }],
    ["tiles of 24 x 24 pixels", { 322: 24, 323: 24, 324: 8, 325: 576 }],
  ])("what is not read is called by its name: %s", async (name, extra) => {
    const error = await refusal(writeTiff([page({ extra })]));
    expect(error.code).toBe("unsupported-encoding");
    expect(error.message).toContain(name);
    expect(error.message).toMatch(/^This TIFF page stores .*\. That is not read: save it as .*\.$/);
  });

  test("16-bit tiles with a plane for each colour", async () => {
    const values = interleave(grey, grey, grey).map((value) => value * 257);
    const error = await refusal(
      writeTiff([page({ bits: 16, samples: 3, photometric: 2, planar: true, tile: 16, values })]),
    );
    expect([error.code, error.message]).toEqual([
      "unsupported-encoding",
      expect.stringContaining("tiles with a plane for each colour"),
    ]);
  });

  test("a page that does not say what its samples mean is damaged, and so is one that lacks its palette", async () => {
    expect(await refusal(writeTiff([page({ without: [262] })]))).toMatchObject({
      code: "damaged",
      message: expect.stringContaining("PhotometricInterpretation"),
    });
    expect(await refusal(writeTiff([page({ photometric: 3 })]))).toMatchObject({
      code: "damaged",
      message: expect.stringContaining("palette"),
    });
  });

  test("strips that overlap are not copied many times", async () => {
    const bytes = writeTiff([page({ rowsPerStrip: 1, compression: 8 })]);
    const offsets = bytes.readUInt32LE(entryOf(bytes, 273) + 8);
    const sizes = bytes.readUInt32LE(entryOf(bytes, 279) + 8);
    for (let i = 0; i < HEIGHT; i++) {
      bytes.writeUInt32LE(8 + i, offsets + 4 * i);
      bytes.writeUInt32LE(bytes.length - 8 - HEIGHT, sizes + 4 * i);
    }
    expect(await refusal(bytes)).toMatchObject({ code: "damaged", message: expect.stringContaining("overlap") });
  });

  test("fractions and whole numbers of all types fill their range", async () => {
    const halves = grey.map((value) => value / 2 - 40);
    const values = interleave(halves, halves, halves);
    const image = await decodeOne(writeTiff([page({ bits: 32, sampleFormat: 3, samples: 3, photometric: 2, values })]));
    const [low, high] = [Math.min(...halves), Math.max(...halves)];
    expectWithin1(
      image,
      halves.map((value) => ((value - low) / (high - low)) * 65_535),
    );
  });

  function entryOf(bytes: Buffer, tag: number): number {
    const directory = bytes.readUInt32LE(4);
    for (let at = directory + 2; ; at += 12) if (bytes.readUInt16LE(at) === tag) return at;
  }
});

describe("a BMP that contradicts itself", () => {
  const palette = Array.from({ length: 256 }, (_, i) => i * 0x010101);
  const [width, height] = [32, 32];
  const lines = (bytes: readonly number[]) => Array.from({ length: height }, () => [...bytes, 0, 0]).flat();
  const runs = (...bytes: number[]) =>
    writeBmp({ width, height, bits: 8, values: [], palette, runs: { compression: 1, bytes } });

  test.each([
    ["begins within its palette", 60],
    ["begins where its palette does", 54],
    ["begins within its header", 30],
  ])("%s", async (_, offset) => {
    const bytes = writeBmp({ width, height, bits: 8, values: wave(0, 0, 255), palette, offset });
    expect(await refusal(bytes)).toMatchObject({
      code: "damaged",
      message: "The BMP file is damaged: its pixels begin within its header or palette. Export or send it again.",
    });
  });

  test.each([
    ["a run beyond the end of a line", runs(...lines([20, 7, 20, 9]), 0, 1)],
    ["a run far beyond it", runs(255, 7, 0, 0, ...lines([32, 9]).slice(4), 0, 1)],
    ["literals beyond it", runs(30, 7, 0, 4, 1, 2, 3, 4, 0, 0, ...lines([32, 9]).slice(4), 0, 1)],
    ["a jump out of a line", runs(0, 2, 200, 0, 1, 7, ...lines([32, 9]).slice(4), 0, 1)],
    ["pixels below the last line", runs(...lines([32, 7]), 5, 9, 0, 1)],
    ["a jump below the last line", runs(10, 7, 0, 2, 0, 99, 5, 9, 0, 1)],
  ])("%s", async (_, bytes) => {
    expect(await refusal(bytes)).toMatchObject({
      code: "damaged",
      message: "The BMP file is damaged: its run lengths lead out of the picture. Export or send it again.",
    });
  });

  test("but lines may be left early, and the end need not be said", async () => {
    const early = await decodeOne(runs(...lines([5, 7]), 0, 1));
    expect([early.pixels[4], early.pixels[5]]).toEqual([7, 0]);
    expect((await decodeOne(runs(...lines([16, 7, 16, 9])))).pixels[31]).toBe(9);
  });

  test("an old header has as many colours as there is room for", async () => {
    const count = 100;
    const bytes = Buffer.alloc(26 + 3 * count + width * height);
    bytes.write("BM", "latin1");
    bytes.writeUInt32LE(26 + 3 * count, 10);
    bytes.writeUInt32LE(12, 14);
    bytes.writeUInt16LE(width, 18);
    bytes.writeUInt16LE(height, 20);
    bytes.writeUInt16LE(1, 22);
    bytes.writeUInt16LE(8, 24);
    for (let i = 0; i < count; i++) bytes.fill(2 * i, 26 + 3 * i, 29 + 3 * i);
    for (let i = 0; i < width * height; i++) bytes[26 + 3 * count + i] = i % count;
    const image = await decodeOne(bytes);
    expect(Math.max(...image.pixels)).toBe(2 * (count - 1));
  });
});

test("a PNG with a compression that does not exist is damaged", async () => {
  const rows = Buffer.alloc(HEIGHT * (1 + WIDTH), 9);
  const bytes = pngFile({ width: WIDTH, height: HEIGHT }, 8, 0, rows);
  const header = Buffer.from(bytes.subarray(16, 29));
  header[10] = 1;
  const changed = Buffer.concat([bytes.subarray(0, 8), chunk("IHDR", header), bytes.subarray(33)]);
  expect((await refusal(changed)).code).toBe("damaged");
});

test.each([
  ["without loss", 0xc3],
  ["with arithmetic coding", 0xc9],
])("a JPEG that is stored %s is refused by name", async (name, marker) => {
  const jpeg = await sharp(Uint8Array.from(wave(0, 0, 255)), { raw: { width: WIDTH, height: HEIGHT, channels: 1 } })
    .jpeg()
    .toBuffer();
  const at = jpeg.indexOf(Buffer.from([0xff, 0xc0]));
  jpeg[at + 1] = marker;
  const error = await refusal(jpeg);
  expect([error.code, error.message]).toEqual(["unsupported-encoding", expect.stringContaining(name)]);
});

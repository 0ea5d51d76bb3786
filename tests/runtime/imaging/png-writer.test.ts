import sharp from "sharp";
import { encodePng, type GreyImage, writePng } from "../../../runtime/imaging";
import { readGreyPng } from "../../../runtime/imaging/png-reader";
import { randomNumbers } from "./pictures";

const [WIDTH, HEIGHT] = [37, 21];

function samplesOf(channels: number, depth: 8 | 16): Uint8Array | Uint16Array {
  const random = randomNumbers(channels * depth);
  const most = 2 ** depth;
  const values = Array.from({ length: WIDTH * HEIGHT * channels }, () => Math.floor(most * random()));
  return depth === 8 ? Uint8Array.from(values) : Uint16Array.from(values);
}

describe("a PNG that is written here", () => {
  test.each([
    [1, 8],
    [1, 16],
    [3, 8],
    [3, 16],
  ] as const)("of %i channels and %i bits is what another implementation reads", async (channels, depth) => {
    const samples = samplesOf(channels, depth);
    const png = await writePng({ width: WIDTH, height: HEIGHT, channels, samples });
    const space = { 1: { 8: "b-w", 16: "grey16" }, 3: { 8: "srgb", 16: "rgb16" } }[channels][depth];
    const { data, info } = await sharp(png)
      .toColourspace(space)
      .raw({ depth: depth === 8 ? "uchar" : "ushort" })
      .toBuffer({ resolveWithObject: true });
    expect([info.width, info.height, info.channels]).toEqual([WIDTH, HEIGHT, channels]);
    const read = depth === 8 ? new Uint8Array(data) : new Uint16Array(new Uint8Array(data).buffer);
    expect(Array.from(read)).toEqual(Array.from(samples));
    expect(await writePng({ width: WIDTH, height: HEIGHT, channels, samples })).toEqual(png);
  });

  test("quick or not, a page is the same when it is read", async () => {
    for (const depth of [8, 16] as const) {
      const image = { width: WIDTH, height: HEIGHT, depth, pixels: samplesOf(1, depth) } as GreyImage;
      expect(readGreyPng(await encodePng(image, { quick: true }))).toEqual(image);
      expect(readGreyPng(await encodePng(image))).toEqual(image);
    }
  });

  test("takes samples that are a part of a larger buffer", async () => {
    const whole = samplesOf(1, 16) as Uint16Array;
    const image = { width: WIDTH, height: 2, depth: 16, pixels: whole.subarray(WIDTH, 3 * WIDTH) } as const;
    expect(readGreyPng(await encodePng(image, { quick: true })).pixels).toEqual(whole.slice(WIDTH, 3 * WIDTH));
  });
});

import { decodeScan, encodePng, type GreyImage, pixelSha256 } from "../../../runtime/imaging";
import { readGreyPng } from "../../../runtime/imaging/png-reader";
import { DamagedPage } from "../../../runtime/serve/kept/stored-page";
import { Pictures } from "../../../runtime/serve/pictures";
import { writeTiff } from "../imaging/tiff-writer";

const [WIDTH, HEIGHT, PAGES] = [40, 33, 5];

const stack = writeTiff(
  Array.from({ length: PAGES }, (_, page) => ({
    width: WIDTH,
    height: HEIGHT,
    bits: 16,
    values: Array.from({ length: WIDTH * HEIGHT }, (_, i) => (i * (page + 3)) % 65_536),
  })),
);
const task = (pages: readonly number[]) => ({ bytes: stack, limits: {}, pages });
const forever = new AbortController().signal;

let pictures: Pictures;
beforeAll(() => {
  // One thread: work that is not ended holds up what comes after it.
  pictures = new Pictures(1);
});
afterAll(() => pictures.close());

async function numbersOf(pages: readonly number[]): Promise<number[]> {
  const numbers: number[] = [];
  for await (const { page } of pictures.pages(task(pages), forever)) numbers.push(page);
  return numbers;
}

test("gives the pages that are wanted, as the file has them", async () => {
  const images = new Map<number, GreyImage>();
  for await (const decoded of decodeScan(stack)) if ("image" in decoded) images.set(decoded.page, decoded.image);
  expect(images.size).toBe(PAGES);
  const given: number[] = [];
  for await (const { page, png, width, height, depth } of pictures.pages(task([2, 4, 5]), forever)) {
    given.push(page);
    expect([width, height, depth]).toEqual([WIDTH, HEIGHT, 16]);
    expect(Array.from(readGreyPng(Buffer.from(png)).pixels)).toEqual(Array.from(images.get(page)?.pixels ?? []));
  }
  expect(given).toEqual([2, 4, 5]);
});

test("who wants no more of them, or has left, leaves the thread to others", async () => {
  for await (const { page } of pictures.pages(task([1, 2, 3]), forever)) {
    expect(page).toBe(1);
    break;
  }
  const left = new AbortController();
  const reason = new Error("gone");
  const read = async () => {
    for await (const _ of pictures.pages(task([1, 2, 3]), left.signal)) left.abort(reason);
  };
  await expect(read()).rejects.toBe(reason);
  expect(await numbersOf([3])).toEqual([3]);
});

test("what cannot be decoded is said, and the thread goes on", async () => {
  const read = async () => {
    for await (const _ of pictures.pages({ bytes: Buffer.from("no picture"), limits: {}, pages: [1] }, forever));
  };
  await expect(read()).rejects.toThrow("not a scan in a format that is read");
  expect(await numbersOf([])).toEqual([]);
});

test("a page that is not the one that was kept is not shown", async () => {
  const image: GreyImage = { width: 64, height: 64, depth: 8, pixels: Uint8Array.from({ length: 4096 }, (_, i) => i) };
  const png = await encodePng(image, { quick: true });
  const sha256 = pixelSha256(image);
  expect(await pictures.stored({ png, sha256 })).toEqual(png);
  await expect(pictures.original({ png, sha256: sha256.replace(/^./, "x") })).rejects.toThrow(DamagedPage);
  await expect(pictures.seen({ png: png.subarray(0, 100), sha256 })).rejects.toThrow(DamagedPage);
});

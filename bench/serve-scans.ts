import { mkdirSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { drawPhantom } from "../runtime/phantom";
import { mixSeed } from "../runtime/platform/random";
import type { ScanFolder } from "./load";
import { curatedImages } from "./spark-workspace";

const SIDE = 256;
/** For each of which a page is drawn or scaled; the others are these under other numbers. */
const PAGES = 96;
/** Written at a time. */
const TOGETHER = 8;
/** Pixels that hold a number, four bits in each: dark as the air that they lie in. */
const NUMBER_PIXELS = 4;

/** Pages of 256 x 256 pixels, 8 bits. */
type Page = (index: number) => Buffer | Promise<Buffer>;

/**
 * Writes scans as PNG, no two of which have the same pixels.
 *
 * @param workspace whose curated images are scaled to 256 x 256; phantoms are drawn without it
 */
export async function writeScans(folder: string, seed: number, count: number, workspace?: string): Promise<ScanFolder> {
  mkdirSync(folder, { recursive: true });
  const make = workspace === undefined ? phantom(seed) : await curated(workspace);
  const pages = await inTurn(Math.min(PAGES, count), make);
  await inTurn(count, (index) => {
    const pixels = Buffer.from(pages[index % pages.length] as Buffer);
    for (let i = 0; i < NUMBER_PIXELS; i++) pixels[i] = (index >> (4 * i)) & 15;
    const raw = { width: SIDE, height: SIDE, channels: 1 } as const;
    return sharp(pixels, { raw })
      .toColourspace("b-w")
      .png()
      .toFile(join(folder, `${index}.png`));
  });
  return { folder, count, from: 0 };
}

/** So many results, a few at a time. */
async function inTurn<T>(count: number, make: (index: number) => T | Promise<T>): Promise<T[]> {
  const made: T[] = [];
  for (let first = 0; first < count; first += TOGETHER) {
    const some = Array.from({ length: Math.min(TOGETHER, count - first) }, (_, i) => make(first + i));
    made.push(...(await Promise.all(some)));
  }
  return made;
}

const phantom =
  (seed: number): Page =>
  (patient) => {
    const slice = ((patient % 7) / 6) * 1.4 - 0.7;
    const drawn = drawPhantom({ seed: mixSeed(seed, 5), patient, slice, size: SIDE, lesion: patient % 2 === 0 });
    return Buffer.from(drawn.pixels);
  };

async function curated(workspace: string): Promise<Page> {
  const images = await curatedImages(workspace);
  if (images.length === 0) throw new Error(`No image is curated in ${workspace}.`);
  return (index) => {
    const file = join(workspace, "curated", (images[index % images.length] as { object: string }).object);
    const scaled = sharp(file).resize(SIDE, SIDE, { fit: "fill" }).normalise();
    return scaled.toColourspace("b-w").raw({ depth: "uchar" }).toBuffer();
  };
}

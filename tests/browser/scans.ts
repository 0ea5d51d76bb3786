import sharp from "sharp";
import { headPixels, headPng } from "../support/head";
import type { Sent } from "./visitor";

export const SPOT = { x: 130, y: 110, radius: 16 };
export const SIZES = { wide: { width: 1280, height: 900 }, phone: { width: 390, height: 844 } };
const HEIGHT = 200;

/** Slices of a head as the pages of a 16-bit TIFF, a spot on one of them. */
async function stack(pages: number, ill: number, width: number): Promise<Buffer> {
  const pixels = new Uint16Array(pages * width * HEIGHT);
  for (let page = 0; page < pages; page++) {
    const drawn = headPixels(width, HEIGHT, page + 1 === ill ? SPOT : undefined, page);
    pixels.set(
      Uint16Array.from(drawn, (grey) => grey * 16),
      page * width * HEIGHT,
    );
  }
  const raw = { width, height: pages * HEIGHT, channels: 1, pageHeight: HEIGHT } as const;
  return sharp(pixels, { raw }).toColourspace("grey16").tiff({ compression: "deflate" }).toBuffer();
}

/**
 * Twelve scans of a folder: eleven slices, of which every third is ill, and a stack of five.
 *
 * @param width of each, 240 or a little more: scans of another width are others
 */
export async function twelve(width = 240): Promise<Sent[]> {
  const slices = Array.from({ length: 11 }, async (_, i) => ({
    name: `slice-${i + 1}.png`,
    content: await headPng(width, HEIGHT, i % 3 === 0 ? { ...SPOT, radius: 14 + i } : undefined, i),
  }));
  return [...(await Promise.all(slices)), { name: "stack.tif", content: await stack(5, 4, width) }];
}

/** How many of {@link twelve} have a spot. */
export const ILL = 5;

/** Where a pixel of a page lies on the canvas that it is fitted into, as shares of the canvas's width and height. */
export function placeOn(
  canvas: { readonly width: number; readonly height: number },
  page: { readonly width: number; readonly height: number },
  x: number,
  y: number,
): [x: number, y: number] {
  const scale = Math.min(canvas.width / page.width, canvas.height / page.height);
  return [
    0.5 + ((x + 0.5 - page.width / 2) * scale) / canvas.width,
    0.5 + ((y + 0.5 - page.height / 2) * scale) / canvas.height,
  ];
}

import sharp from "sharp";
import {
  bytesOfSlice,
  mrElements,
  writeFile as writeDicom,
  writeElements,
} from "../runtime/imaging/dicom/dicom-writer";
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

/** A slice of a head as DICOM, axial. */
async function dicomSlice(series: string, number: number, position: number, ill: boolean, seed: number) {
  const width = 240;
  const drawn = headPixels(width, HEIGHT, ill ? SPOT : undefined, seed);
  const pixels = bytesOfSlice(Uint16Array.from(drawn, (grey) => grey * 16));
  const elements = mrElements(HEIGHT, width, [
    [0x0008_0018, "UI", `${series}.${number}`],
    // What stands before the series, in an item whose length is not said.
    [0x0008_1140, "SQ", [[[0x0020_000e, "UI", "1.2.3.4.5"]]]],
    [0x0010_0010, "PN", "DOE^JANE"],
    [0x0010_0020, "LO", "HOSP-4711"],
    [0x0020_000d, "UI", "1.2.77"],
    [0x0020_000e, "UI", series],
    [0x0020_0013, "IS", String(number)],
    [0x0020_0032, "DS", `-120\\-100\\${position}`],
    [0x0020_0037, "DS", "1\\0\\0\\0\\1\\0"],
  ]);
  return writeDicom(writeElements([...elements, [0x7fe0_0010, "OW", pixels]], { undefinedLengths: true }));
}

/** Files of two series of a study, whose names say nothing of their order: of the first the fourth slice is ill. */
export async function twoSeries(): Promise<Sent[]> {
  const first = ["e", "c", "a", "d", "b"].map(async (name, i) => ({
    name: `${name}-DOE.dcm`,
    content: await dicomSlice("1.2.77.1", 10 - i, -20 + 5 * i, i === 3, 40 + i),
  }));
  const second = ["z", "y"].map(async (name, i) => ({
    name: `${name}-DOE`,
    content: await dicomSlice("1.2.77.2", i + 1, 0, false, 50 + i),
  }));
  return Promise.all([...first, ...second]);
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

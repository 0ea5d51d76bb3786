import sharp from "sharp";
import { type Geometry, type GreyImage, RECIPE, toOriginal, writePng } from "../imaging";
import { INFERNO } from "./colormap";
import type { Explanation } from "./explanation";
import { fading } from "./fade";

/** How much of the original the strongest evidence covers, where nobody asks for another share. */
const STRONGEST_COVER = 0.65;

/** Longest side of a picture that is shown to people, pixels. */
export const SHOWN_SIDE = 1024;

export interface RenderOptions {
  /** Longest side of the picture, pixels; a larger original is shrunk to it. Default: the original's size. */
  readonly maxSide?: number;
  /** Share of the original, 0 to 1, that the strongest evidence covers. Default: {@link STRONGEST_COVER}. Of overlays. */
  readonly opacity?: number;
}

/** The page as an 8-bit grey PNG that a browser can show. 16-bit pages are windowed to their own range. */
export async function renderOriginal(image: GreyImage, options: RenderOptions = {}): Promise<Buffer> {
  const { grey, width, height } = await display(image, options.maxSide);
  return writePng({ width, height, channels: 1, samples: grey });
}

/** The page with the map over it, as a colour PNG: see {@link paintOverlay}. */
export async function renderOverlay(...painted: Parameters<typeof paintOverlay>): Promise<Buffer> {
  return writePng(await paintOverlay(...painted));
}

/**
 * The page with the map over it, red, green and blue of each pixel. Where nothing speaks for Cancer the page is left as it is, and towards
 * the edge of what the model was shown the map fades.
 */
export async function paintOverlay(
  image: GreyImage,
  geometry: Geometry,
  explanation: Explanation,
  options: RenderOptions = {},
): Promise<{ readonly width: number; readonly height: number; readonly channels: 3; readonly samples: Buffer }> {
  const { grey, width, height } = await display(image, options.maxSide);
  const { opacity = STRONGEST_COVER } = options;
  const rgb = Buffer.alloc(width * height * 3);
  const fittedWidth = RECIPE.side - 2 * geometry.padLeft;
  const fittedHeight = RECIPE.side - 2 * geometry.padTop;
  const across = axis(width, image.width, geometry.left, geometry.width, geometry.padLeft, fittedWidth);
  const down = axis(height, image.height, geometry.top, geometry.height, geometry.padTop, fittedHeight);
  const lines = alongRows(explanation.map, across);
  const faded = fading({ ...geometry, page: image });
  for (let y = 0, at = 0; y < height; y++) {
    const v = down[y] as number;
    const top = Math.floor(v);
    const above = top * width;
    const below = Math.min(RECIPE.side - 1, top + 1) * width;
    for (let x = 0; x < width; x++, at++) {
      const level = grey[at] as number;
      const out = 3 * at;
      const upper = v < 0 ? 0 : (lines[above + x] as number);
      const evidence = v < 0 ? 0 : upper + ((lines[below + x] as number) - upper) * (v - top);
      if (evidence === 0) {
        rgb[out] = rgb[out + 1] = rgb[out + 2] = level;
        continue;
      }
      const share = faded(((x + 0.5) * image.width) / width, ((y + 0.5) * image.height) / height);
      const cover = opacity * evidence * share;
      const colour = Math.round(255 * evidence) * 3;
      const rest = level * (1 - cover) + 0.5;
      // A byte takes the whole part.
      rgb[out] = rest + (INFERNO[colour] as number) * cover;
      rgb[out + 1] = rest + (INFERNO[colour + 1] as number) * cover;
      rgb[out + 2] = rest + (INFERNO[colour + 2] as number) * cover;
    }
  }
  return { width, height, channels: 3, samples: rgb };
}

/** The strongest place in whole pixels of the original: 0 <= x < width, 0 <= y < height. */
export function peakInOriginal(
  { peak }: Pick<Explanation, "peak">,
  geometry: Geometry,
  image: { readonly width: number; readonly height: number },
): { x: number; y: number } {
  const { x, y } = toOriginal(geometry, peak.x, peak.y);
  return {
    x: Math.min(image.width - 1, Math.max(0, Math.floor(x))),
    y: Math.min(image.height - 1, Math.max(0, Math.floor(y))),
  };
}

/** The rows of a map in the recipe's square, read at each display column: 0 outside of the foreground. */
function alongRows(map: Float32Array, across: Float64Array): Float64Array {
  const { side } = RECIPE;
  const lines = new Float64Array(side * across.length);
  for (let x = 0; x < across.length; x++) {
    const u = across[x] as number;
    if (u < 0) continue;
    const left = Math.floor(u);
    const right = Math.min(side - 1, left + 1);
    for (let row = 0; row < side; row++) {
      const from = map[row * side + left] as number;
      lines[row * across.length + x] = from + ((map[row * side + right] as number) - from) * (u - left);
    }
  }
  return lines;
}

/** Position in the recipe's square (index, first pixel 0) of each display pixel; -1 outside the foreground box. */
function axis(size: number, original: number, from: number, length: number, pad: number, fitted: number): Float64Array {
  return Float64Array.from({ length: size }, (_, i) => {
    const inBox = ((i + 0.5) * original) / size - from;
    if (inBox < 0 || inBox > length) return -1;
    return Math.min(RECIPE.side - 1, Math.max(0, pad + (inBox / length) * fitted - 0.5));
  });
}

async function display(
  image: GreyImage,
  maxSide = Number.POSITIVE_INFINITY,
): Promise<{ grey: Buffer; width: number; height: number }> {
  const grey = to8Bit(image);
  const longest = Math.max(image.width, image.height);
  if (longest <= maxSide) return { grey, width: image.width, height: image.height };
  const width = Math.max(1, Math.round((image.width * maxSide) / longest));
  const height = Math.max(1, Math.round((image.height * maxSide) / longest));
  const shrunk = await sharp(grey, { raw: { width: image.width, height: image.height, channels: 1 } })
    .resize(width, height, { fit: "fill" })
    .toColourspace("b-w")
    .raw()
    .toBuffer();
  return { grey: shrunk, width, height };
}

function to8Bit(image: GreyImage): Buffer {
  if (image.depth === 8) return Buffer.from(image.pixels.buffer, image.pixels.byteOffset, image.pixels.byteLength);
  const histogram = new Uint32Array(65_536);
  for (const value of image.pixels) (histogram[value] as number)++;
  const at = (share: number) => {
    const rank = share * (image.pixels.length - 1);
    let seen = 0;
    for (let value = 0; value < 65_536; value++) {
      seen += histogram[value] as number;
      if (seen > rank) return value;
    }
    return 65_535;
  };
  const low = at(0.005);
  const range = Math.max(1, at(0.995) - low);
  return Buffer.from(
    Uint8Array.from(image.pixels, (value) => Math.max(0, Math.min(255, Math.round((255 * (value - low)) / range)))),
  );
}

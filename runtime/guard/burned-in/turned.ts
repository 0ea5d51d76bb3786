import type { Box } from "./regions";

/** One byte a pixel. */
export interface Picture {
  readonly bytes: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/** A picture turned by a quarter, clockwise: what stood lies, upright or upside down. */
export function turned({ bytes, width, height }: Picture): Picture {
  const out = new Uint8Array(bytes.length);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) out[x * height + height - 1 - y] = bytes[y * width + x] as number;
  return { bytes: out, width: height, height: width };
}

/** Where in a picture a box of the {@link turned} one is. */
export function turnedBack({ left, top, width, height }: Box, { height: high }: Pick<Picture, "height">): Box {
  return { left: top, top: high - left - width, width: height, height: width };
}

export function overlap(a: Box, b: Box): boolean {
  return a.left < b.left + b.width && b.left < a.left + a.width && a.top < b.top + b.height && b.top < a.top + a.height;
}

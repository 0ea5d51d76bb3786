import sharp from "sharp";

/**
 * A grey elliptic head in a thin white skull on black, raw pixels; with `spot`, a white disc at that place.
 *
 * @param variant moves the grey levels a little, so that two scans are not equal
 */
export function headPixels(
  width: number,
  height: number,
  spot?: { readonly x: number; readonly y: number; readonly radius: number },
  variant = 0,
): Buffer {
  const pixels = Buffer.alloc(width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const u = (x + 0.5 - width / 2) / (0.42 * width);
      const v = (y + 0.5 - height / 2) / (0.45 * height);
      const radius = Math.hypot(u, v);
      if (radius > 1) continue;
      pixels[y * width + x] = radius > 0.95 ? 250 : 80 + ((x * 7 + y * 13 + variant * 5) % 24);
      if (spot && (x - spot.x) ** 2 + (y - spot.y) ** 2 <= spot.radius ** 2) pixels[y * width + x] = 250;
    }
  }
  return pixels;
}

export function headPng(...parameters: Parameters<typeof headPixels>): Promise<Buffer> {
  const [width, height] = parameters;
  return sharp(headPixels(...parameters), { raw: { width, height, channels: 1 } })
    .png()
    .toBuffer();
}

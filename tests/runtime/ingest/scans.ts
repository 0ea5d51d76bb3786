import sharp from "sharp";

/** A drawn grey picture: a bright disc, elsewhere for every seed. Encoded by sharp. */
export async function drawScan(seed: number, format: "png" | "jpeg" | "webp" = "png", side = 64): Promise<Buffer> {
  return sharp(drawPixels(seed, side), { raw: { width: side, height: side, channels: 1 } })
    .toColourspace("b-w")
    [format]()
    .toBuffer();
}

/** Side x side grey values. */
export function drawPixels(seed: number, side = 64): Uint8Array {
  const pixels = new Uint8Array(side * side);
  const [cx, cy] = [side / 4 + ((seed * 7) % (side / 2)), side / 4 + ((seed * 13) % (side / 2))];
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      pixels[y * side + x] = Math.hypot(x - cx, y - cy) < side / 5 ? 200 : (x * 3 + y * 5 + seed * 11) % 90;
    }
  }
  return pixels;
}

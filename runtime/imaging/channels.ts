import { RECIPE } from "./recipe";

const { channels: CHANNELS } = RECIPE;
const PIXELS = RECIPE.side * RECIPE.side;

/** One of the recipe's equal channels, 128 x 128, of 128 x 128 x 3 values (HWC). */
export function oneChannel(pixels: Uint8Array): Uint8Array<ArrayBuffer> {
  const grey = new Uint8Array(PIXELS);
  for (let i = 0; i < PIXELS; i++) grey[i] = pixels[i * CHANNELS] as number;
  return grey;
}

/** Side by side three times: grey, 128 x 128, to the recipe's HWC form, in `pixels`. */
export function replicate(grey: Uint8Array, pixels = new Uint8Array(PIXELS * CHANNELS)): Uint8Array {
  for (let i = 0, o = 0; i < PIXELS; i++, o += CHANNELS) {
    const value = grey[i] as number;
    pixels[o] = value;
    pixels[o + 1] = value;
    pixels[o + 2] = value;
  }
  return pixels;
}

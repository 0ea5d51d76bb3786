import type { Page } from "./png";

/** Which grey values are shown as black to white: `level` in the middle of `width`. */
export interface Window {
  readonly level: number;
  readonly width: number;
}

/** Percentiles of the page that the automatic window reaches from and to, as the server's pictures have it. */
const LOW = 0.005;
const HIGH = 0.995;

export function automaticWindow({ pixels, depth }: Page): Window {
  const counts = new Uint32Array(2 ** depth);
  for (const value of pixels) (counts[value] as number)++;
  const at = (share: number) => {
    const rank = share * (pixels.length - 1);
    let seen = 0;
    for (let value = 0; value < counts.length; value++) {
      seen += counts[value] as number;
      if (seen > rank) return value;
    }
    return counts.length - 1;
  };
  const low = at(LOW);
  const width = Math.max(1, at(HIGH) - low);
  return { level: Math.round(low + width / 2), width };
}

/** The lowest and the highest value of a page. */
export function rangeOf({ pixels }: Page): { readonly lowest: number; readonly highest: number } {
  let [lowest, highest] = [Number.POSITIVE_INFINITY, 0];
  for (const value of pixels) {
    lowest = Math.min(lowest, value);
    highest = Math.max(highest, value);
  }
  return { lowest, highest };
}

/** All values that the page has. */
export function fullWindow(page: Page): Window {
  const { lowest, highest } = rangeOf(page);
  return { level: Math.round((lowest + highest) / 2), width: Math.max(1, highest - lowest) };
}

/** A page through a window, for a canvas. */
export function windowed({ width, height, depth, pixels }: Page, window: Window): ImageData {
  const low = window.level - window.width / 2;
  const levels = Uint8Array.from({ length: 2 ** depth }, (_, value) =>
    Math.round(255 * Math.min(1, Math.max(0, (value - low) / window.width))),
  );
  const image = new ImageData(width, height);
  const words = new Uint32Array(image.data.buffer);
  // Red, green and blue alike, opaque; the order of bytes does not matter to grey but for the last.
  for (let i = 0; i < pixels.length; i++) {
    const level = levels[pixels[i] as number] as number;
    words[i] = (0xff << 24) | (level << 16) | (level << 8) | level;
  }
  return image;
}

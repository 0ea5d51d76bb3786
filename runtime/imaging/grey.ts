import type { GreyImage } from "./types";

/**
 * Samples of a page, row by row, the channels of a pixel side by side: 1 grey or 3 colours, and alpha behind them where
 * there is one.
 */
export interface Samples {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  /** How many of them are colour, the first ones. */
  readonly colours: 1 | 3;
  /** Which channel is alpha, and whether the colours have been multiplied with it. Channels that are neither are skipped. */
  readonly alpha?: { readonly channel: number; readonly premultiplied: boolean } | undefined;
  readonly values: Uint8Array | Uint16Array;
}

/**
 * The one rule by which a page becomes grey. One channel of the samples' depth, 8 or 16 bits:
 *
 * 1. Alpha is laid over black, whatever the format: a colour counts by the share to which it covers.
 * 2. Colour becomes luma: ITU-R BT.601, 0.299 R + 0.587 G + 0.114 B, in integers, so that equal channels are taken as
 *    they are. This is what Pillow calls `convert("L")`; the two differ by 1 at most.
 * 3. Before that, samples of other types have been made unsigned ones of 8 or 16 bits by {@link toUnsigned}; 16 bits
 *    are kept as they are.
 *
 * `npm run verify:pixels` compares it with Pillow over any folder of pictures.
 */
export function toGrey({ width, height, channels, colours, alpha, values }: Samples): GreyImage {
  const length = width * height;
  const plain = channels === 1 && !alpha;
  const grey = plain ? values.subarray(0, length) : mix(values, channels, colours, alpha, length);
  return grey instanceof Uint8Array
    ? { width, height, depth: 8, pixels: grey }
    : { width, height, depth: 16, pixels: grey };
}

function mix(
  values: Uint8Array | Uint16Array,
  channels: number,
  colours: 1 | 3,
  alpha: Samples["alpha"],
  length: number,
): Uint8Array | Uint16Array {
  const eight = values instanceof Uint8Array;
  const out = eight ? new Uint8Array(length) : new Uint16Array(length);
  const white = eight ? 255 : 65_535;
  const half = (white - 1) / 2;
  const cover = alpha?.channel ?? 0;
  // Colours that have been multiplied lie over black already; more than their alpha they cannot be.
  const covered = alpha && !alpha.premultiplied;
  for (let i = 0, at = 0; i < length; i++, at += channels) {
    const most = alpha?.premultiplied ? (values[at + cover] as number) : white;
    let value = Math.min(most, values[at] as number);
    if (colours === 3) {
      const green = Math.min(most, values[at + 1] as number);
      const blue = Math.min(most, values[at + 2] as number);
      value = Math.floor((299 * value + 587 * green + 114 * blue + 500) / 1000);
    }
    if (covered) value = Math.floor((value * (values[at + cover] as number) + half) / white);
    out[i] = value;
  }
  return out;
}

/**
 * Samples of other types as unsigned ones. What fits is kept exactly: negative values are lifted so that the lowest
 * becomes 0. What does not fit 16 bits (wide 32-bit ranges, fractions) is scaled from its own minimum and maximum to 0
 * and 65,535. Values that are no number become the minimum.
 */
export function toUnsigned(values: Int8Array | Int16Array | Int32Array | Uint32Array | Float32Array | Float64Array) {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  let whole = true;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (!Number.isFinite(value)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
    if (whole && !Number.isInteger(value)) whole = false;
  }
  if (!(low <= high)) low = high = 0;
  const eight = values instanceof Int8Array;
  const out = eight ? new Uint8Array(values.length) : new Uint16Array(values.length);
  const lift = Math.min(0, low);
  const exact = whole && high - lift <= 65_535;
  const scale = high > low ? 65_535 / (high - low) : 0;
  for (let i = 0; i < values.length; i++) {
    const given = values[i] as number;
    const value = Number.isFinite(given) ? given : low;
    out[i] = exact ? value - lift : Math.floor((value - low) * scale + 0.5);
  }
  return out;
}

/** True if every pixel has the same value. */
export function isBlank({ pixels }: GreyImage): boolean {
  const first = pixels[0];
  for (let i = 1; i < pixels.length; i++) if (pixels[i] !== first) return false;
  return true;
}

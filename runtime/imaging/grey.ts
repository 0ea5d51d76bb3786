import type { GreyImage } from "./types";

/** Interleaved samples, row by row. Channels: 1 grey, 2 grey and alpha, 3 red, green, blue, 4 the same and alpha. */
export interface Samples {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 2 | 3 | 4;
  readonly values: Uint8Array | Uint16Array;
}

/**
 * One channel of the same depth. Colour becomes luma (ITU-R BT.601: 0.299 R + 0.587 G + 0.114 B, in integers, so equal
 * channels are taken as they are); alpha is laid over black.
 */
export function toGrey({ width, height, channels, values }: Samples): GreyImage {
  const length = width * height;
  const grey = channels === 1 ? values.subarray(0, length) : mix(values, channels, length);
  return grey instanceof Uint8Array
    ? { width, height, depth: 8, pixels: grey }
    : { width, height, depth: 16, pixels: grey };
}

function mix(values: Uint8Array | Uint16Array, channels: 2 | 3 | 4, length: number): Uint8Array | Uint16Array {
  const eight = values instanceof Uint8Array;
  const out = eight ? new Uint8Array(length) : new Uint16Array(length);
  const white = eight ? 255 : 65_535;
  const half = (white - 1) / 2;
  const coloured = channels > 2;
  const alpha = channels % 2 === 0;
  for (let i = 0, at = 0; i < length; i++, at += channels) {
    let value = values[at] as number;
    if (coloured) {
      const luma = 299 * value + 587 * (values[at + 1] as number) + 114 * (values[at + 2] as number);
      value = Math.floor((luma + 500) / 1000);
    }
    if (alpha) value = Math.floor((value * (values[at + channels - 1] as number) + half) / white);
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

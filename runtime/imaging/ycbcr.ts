/** How luma and chroma stand for colours: TIFF 6.0, section 21. */
export interface Chroma {
  /** Shares of red, green and blue in luma. */
  readonly coefficients: readonly number[];
  /** Values of no and of full luma, blue chroma and red chroma. */
  readonly reference: readonly number[];
}

/** What holds where a file says nothing: ITU-R BT.601 and the full range. */
export const DEFAULT_CHROMA: Chroma = {
  coefficients: [0.299, 0.587, 0.114],
  reference: [0, 255, 128, 255, 128, 255],
};

/** Whether colours can be had from it. */
export function isUsable({ coefficients, reference }: Chroma): boolean {
  return [...coefficients, ...reference].every(Number.isFinite) && coefficients[1] !== 0;
}

const SHIFT = 16;
const HALF = 1 << (SHIFT - 1);
const LEVELS = 256;

/**
 * Turns the first three of every `channels` samples from luma, blue chroma and red chroma into red, green and blue.
 * In the integers of libtiff, so that a picture has the same colours whether it or this reads them.
 */
export function toRgb(values: Uint8Array, channels: number, { coefficients, reference }: Chroma): void {
  const [red, green, blue] = coefficients as [number, number, number];
  const [lumaNone, lumaFull, blueNone, blueFull, redNone, redFull] = reference as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const factor = (value: number) => Math.trunc(Math.min(2, Math.max(0, value)) * (1 << SHIFT) + 0.5);
  const redOfRed = factor(2 - 2 * red);
  const greenOfRed = -factor((red * (2 - 2 * red)) / green);
  const blueOfBlue = factor(2 - 2 * blue);
  const greenOfBlue = -factor((blue * (2 - 2 * blue)) / green);
  const luma = levels(0, lumaNone, lumaFull, 255);
  const chromaBlue = levels(-128, blueNone - 128, blueFull - 128, 127);
  const chromaRed = levels(-128, redNone - 128, redFull - 128, 127);
  // Values are clamped to bytes where they are written.
  const out = new Uint8ClampedArray(values.buffer, values.byteOffset, values.length);
  for (let i = 0; i + 2 < values.length; i += channels) {
    const y = luma[values[i] as number] as number;
    const cb = chromaBlue[values[i + 1] as number] as number;
    const cr = chromaRed[values[i + 2] as number] as number;
    out[i] = y + ((redOfRed * cr + HALF) >> SHIFT);
    out[i + 1] = y + ((greenOfBlue * cb + HALF + greenOfRed * cr) >> SHIFT);
    out[i + 2] = y + ((blueOfBlue * cb + HALF) >> SHIFT);
  }
}

/** For each byte its share of the way from `none` to `full`, as 0 to `range`. */
function levels(first: number, none: number, full: number, range: number): Int32Array {
  const width = full - none || 1;
  return Int32Array.from({ length: LEVELS }, (_, i) => {
    const level = ((first + i - Math.trunc(none)) * range) / width;
    return Math.min(4096, Math.max(-4096, level));
  });
}

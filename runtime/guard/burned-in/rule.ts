import type { Region } from "./regions";

/**
 * What counts as text, of what the network takes for it: lines, at the scale at which the network is shown a picture. Chosen on one
 * half of 1,548 public JPEG slices, with text of 7 to 24 pixels drawn into some of them; measured on others by `npm run verify:text`.
 */
const LINE = {
  /** Pixels. */
  least: 40,
  /** Pixels across. */
  thickest: 40,
  /** Length by thickness, whether it lies or stands. Skulls and vessels give short strokes; a letter alone names nobody. */
  longest: 3,
  /** Share of the box around it that a region fills: a line does, a curve does not. */
  filled: 0.5,
} as const;

/** Long enough to name somebody. */
export function isLine({ width, height, pixels }: Region): boolean {
  const [thickness, length] = [Math.min(width, height), Math.max(width, height)];
  return (
    pixels >= LINE.least &&
    thickness <= LINE.thickest &&
    length >= LINE.longest * thickness &&
    pixels >= LINE.filled * width * height
  );
}

export const isLyingLine = (region: Region): boolean => isLine(region) && region.width >= region.height;
export const isStandingLine = (region: Region): boolean => isLine(region) && region.width < region.height;

/** A single word or letter, or a part of a line. Alone it is none: much of a head looks so. */
const PIECE = { least: 20, thickest: 40, filled: 0.4 } as const;

export const isPiece = ({ width, height, pixels }: Region): boolean =>
  pixels >= PIECE.least && Math.min(width, height) <= PIECE.thickest && pixels >= PIECE.filled * width * height;

import type { Region } from "./regions";

/**
 * What counts as text, of what the network takes for it: lines, at the scale at which the network is shown a picture. Chosen on one
 * half of 1,548 public JPEG slices, with text of 7 to 24 pixels drawn into some of them; measured on others by `npm run verify:text`.
 */
const RULE = {
  /** Pixels. */
  least: 40,
  /** Pixels. */
  highest: 40,
  /** Width by height. Skulls and vessels give short strokes; a letter alone names nobody. */
  longest: 3,
  /** Share of the box around it that a region fills: a line does, a curve does not. */
  filled: 0.5,
} as const;

export const isText = ({ width, height, pixels }: Region): boolean =>
  pixels >= RULE.least &&
  height <= RULE.highest &&
  width >= RULE.longest * height &&
  pixels >= RULE.filled * width * height;

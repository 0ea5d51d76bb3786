import type { Region } from "./regions";

/**
 * What counts as text, of what the network takes for it. Chosen on one half of 1,548 public JPEG slices, with text of 7 to 24 pixels
 * drawn into some of them; measured on others by `npm run verify:text`.
 */
const RULE = {
  /** Pixels. */
  least: 25,
  /** Of a line, pixels. */
  highest: 40,
  /** Width by height: skulls give short strokes of every direction. */
  widest: 1.2,
  /** Of the strongest pixel. */
  strongest: 0.5,
} as const;

export function isText({ width, height, pixels, strongest }: Region): boolean {
  return pixels >= RULE.least && height <= RULE.highest && width >= RULE.widest * height && strongest > RULE.strongest;
}

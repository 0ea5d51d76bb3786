import { GLYPH, glyphOf } from "./glyphs";

/** Red, green and blue of each pixel, row by row, 8 bits. */
export interface ColourPicture {
  readonly width: number;
  readonly height: number;
  readonly rgb: Buffer;
}

/** Narrower pictures get a margin at the right: half a word a line tells nobody anything. */
const NARROWEST = 256;
const MARGIN = 4;

/** The picture with lines of text on black below it; what is wider than it goes on in the next line. Capital letters. */
export function captioned({ width, height, rgb }: ColourPicture, lines: readonly string[]): ColourPicture {
  const wide = Math.max(width, NARROWEST);
  const scale = Math.max(1, Math.round(wide / 400));
  const [across, down] = [scale * (GLYPH.width + 1), scale * (GLYPH.height + 3)];
  const wrapped = lines.flatMap((line) => wrap(line.toUpperCase(), Math.floor((wide - 2 * MARGIN) / across)));
  const high = height + wrapped.length * down + 2 * MARGIN;
  const out = Buffer.alloc(3 * wide * high);
  for (let y = 0; y < height; y++) rgb.copy(out, 3 * y * wide, 3 * y * width, 3 * (y + 1) * width);
  for (const [row, line] of wrapped.entries())
    for (const [column, character] of [...line].entries())
      draw(character, MARGIN + column * across, height + MARGIN + row * down);
  return { width: wide, height: high, rgb: out };

  function draw(character: string, left: number, top: number): void {
    for (const [x, bits] of glyphOf(character).entries())
      for (let y = 0; y < GLYPH.height; y++) {
        if (((bits >> y) & 1) === 0) continue;
        for (let line = 0; line < scale; line++) {
          const at = 3 * ((top + y * scale + line) * wide + left + x * scale);
          out.fill(255, at, at + 3 * scale);
        }
      }
  }
}

/** Words that fit a line stay whole. */
function wrap(line: string, most: number): readonly string[] {
  const lines: string[] = [];
  let current = "";
  for (const word of line.split(" ")) {
    const longer = current === "" ? word : `${current} ${word}`;
    if (longer.length <= most) {
      current = longer;
      continue;
    }
    if (current !== "") lines.push(current);
    const pieces = word.match(new RegExp(`.{1,${most}}`, "g")) ?? [];
    current = pieces.pop() ?? "";
    lines.push(...pieces);
  }
  return [...lines, current];
}

/** Letters of five by seven dots, a string a row: what a test writes into pixels must not depend on a machine's fonts. */
const LETTERS: Readonly<Record<string, readonly string[]>> = {
  A: [".###.", "#...#", "#...#", "#####", "#...#", "#...#", "#...#"],
  D: ["####.", "#...#", "#...#", "#...#", "#...#", "#...#", "####."],
  E: ["#####", "#....", "#....", "####.", "#....", "#....", "#####"],
  J: ["..###", "...#.", "...#.", "...#.", "...#.", "#..#.", ".##.."],
  N: ["#...#", "##..#", "#.#.#", "#..##", "#...#", "#...#", "#...#"],
  O: [".###.", "#...#", "#...#", "#...#", "#...#", "#...#", ".###."],
  "0": [".###.", "#...#", "#..##", "#.#.#", "##..#", "#...#", ".###."],
  "1": ["..#..", ".##..", "..#..", "..#..", "..#..", "..#..", ".###."],
  "5": ["#####", "#....", "####.", "....#", "....#", "#...#", ".###."],
  "9": [".###.", "#...#", "#...#", ".####", "....#", "...#.", ".##.."],
  " ": [".....", ".....", ".....", ".....", ".....", ".....", "....."],
};

/**
 * Writes text into a picture.
 *
 * @param dot side of a dot, pixels: letters are seven times as high
 */
export function writeText(
  pixels: Uint16Array,
  width: number,
  text: string,
  {
    left,
    top,
    dot,
    value,
  }: { readonly left: number; readonly top: number; readonly dot: number; readonly value: number },
): void {
  for (const [at, letter] of [...text].entries()) {
    const rows = LETTERS[letter];
    if (!rows) throw new Error(`There is no letter ${letter}.`);
    for (const [y, row] of rows.entries())
      for (const [x, mark] of [...row].entries()) {
        if (mark !== "#") continue;
        for (let j = 0; j < dot; j++)
          for (let i = 0; i < dot; i++) pixels[(top + y * dot + j) * width + left + (at * 6 + x) * dot + i] = value;
      }
  }
}

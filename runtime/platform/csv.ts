import { stringify } from "csv-stringify/sync";

/**
 * CSV for people and for programs. A text that a spreadsheet would take for a formula is written so that it is none
 * (https://owasp.org/www-community/attacks/CSV_Injection): it begins with `=`, `+`, `-`, `@`, a tab, a line's end, or
 * one of the wide forms of these. Numbers are no text: -0.5 stays -0.5.
 */
const FORMULA = /^[=+\-@\t\r\n\uFF1D\uFF0B\uFF0D\uFF20]/;
/** Apostrophes before it count along, so that taking one away always gives the text as it was. */
const TEXT = new RegExp(`^'*${FORMULA.source.slice(1)}`);

/** @param rows a text gets an apostrophe before it where it would be run; for names of files see {@link pathCell} */
export function toCsv(rows: readonly (readonly (string | number)[])[]): string {
  return stringify(rows.map((row) => row.map((cell) => (typeof cell === "string" ? textCell(cell) : cell))));
}

function textCell(text: string): string {
  return TEXT.test(text) ? `'${text}` : text;
}

/** A relative path that no spreadsheet runs and that still leads to the file: `./=1.png` for `=1.png`. */
export function pathCell(path: string): string {
  return FORMULA.test(path) ? `./${path}` : path;
}

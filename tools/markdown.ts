/**
 * A table in Markdown. Columns are padded; a last one of sentences is not, or one long cell would widen every line.
 */
export function markdownTable(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = rows.map((row) => row.map((cell) => cell.replaceAll("|", "\\|")));
  const widths = titles.map((title, index) => Math.max(title.length, ...cells.map((row) => row[index]?.length ?? 0)));
  const last = titles.length - 1;
  if ((widths[last] ?? 0) > LONGEST_PADDED) widths[last] = titles[last]?.length ?? 0;
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join(" | ")} |`;
  return [line(titles), line(widths.map((width) => "-".repeat(width))), ...cells.map(line)].join("\n");
}

const LONGEST_PADDED = 100;

/** The lines of a document between which a command writes. */
export interface Marks {
  readonly start: string;
  readonly end: string;
}

/** @param command such as `npm run docs:iam` */
export const marks = (name: string, command: string): Marks => ({
  start: `<!-- ${name}: written by ${command} -->`,
  end: `<!-- /${name} -->`,
});

/**
 * Puts text between its marks in a document.
 * @throws if the marks are not there.
 */
export function writtenBetween(document: string, { start, end }: Marks, text: string): string {
  const from = document.indexOf(start);
  const to = document.indexOf(end);
  if (from < 0 || to < from) throw new Error(`The document has no lines "${start}" and "${end}".`);
  return `${document.slice(0, from + start.length)}\n\n${text}\n\n${document.slice(to)}`;
}

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

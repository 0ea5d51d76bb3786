export interface Column {
  readonly title: string;
  /** Characters after which a cell goes on in its next line; a word is never cut. */
  readonly width: number;
  /** @default left */
  readonly align?: "left" | "right";
}

/** A table for a terminal. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const cells = rows.map((row) => columns.map(({ width }, index) => wrap(row[index] ?? "", width)));
  const widths = columns.map(({ title }, index) =>
    Math.max(title.length, ...cells.flatMap((row) => (row[index] ?? []).map((line) => line.length))),
  );
  const print = (line: readonly string[]) =>
    line
      .map((cell, index) =>
        columns[index]?.align === "right" ? cell.padStart(widths[index] ?? 0) : cell.padEnd(widths[index] ?? 0),
      )
      .join("  ")
      .trimEnd();
  const lines = cells.flatMap((row) => {
    const height = Math.max(...row.map((cell) => cell.length));
    return Array.from({ length: height }, (_, line) => print(row.map((cell) => cell[line] ?? "")));
  });
  return [print(columns.map(({ title }) => title)), print(widths.map((width) => "-".repeat(width))), ...lines].join(
    "\n",
  );
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

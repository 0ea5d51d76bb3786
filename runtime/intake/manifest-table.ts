import { parse } from "csv-parse/sync";
import { ConfigurationError } from "../platform/config";
import { MANIFEST_TABLE, misspelt, type TableKind } from "./manifest-columns";

export interface Problem {
  readonly line: number;
  readonly text: string;
}

export interface ManifestTable {
  readonly header: readonly string[];
  /** `line` is where the row ends. */
  readonly rows: readonly { readonly line: number; readonly row: Readonly<Record<string, string>> }[];
  readonly problems: readonly Problem[];
  /** Whether it is what is kept below landing: UTF-8, with commas. */
  readonly plain: boolean;
}

/** A string has its limits, and so has a person's patience: two million rows fit. */
const MOST_BYTES = 256 * 2 ** 20;

/**
 * Takes a table apart: commas, semicolons or tabs (what the header shows), cells in quotation marks, either line
 * ending, UTF-8, UTF-16 or Windows-1252, with or without byte order mark: what Excel saves in one country or another.
 * @throws {ConfigurationError} where it is no table
 */
export function readTable(content: Buffer | string, kind: TableKind = MANIFEST_TABLE): ManifestTable {
  const decoded = typeof content === "string" ? { text: content, utf8: true } : decodeText(content, kind);
  const text = decoded.text.replace(/^\uFEFF/, "");
  // Excel writes and reads a line that names the delimiter.
  const told = /^sep=(.)\r?\n/i.exec(text)?.[1];
  const from = told === undefined ? 1 : 2;
  const delimiter = told ?? delimiterOf(text, kind);
  const [first, ...rest] = records(text, kind, { delimiter, from_line: from });
  const header = (first?.record ?? []).map((column) => column.trim());
  const problems: Problem[] = [];
  const rows = [];
  for (const { record, info } of rest) {
    if (record.every((cell) => cell.trim() === "")) continue;
    // Spreadsheets leave empty cells at the end.
    if (record.slice(header.length).some((cell) => cell.trim() !== "")) {
      problems.push({
        line: info.lines,
        text: `there are ${record.length} cells under ${header.length} columns.`,
      });
    }
    rows.push({
      line: info.lines,
      row: Object.fromEntries(header.map((column, i) => [column, record[i] ?? ""])),
    });
  }
  return { header, rows, problems, plain: decoded.utf8 && delimiter === "," && told === undefined };
}

function records(text: string, kind: TableKind, options: { delimiter: string; from_line?: number; to?: number }) {
  try {
    return parse(text, {
      info: true,
      record_delimiter: ["\r\n", "\n", "\r"],
      relax_column_count: true,
      skip_empty_lines: true,
      ...options,
    }) as unknown as { record: string[]; info: { lines: number } }[];
  } catch (error) {
    throw new ConfigurationError(kind.name, [(error as Error).message.slice(0, 300).replace(/\.?$/, ".")]);
  }
}

/** The one under which the header has most of the columns that are known, or nearly; in doubt the comma. */
function delimiterOf(text: string, kind: TableKind): string {
  const counts = [",", ";", "\t"].map((delimiter) => {
    const columns = headerUnder(text, delimiter, kind);
    const known = columns.filter(
      (column) => kind.columns.includes(column) || misspelt(column, columns, kind) !== undefined,
    );
    return { delimiter, known: known.length, columns: columns.length };
  });
  counts.sort((a, b) => b.known - a.known || b.columns - a.columns);
  return counts[0]?.delimiter ?? ",";
}

function headerUnder(text: string, delimiter: string, kind: TableKind): string[] {
  try {
    return (records(text, kind, { delimiter, to: 1 })[0]?.record ?? []).map((column) => column.trim());
  } catch (error) {
    if (error instanceof ConfigurationError) return [];
    throw error;
  }
}

/** @throws {ConfigurationError} where the bytes are no text */
function decodeText(content: Buffer, kind: TableKind): { readonly text: string; readonly utf8: boolean } {
  const refuse = (why: string): never => {
    throw new ConfigurationError(kind.name, [`${why} Save the table as "CSV UTF-8".`]);
  };
  if (content.length > MOST_BYTES) refuse(`it has ${Math.ceil(content.length / 2 ** 20)} MiB; at most 256 are read.`);
  if (content.subarray(0, 4).equals(Buffer.from("PK\u0003\u0004"))) refuse("it is an Excel workbook, not a CSV file.");
  const encoding = encodingOf(content);
  const text = new TextDecoder(encoding).decode(content);
  if (text.includes("\0")) refuse("it has NUL characters, which no text has.");
  return { text, utf8: encoding === "utf-8" };
}

function encodingOf(content: Buffer): "utf-8" | "utf-16le" | "utf-16be" | "windows-1252" {
  const [first = 0, second = 0] = content;
  if ((first === 0xff && second === 0xfe) || (first !== 0 && second === 0 && content.length > 1)) return "utf-16le";
  if ((first === 0xfe && second === 0xff) || (first === 0 && second !== 0)) return "utf-16be";
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(content);
    return "utf-8";
  } catch {
    return "windows-1252";
  }
}

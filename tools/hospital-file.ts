import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import { ConfigurationError } from "../runtime/platform/config";
import type { HospitalLine } from "../stacks/config";
import { chooseLines, isProgram } from "../stacks/lines";

/** Longest line that the formatter of this repository leaves alone. */
const WIDTH = 120;

/** A hospital's line as one writes it into stacks/hospitals.ts. */
export function lineText(line: HospitalLine, indent = "  "): string {
  const pairs = Object.entries(line).map(([key, value]) => `${key}: ${JSON.stringify(value)}`);
  const short = `${indent}{ ${pairs.join(", ")} },`;
  if (short.length <= WIDTH) return short;
  return [`${indent}{`, ...pairs.map((pair) => `${indent}  ${pair},`), `${indent}},`].join("\n");
}

/**
 * The file with a line more at the end of its list; everything else in it stays as it is, comments too. What comes out is
 * read back: a text that would not give exactly the lines of before and this one is not taken.
 * @param file .json, or a program that exports `hospitals`
 * @param write whether the file is replaced; otherwise this only finds out whether it could be
 * @throws {ConfigurationError} if the file is written in a way that this does not understand: it is left alone then
 */
export function addLine(file: string, line: HospitalLine, { write }: { readonly write: boolean }): void {
  const before = chooseLines({ hospitals: file }).hospitals;
  const text = readFileSync(file, "utf8");
  const after = isProgram(file) ? intoProgram(text, line) : intoJson(text, before, line);
  const partial = file.replace(/(\.\w+)$/, ".partial$1");
  try {
    if (after !== undefined) {
      writeFileSync(partial, after);
      if (isDeepStrictEqual(plain(readBack(partial)), plain([...before, line]))) {
        if (write) renameSync(partial, file);
        return;
      }
    }
  } finally {
    rmSync(partial, { force: true });
  }
  throw new ConfigurationError("The list of hospitals", [
    `The file ${file} does not export its hospitals as one list that ends with "]", so this cannot add to it. Add the line by hand: ${lineText(line, "")}`,
  ]);
}

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

function readBack(file: string): unknown {
  try {
    return chooseLines({ hospitals: file }).hospitals;
  } catch {
    return [];
  }
}

function intoJson(text: string, before: unknown, line: HospitalLine): string | undefined {
  if (!Array.isArray(before)) return undefined;
  const indent = /^\[\s*\n([ \t]+)/.exec(text)?.[1] ?? "  ";
  return `${JSON.stringify([...before, line], null, indent)}\n`;
}

function intoProgram(text: string, line: HospitalLine): string | undefined {
  const start = /\bexport\s+const\s+hospitals\b[^=;]*=\s*\[/.exec(text);
  if (!start) return undefined;
  const list = listFrom(text, start.index + start[0].length);
  if (!list) return undefined;
  const { end, last } = list;
  // After the last hospital, and whatever is said of it; before the bracket.
  const comma = text[last] === "," || text[last] === "[" ? "" : ",";
  const head = `${text.slice(0, last + 1)}${comma}${text.slice(last + 1, end)}`.replace(/[ \t]*$/, "");
  return `${head}${head.endsWith("\n") ? "" : "\n"}${lineText(line)}\n${text.slice(end)}`;
}

/** Where a list ends, and where the last sign of code stands in it; strings and comments are passed over. */
function listFrom(text: string, from: number): { readonly end: number; readonly last: number } | undefined {
  let depth = 1;
  let last = from - 1;
  const token = /\/\/[^\n]*|\/\*[\s\S]*?\*\/|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`(?:\\.|[^`\\])*`|\S/g;
  token.lastIndex = from;
  for (let found = token.exec(text); found; found = token.exec(text)) {
    const [part] = found;
    if (part.startsWith("//") || part.startsWith("/*")) continue;
    if (/^[[{(]$/.test(part)) depth++;
    if (/^[\]})]$/.test(part)) depth--;
    if (depth === 0) return { end: found.index, last };
    last = token.lastIndex - 1;
  }
  return undefined;
}

import type { ComponentChildren } from "preact";
import { Table } from "./table";

/**
 * The Markdown of a model card as elements: headings, paragraphs, bullets, tables, bold, code. Text never becomes
 * markup: what is not known here is shown as it is written.
 */
export function Markdown({ text }: { text: string }) {
  return <div class="markdown">{text.split(/\n{2,}/).map((block, i) => blockOf(block.trim(), i))}</div>;
}

function blockOf(block: string, key: number): ComponentChildren {
  if (block === "") return null;
  const heading = /^(#{1,4}) (.*)$/.exec(block);
  if (heading)
    return (heading[1]?.length ?? 1) < 3 ? (
      <h3 key={key}>{inline(heading[2] ?? "")}</h3>
    ) : (
      <h4 key={key}>{inline(heading[2] ?? "")}</h4>
    );
  const lines = block.split("\n");
  if (lines.every((line) => line.startsWith("- ")))
    return (
      <ul key={key}>
        {lines.map((line) => (
          <li key={line}>{inline(line.slice(2))}</li>
        ))}
      </ul>
    );
  if (lines.length > 1 && lines.every((line) => line.startsWith("|"))) return <CardTable key={key} lines={lines} />;
  return <p key={key}>{inline(block)}</p>;
}

function CardTable({ lines }: { lines: readonly string[] }) {
  const cells = (line: string) =>
    line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim());
  const [head = "", , ...rows] = lines;
  return (
    <Table caption="Table of the model card" heads={cells(head).map((cell) => ({ title: inline(cell) }))}>
      {rows.map((row) => (
        <tr key={row}>
          {cells(row).map((cell, i) =>
            i === 0 ? (
              <th key={cell} scope="row">
                {inline(cell)}
              </th>
            ) : (
              <td key={`${i} ${cell}`}>{inline(cell)}</td>
            ),
          )}
        </tr>
      ))}
    </Table>
  );
}

function inline(text: string): ComponentChildren {
  return text.split(/(\*\*.+?\*\*|`[^`]+`)/).map((part, i) => {
    if (part.startsWith("**") && part.length > 4) return <strong key={i}>{plain(part.slice(2, -2))}</strong>;
    if (part.startsWith("`") && part.length > 2) return <code key={i}>{part.slice(1, -1)}</code>;
    return plain(part);
  });
}

/** What the card's writer escaped, as it was before. */
const plain = (text: string) =>
  text
    .replace(/\\([!-/:-@[-`{-~])/g, "$1")
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&amp;", "&");

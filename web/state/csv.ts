import type { Scan } from "./answers";
import { knownNames } from "./session";

const HEAD = [
  "file",
  "decision",
  "probability",
  "threshold",
  "page",
  "pages",
  "model",
  "recipe",
  "verdict",
  "prediction",
  "request",
  "refused",
];

/** The table of answers as CSV, RFC 4180. */
export function answersCsv(scans: readonly Scan[]): string {
  const rows = scans.map(({ name, progress }) => {
    if (progress.state === "refused") return [name, "Refused", "", "", "", "", "", "", "", "", "", progress.reason];
    if (progress.state !== "answered") return [name, "Not answered yet"];
    const { decision, probability, threshold, page, pages, model, recipe, verdict, id, request } = progress.prediction;
    return [
      name,
      decision,
      probability,
      threshold,
      page,
      pages,
      model,
      recipe,
      verdict.fit ? "fit for research" : "not fit for use",
      id,
      request,
    ];
  });
  return [HEAD, ...rows].map((row) => `${HEAD.map((_, i) => cell(row[i] ?? "")).join(",")}\r\n`).join("");
}

/**
 * A cell that no spreadsheet takes for a formula: text that begins like one gets an apostrophe before it
 * (https://owasp.org/www-community/attacks/CSV_Injection). Numbers are written as they are.
 */
export function cell(value: string | number): string {
  if (typeof value === "number") return String(value);
  const safe = /^[\s]*[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export function download(name: string, content: string): void {
  const url = URL.createObjectURL(new Blob([content], { type: "text/csv;charset=utf-8" }));
  const anchor = document.createElement("a");
  anchor.href = url;
  anchor.download = name;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

export const nameOf = (id: string): string | undefined => knownNames.get().get(id);

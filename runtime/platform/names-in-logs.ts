import { createHash } from "node:crypto";
import { format } from "node:util";

/**
 * People call files after patients. What they named stays out of the logs of the cloud, which are kept elsewhere, longer
 * and for others to read than the scans: a line has a reference in its place, by which who may read the table `images`
 * finds the file again (docs/security.md).
 */

/** Fields of a log line that hold such names, and what tells one of them from an earlier one. */
const NAMES = ["source", "object", "mask", "path", "file"] as const;
/** Folders that are part of a name and say nothing of a person. */
const KNOWN_FOLDERS = /^(?:Cancer|Non-Cancer|Unlabelled|masks)$/;
/** Stands where a name stood. */
export const REMOVED = "[name]";

/** An error whose message holds names; logs get this sentence in its place. */
export interface WithMessageForLogs {
  readonly forLogs: string;
}

/** Stands for one generation of an object: SHA-256, hexadecimal, of the generation, a blank and the name. */
export function referenceOf(name: string, generation: number): string {
  return createHash("sha256").update(`${generation} ${name}`).digest("hex");
}

/**
 * What pino is given, without names: their fields are left out, and they and their parts are taken out of every text
 * beside them. `source` and `generation` give the field `scan`, see {@link referenceOf}.
 *
 * @param given fields and an error perhaps, then a text and its arguments: the arguments of a log call
 */
export function withoutNames(given: readonly unknown[]): [Record<string, unknown>, string] {
  const [first, ...rest] = given;
  const isText = typeof first !== "object" || first === null;
  const fields = isText ? {} : first instanceof Error ? { err: first } : (first as Record<string, unknown>);
  const told = isText ? given : rest;
  const forget = namesIn(fields);
  const { err } = fields;
  // pino and its users repeat an error's message where they have no text of their own.
  const repeats = told.length === 0 || (err instanceof Error && told[0] === err.message);
  const text = repeats ? (err === undefined ? "" : messageForLogs(err)) : format(...told);
  const kept: Record<string, unknown> = {};
  const { source, object, generation } = fields;
  const name = source ?? object;
  if (typeof name === "string" && typeof generation === "number")
    kept.scan = referenceOf(name.replace(/#page=\d+$/, ""), generation);
  for (const [key, value] of Object.entries(fields))
    if (!(NAMES as readonly string[]).includes(key) && key !== "generation") kept[key] = cleaned(value, forget);
  return [kept, forget(text)];
}

/** An error's message, or what may be said in its place. */
export function messageForLogs(error: unknown): string {
  if (!(error instanceof Error)) return "Something that is no error was thrown.";
  const { forLogs, code, syscall, path, errors, response, config } = error as Error & Record<string, unknown>;
  if (typeof forLogs === "string") return forLogs;
  // V8 quotes what it cannot parse, Google's clients the object that they asked for, Node the path.
  if (error instanceof SyntaxError) return "What was read could not be parsed.";
  if (errors !== undefined || response !== undefined || config !== undefined)
    return `A request to Google Cloud failed (${[code, ...reasonsIn(errors)].join(", ")}).`;
  if (typeof path === "string") return `A file could not be used (${[code, syscall].join(", ")}).`;
  return (
    error.message
      .replace(/\bhttps?:\/\/([^\s/]+)\/\S*/g, "https://$1/...")
      // These may hold blanks: where they end is not known.
      .replace(/\b(gs:\/\/[^\s/]+|file:\/\/)\/.*/gs, "$1/...")
  );
}

function reasonsIn(errors: unknown): unknown[] {
  return Array.isArray(errors) ? errors.map((error) => (error as { readonly reason?: unknown } | null)?.reason) : [];
}

/** Type, message, code and where it was thrown, through all causes. */
function errorForLogs(error: Error, forget: (text: string) => string): Record<string, unknown> {
  const { code, cause, stack = "" } = error as NodeJS.ErrnoException;
  const frames = stack.split("\n").filter((line) => /^\s+at /.test(line));
  return {
    type: error.name,
    message: forget(messageForLogs(error)),
    ...(code === undefined ? {} : { code }),
    stack: forget(frames.join("\n")),
    ...(cause instanceof Error ? { cause: errorForLogs(cause, forget) } : {}),
  };
}

function cleaned(value: unknown, forget: (text: string) => string): unknown {
  if (typeof value === "string") return forget(value);
  if (value instanceof Error) return errorForLogs(value, forget);
  if (Array.isArray(value)) return value.map((part) => cleaned(part, forget));
  // What is no plain object (a request, a reply) has a serializer of its own.
  if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, cleaned(part, forget)]));
}

/** Takes the names of a line's fields, and what they are made of, out of a text. */
function namesIn(fields: Readonly<Record<string, unknown>>): (text: string) => string {
  const parts = new Set<string>();
  for (const field of NAMES) {
    const name = fields[field];
    if (typeof name !== "string") continue;
    const segments = name.split("/").filter((segment) => !KNOWN_FOLDERS.test(segment));
    // Of one or two plain letters every text has some.
    for (const part of [
      name,
      ...segments,
      ...segments.map((segment) => segment.replace(/(?:\.\w+)?(?:#page=\d+)?$/, "")),
    ])
      if (!/^[ -~]{0,2}$/.test(part))
        parts.add(part).add(encodeURIComponent(part)).add(JSON.stringify(part).slice(1, -1));
  }
  const longestFirst = [...parts].sort((a, b) => b.length - a.length);
  return (text) => longestFirst.reduce((left, part) => left.replaceAll(part, REMOVED), text);
}

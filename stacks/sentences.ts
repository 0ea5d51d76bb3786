import { z } from "zod";

/** An issue of the schema as a sentence: which hospital, which key, what was given, what is allowed. */
export function sentences(schema: z.ZodObject, who: string, line: unknown, issue: z.core.$ZodIssue): string[] {
  if (issue.code === "unrecognized_keys") {
    const allowed = keysAt(schema, issue.path);
    const where = issue.path.length === 0 ? "" : ` in "${issue.path.join(".")}"`;
    return issue.keys.map((key) => {
      const meant = closest(key, allowed);
      return `${who}: "${key}"${where} is not a known key${meant ? `; did you mean "${meant}"?` : ";"} allowed: ${allowed.join(", ")}.`;
    });
  }
  if (issue.path.length === 0)
    return [`${who} is ${show(line)}; allowed: an object with ${requiredKeys(schema).join(", ")}.`];
  const given = issue.path.reduce<unknown>((value, key) => asRecord(value)[String(key)], line);
  const key = issue.path.join(".");
  const allowed = describe(schema, issue.path) ?? issue.message;
  return [`${who}: "${key}" is ${given === undefined ? "missing" : show(given)}; allowed: ${allowed}.`];
}

function requiredKeys({ shape }: z.ZodObject): string[] {
  return Object.keys(shape).filter((key) => !(shape[key] as z.ZodType).safeParse(undefined).success);
}

/** Follows a path into a schema, through defaults, options and lists. */
function schemaAt(schema: z.ZodType, path: readonly PropertyKey[]): z.ZodType | undefined {
  let here: z.ZodType | undefined = schema;
  for (const key of path) {
    here = unwrapped(here);
    if (here instanceof z.ZodObject) here = (here.shape as Record<string, z.ZodType>)[String(key)];
    else if (here instanceof z.ZodArray) here = here.element as z.ZodType;
    else return undefined;
  }
  return here;
}

function unwrapped(schema: z.ZodType | undefined): z.ZodType | undefined {
  let here = schema;
  while (here instanceof z.ZodDefault || here instanceof z.ZodOptional) here = here.unwrap() as z.ZodType;
  return here;
}

function keysAt(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  const found = unwrapped(schemaAt(schema, path));
  return found instanceof z.ZodObject ? Object.keys(found.shape) : [];
}

/** The description of what a path leads to; a default or an option may stand around it. */
function describe(schema: z.ZodType, path: readonly PropertyKey[]): string | undefined {
  const found = schemaAt(schema, path);
  return found?.description ?? unwrapped(found)?.description;
}

export const nameOf = (line: unknown, index: number): string => {
  const { name } = asRecord(line);
  return typeof name === "string" && name !== "" ? `Hospital "${name}" (line ${index + 1})` : `Line ${index + 1}`;
};

/** An object, or an empty one in place of anything else. */
export const asRecord = (value: unknown): Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};

export const show = (value: unknown): string =>
  value === undefined ? "missing" : (JSON.stringify(value) ?? String(value));

/** The allowed word within two edits of a mistyped one. */
export function closest(word: string, allowed: readonly string[]): string | undefined {
  const best = nearestWord(word, allowed);
  return best !== undefined && edits(word, best) <= 2 ? best : undefined;
}

/** The allowed word that is the fewest edits away. */
export function nearestWord(word: string, allowed: readonly string[]): string | undefined {
  return [...allowed].sort((a, b) => edits(word, a) - edits(word, b))[0];
}

const edits = (a: string, b: string) => distance(a.toLowerCase(), b.toLowerCase());

/** Levenshtein distance. */
function distance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const replaced = (previous[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1);
      current[column] = Math.min(replaced, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1);
    }
    previous = current;
  }
  return previous[b.length] ?? 0;
}

export type Json = Readonly<Record<string, unknown>>;

/** One resource of a synthesized stack. */
export interface ResourceDocument {
  readonly type: string;
  /** `google_storage_bucket.landing` */
  readonly address: string;
  readonly config: Json;
  /** Rule's id -> why its finding on this resource is accepted. */
  readonly acknowledged: Readonly<Record<string, string>>;
}

/** A synthesized stack, for rules to look at: nothing of cdktf, only the JSON that Terraform reads. */
export interface StackDocument {
  readonly name: string;
  readonly json: Json;
  readonly resources: readonly ResourceDocument[];
  /** Rule's id -> why its findings in this stack are accepted. */
  readonly acknowledged: Readonly<Record<string, string>>;
}

/** @param json the content of a `cdk.tf.json` */
export function stackDocument(name: string, json: Json): StackDocument {
  // Terraform takes a list of blocks wherever it takes one.
  const resources = blocks(json, "resource").flatMap((types) =>
    Object.keys(types).flatMap((type) =>
      blocks(types, type).flatMap((instances) =>
        Object.keys(instances).flatMap((logicalId) =>
          blocks(instances, logicalId).map((config) => ({
            type,
            address: `${type}.${logicalId}`,
            config,
            acknowledged: acknowledgements(config),
          })),
        ),
      ),
    ),
  );
  return { name, json, resources, acknowledged: acknowledgements(json) };
}

function acknowledgements(json: Json): Readonly<Record<string, string>> {
  const found = Object.entries(record(record(json["//"]).acknowledged));
  return Object.fromEntries(found.filter((entry): entry is [string, string] => typeof entry[1] === "string"));
}

/** A word is no reason: whoever reads it later cannot tell whether it still holds. */
export const isReason = (text: string): boolean => text.trim().length >= 10;

/** An object, or an empty one in place of anything else. */
export const record = (value: unknown): Json =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : {};

/** Blocks of one name. In JSON a single block may stand alone or in a list. */
export function blocks(config: Json, name: string): readonly Json[] {
  const value = config[name];
  if (Array.isArray(value)) return value.map(record);
  return typeof value === "object" && value !== null ? [value as Json] : [];
}

/** The first block at a path such as `template.scaling`; empty if there is none. */
export function block(config: Json, path: string): Json {
  return path.split(".").reduce<Json>((inner, name) => blocks(inner, name)[0] ?? {}, config);
}

/** A list of strings; a single string counts as one. */
export function strings(value: unknown): readonly string[] {
  if (typeof value === "string") return [value];
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === "string") : [];
}

/** Whether an argument names something: a text or an expression, not nothing. */
export const isGiven = (value: unknown): value is string => typeof value === "string" && value !== "";

/**
 * The first text in a configuration that is meant, and where it stands: `labels.a[0] is x`; cdktf's own notes left out.
 * Paths are put together only for what is found, and nearly nothing is.
 */
export function findText(value: unknown, isMeant: (text: string) => boolean): string | undefined {
  if (typeof value === "string") return isMeant(value) ? ` is ${value}` : undefined;
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) {
      const found = findText(item, isMeant);
      if (found !== undefined) return `[${index}]${dotted(found)}`;
    }
    return undefined;
  }
  const json = record(value);
  for (const key of Object.keys(json)) {
    const found = key === "//" ? undefined : findText(json[key], isMeant);
    if (found !== undefined) return `${key}${dotted(found)}`;
  }
  return undefined;
}

const dotted = (rest: string): string => (/^[ [.]/.test(rest) ? rest : `.${rest}`);

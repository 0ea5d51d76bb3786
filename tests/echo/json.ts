export type Json = Record<string, unknown>;

export const isRecord = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A nested message; an empty one where there is none. */
export const recordOf = (value: unknown): Json => (isRecord(value) ? value : {});

const isDefault = (value: unknown) =>
  value === undefined ||
  value === null ||
  value === false ||
  value === 0 ||
  value === "" ||
  value === "0" ||
  (Array.isArray(value) && value.length === 0);

/**
 * What proto3 writes as JSON: a field that holds its type's default is left out. A message that was set stays, if only as
 * `{}`; so do values of a map and of a list. https://protobuf.dev/programming-guides/json/
 *
 * @param optional names of fields with presence (`optional`, or a wrapper), whose default is written once it was set
 * @param maps names of fields that are maps, whose values are kept as they are
 */
export function withoutDefaults(message: Json, optional: ReadonlySet<string>, maps: ReadonlySet<string>): Json {
  const written: Json = {};
  for (const [name, value] of Object.entries(message)) {
    if (value === undefined || value === null) continue;
    if (isDefault(value) && !optional.has(name)) continue;
    if (maps.has(name)) {
      if (Object.keys(recordOf(value)).length > 0) written[name] = value;
    } else if (Array.isArray(value)) {
      written[name] = value.map((item) => (isRecord(item) ? withoutDefaults(item, optional, maps) : item));
    } else {
      written[name] = isRecord(value) ? withoutDefaults(value, optional, maps) : value;
    }
  }
  return written;
}

/** JSON merge patch, RFC 7396: null takes a field away. */
export function merged(target: Json, patch: Json): Json {
  const result: Json = { ...target };
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else result[name] = isRecord(value) ? merged(recordOf(result[name]), value) : value;
  }
  return result;
}

/**
 * Takes from a message the fields that a mask names, as `updateMask=labels,versionTemplate.algorithm` asks for; a field
 * that the message does not have is taken away.
 */
export function masked(target: Json, patch: Json, mask: readonly string[]): Json {
  const result = structuredClone(target);
  for (const path of mask) {
    const names = path.split(".").map(camelCase);
    let from: unknown = patch;
    let to: Json = result;
    for (const name of names.slice(0, -1)) {
      from = recordOf(from)[name];
      if (!isRecord(to[name])) to[name] = {};
      to = to[name] as Json;
    }
    const last = names[names.length - 1] ?? "";
    const value = recordOf(from)[last];
    if (value === undefined || value === null) delete to[last];
    else to[last] = value;
  }
  return result;
}

const camelCase = (name: string) => name.replace(/_([a-z])/g, (_all, letter: string) => letter.toUpperCase());

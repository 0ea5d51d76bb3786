import { Tokenization } from "./cdktf";

/** What a token is written as in a string or a key: `${TfToken[...]}`, `#{...}` in lists, `&{...}` in maps. */
const TOKEN = "TfToken[";
const LIST_TOKEN = "#{TfToken[";
/** A number that stands for a token, by itself or inside of a string. */
const TOKEN_NUMBER = -1e280;
const NUMBER_IN_TEXT = /e\+2\d\d/i;

/**
 * Runs `work` with a resolver that looks for tokens only where there are some. cdktf resolves a whole stack twice, at a
 * microsecond and several objects for each word in it, and few words hold a token: this is two thirds of a synth.
 */
export function withQuickResolve<T>(work: () => T): T {
  const resolve = Tokenization.resolve;
  // One name is written at dozens of places. What a text stands for is kept only where it is a text again: lists and
  // objects are merged into, each at its own place.
  const texts = new Map<string, string>();
  Tokenization.resolve = (value, options) =>
    settle(value, (inner) => {
      const known = typeof inner === "string" ? texts.get(inner) : undefined;
      if (known !== undefined) return known;
      const resolved: unknown = resolve.call(Tokenization, inner, options);
      if (typeof inner === "string" && typeof resolved === "string") texts.set(inner, resolved);
      return resolved;
    });
  try {
    return work();
  } finally {
    Tokenization.resolve = resolve;
  }
}

/** The same as cdktf makes of a value: without what is undefined, and with tokens resolved. */
function settle(value: unknown, resolve: (value: unknown) => unknown): unknown {
  if (hasToken(value)) return resolve(value);
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    // A list that stands for a token is known by its elements, and what was added to one is cdktf's to refuse.
    if (value.some((item) => typeof item === "string" && item.includes(LIST_TOKEN))) return resolve(value);
    return value.map((item) => settle(item, resolve)).filter((item) => item !== undefined);
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  const isPlain = prototype === Object.prototype || prototype === null;
  const keys = Object.keys(value);
  if (!isPlain || "resolve" in value || keys.some(hasToken)) return resolve(value);
  const settled: Record<string, unknown> = {};
  for (const key of keys) {
    const item = settle((value as Record<string, unknown>)[key], resolve);
    if (item !== undefined) settled[key] = item;
  }
  return settled;
}

function hasToken(value: unknown): boolean {
  if (typeof value === "string") return value.includes(TOKEN) || NUMBER_IN_TEXT.test(value);
  if (typeof value === "number") return value < TOKEN_NUMBER;
  return typeof value === "function";
}

import type { z } from "zod";

export const TIERS = ["prod", "test", "ephemeral"] as const;
export type Tier = (typeof TIERS)[number];

/** Keys that a person writes: what is allowed, and what each decides. */
export interface DocumentedKeys<S extends z.ZodObject = z.ZodObject> {
  /** A description says what is allowed; errors quote it. */
  readonly schema: S;
  /** What each key decides, in sentences. */
  readonly purpose: { readonly [Key in keyof S["shape"]]: string };
  /** Of keys that hold an object or a list of them: what stands in one. */
  readonly within?: { readonly [Key in keyof S["shape"]]?: DocumentedKeys };
}

/** Keeps the literal types while checking the shape. */
export const documentedKeys = <S extends z.ZodObject>(keys: DocumentedKeys<S>): DocumentedKeys<S> => keys;

/**
 * One construct's part of a hospital's line, with what a line gets that says nothing. `stacks/config.ts` puts the parts
 * together, `docs/configuration.md` is written from them.
 */
export interface LinePart<S extends z.ZodObject = z.ZodObject, K extends keyof z.output<S> = never>
  extends DocumentedKeys<S> {
  /** For each tier, of the same keys. */
  readonly defaults: Readonly<Record<Tier, { readonly [Key in K]-?: NonNullable<z.output<S>[Key]> }>>;
}

/** Keeps the literal types of a part while checking its shape. */
export function linePart<S extends z.ZodObject, K extends keyof z.output<S>>(part: LinePart<S, K>): LinePart<S, K> {
  return part;
}

/** The same for a hospital of every tier. */
export const inEveryTier = <D>(defaults: D): Readonly<Record<Tier, D>> => ({
  prod: defaults,
  test: defaults,
  ephemeral: defaults,
});

/** A part with the tier's defaults filled in; an optional key without one may still be undefined. */
export type Filled<P> =
  P extends LinePart<infer S, infer K>
    ? Readonly<Omit<z.output<S>, K>> & { readonly [Key in K]-?: NonNullable<z.output<S>[Key]> }
    : never;

/** @param given a validated part, or a line with other keys beside those of the part */
export function fill<S extends z.ZodObject, K extends keyof z.output<S>>(
  { schema, defaults }: LinePart<S, K>,
  tier: Tier,
  given: Readonly<Partial<z.output<S>>>,
): Filled<LinePart<S, K>> {
  const values: Readonly<Record<string, unknown>> = given;
  const otherwise: Readonly<Record<string, unknown>> = defaults[tier];
  return Object.fromEntries(
    Object.keys(schema.shape).map((key) => [key, values[key] ?? otherwise[key]]),
  ) as unknown as Filled<LinePart<S, K>>;
}

/** What is allowed where the part is a key of its own: an object with these keys. */
export function objectWith({ schema }: LinePart): string {
  const keys = Object.keys(schema.shape);
  return `an object with ${[keys.slice(0, -1).join(", "), ...keys.slice(-1)].filter((text) => text !== "").join(" and ")}`;
}

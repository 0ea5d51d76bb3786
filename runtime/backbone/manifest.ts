import { z } from "zod";

/** Beside the network: what has to be known to use it. */
export const MANIFEST_FILE = "backbone.json";

const text = z.string().min(1).max(200);
const each = z.array(z.number()).refine((values) => values.length === 1 || values.length === 3, {
  message: "one number, or three: one a channel",
});

const manifestSchema = z.strictObject({
  /** Together with the beginning of `sha256` the name under which rows are stored. */
  name: z.string().regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, "small letters, digits, dots and dashes, at most 64"),
  /** The network's file, beside this one. */
  network: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/, "a file name without a folder"),
  sha256: z.string().regex(/^[0-9a-f]{64}$/, "64 hex digits"),
  licence: text,
  /** Where it comes from. */
  source: text.optional(),
  input: z.strictObject({
    name: text,
    layout: z.enum(["NCHW", "NHWC"]),
    /** Height and width. */
    size: z.int().min(16).max(1024),
    /** The order of the channels; `grey` is one channel. */
    channels: z.enum(["RGB", "BGR", "grey"]),
    /** (pixel / scale - mean) / std, with pixels of 0 to 255. */
    scale: z.number().positive(),
    mean: each,
    std: each.refine((values) => values.every((value) => value > 0), { message: "greater than 0" }),
  }),
  features: z.strictObject({
    /** An output of the network or a tensor inside: [pictures, n], or a map, of which the mean over its places is taken. */
    tensor: text,
    length: z.int().min(1).max(8192),
  }),
});

/** `backbone.json`. */
export type BackboneManifest = z.infer<typeof manifestSchema>;

/** The manifest, or everything that is wrong with it, a sentence each. */
export function parseManifest(content: Buffer): BackboneManifest | readonly string[] {
  let value: unknown;
  try {
    value = JSON.parse(content.toString("utf8"));
  } catch (error) {
    return [`${MANIFEST_FILE} is no JSON (${(error as Error).message}).`];
  }
  const { success, data, error } = manifestSchema.safeParse(value);
  if (success) return data;
  return error.issues.map(
    ({ path, message }) => `${[MANIFEST_FILE, ...path.map(String)].join(": ")}: ${message.replace(/\.$/, "")}.`,
  );
}

/** `<name>-<first 12 hex digits of its SHA-256>`: what rows of `features_deep` call the network. */
export const backboneId = ({ name, sha256 }: BackboneManifest): string => `${name}-${sha256.slice(0, 12)}`;

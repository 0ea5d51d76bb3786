import { z } from "zod";
import { LABEL_VALUE } from "../constructs/core/labels";

/**
 * The values that a line may have. A description says what is allowed; errors quote it.
 */

export const KMS_KEY =
  /^projects\/[a-z][a-z0-9-]+\/locations\/([a-z0-9-]+)\/keyRings\/[\w-]{1,63}\/cryptoKeys\/[\w-]{1,63}$/;
export const KMS_KEY_VERSION =
  /^projects\/[a-z][a-z0-9-]+\/locations\/([a-z0-9-]+)\/keyRings\/[\w-]{1,63}\/cryptoKeys\/[\w-]{1,63}\/cryptoKeyVersions\/[1-9]\d*$/;

export const isDate = (text: string) => {
  const time = Date.parse(`${text}T00:00:00Z`);
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(text);
};

export const isPrivateRange = (text: string) => {
  const range = parseRange(text);
  return range !== undefined && range.bits >= 16 && range.bits <= 24 && PRIVATE_ADDRESS.test(text);
};

/** Google's own range needs no line, and whatever is wider than /16 is no list of destinations any more. */
export const isNarrowRange = (text: string) => {
  const range = parseRange(text);
  return range !== undefined && range.bits >= 16;
};

/** A range that requests come from; the whole internet needs no list. */
export const isSourceRange = (text: string) => {
  const range = parseRange(text);
  return range !== undefined && range.bits >= 8;
};

const PRIVATE_ADDRESS = /^(?:10\.|172\.(?:1[6-9]|2\d|3[01])\.|192\.168\.)/;

/** An IPv4 range whose address is its first; undefined for anything else. */
function parseRange(text: string): { readonly first: number; readonly bits: number } | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(text);
  if (!match) return undefined;
  const [a = 0, b = 0, c = 0, d = 0, bits = 0] = match.slice(1).map(Number);
  if ([a, b, c, d].some((part) => part > 255) || bits > 32) return undefined;
  const first = ((a * 256 + b) * 256 + c) * 256 + d;
  return first % 2 ** (32 - bits) === 0 ? { first, bits } : undefined;
}

export const STATE_BUCKET = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$/)
  .describe("the name of an existing bucket for Terraform's state, without gs://");
export const BILLING_ACCOUNT = z
  .string()
  .regex(/^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$/)
  .describe("a billing account's id such as 01AB23-456789-CDEF01");
export const AMOUNT = z
  .int()
  .min(1)
  .max(10_000_000)
  .describe("a whole number from 1 to 10000000, a month in the billing account's currency");
export const EMAILS = z
  .array(z.email().describe("an e-mail address"))
  .max(16)
  .refine((list) => new Set(list).size === list.length)
  .describe("a list of at most 16 e-mail addresses, each once");
export const MEMBERS = z
  .array(
    z
      .string()
      .regex(/^(?:user|group|serviceAccount):[^\s@]+@[^\s@]+$/)
      .describe("group:NAME, user:NAME or serviceAccount:NAME, each with an e-mail address"),
  )
  .refine((list) => new Set(list).size === list.length)
  .describe("a list of IAM members such as group:analysts@example.org, each once");

export const DOMAIN = z
  .string()
  .max(64)
  .regex(/^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$/)
  .describe("a host name of at most 64 characters such as mri.example.org, without https://");
export const VIEWERS = z
  .array(
    z
      .union([
        z.templateLiteral(["user:", z.email()]),
        z.templateLiteral(["group:", z.email()]),
        z.templateLiteral(["domain:", z.hostname()]),
      ])
      .describe("group:ADDRESS, user:ADDRESS or domain:NAME"),
  )
  .min(1)
  .refine((list) => new Set(list).size === list.length)
  .describe("a list of group:ADDRESS, user:ADDRESS or domain:NAME, each once");

export const PROJECT = z
  .string()
  .regex(/^[a-z][a-z0-9-]{4,28}[a-z0-9]$/)
  .describe(
    "the id of a Google Cloud project: 6 to 30 lower-case letters, digits and hyphens, a letter first and no hyphen last",
  );
export const PROJECT_NUMBER = z
  .union([z.string(), z.int().transform(String)])
  .pipe(z.string().regex(/^[1-9]\d{5,18}$/))
  .describe("the project's number, digits only: gcloud projects describe PROJECT --format='value(projectNumber)'");
export const REGION = z
  .string()
  .regex(/^(?:africa|asia|australia|europe|me|northamerica|southamerica|us)-[a-z]+\d+$/)
  .describe("one region of Google Cloud such as europe-west4, not a zone and not a multi-region");
export const OWNER = z
  .string()
  .regex(LABEL_VALUE)
  .default("platform")
  .describe("a label: up to 63 lower-case letters, digits, hyphens and underscores");

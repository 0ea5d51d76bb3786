import { z } from "zod";
import { linePart } from "../core/hospital-line";
import { parseRange } from "../core/ip-range";
import type { PublicAccess } from "./serve";

/** A range that requests come from; the whole internet needs no list. */
const isSourceRange = (text: string) => (parseRange(text)?.bits ?? 0) >= 8;

const DOMAIN = z
  .string()
  .max(64)
  .regex(/^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$/)
  .describe("a host name of at most 64 characters such as mri.example.org, without https://");
const VIEWERS = z
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

/** `serve` of a hospital's line. */
export const serveLine = linePart({
  schema: z.strictObject({
    maxInstances: z.int().min(1).max(1000).optional().describe("a whole number from 1 to 1000"),
    domain: DOMAIN.optional(),
    viewers: VIEWERS.optional(),
    allowedRanges: z
      .array(
        z.string().refine(isSourceRange).describe("a range such as 198.51.100.0/24, starting at its first address"),
      )
      .min(1)
      .max(10)
      .optional()
      .describe("a list of at most 10 ranges, such as 198.51.100.0/24"),
  }),
  purpose: {
    maxInstances: "Most instances of the service at a time: the limit on what a flood of requests can cost.",
    domain:
      "The host name that people open. It brings a load balancer with a certificate, Cloud Armor and Identity-Aware Proxy; without it the service is reached from inside alone.",
    viewers: "Who may open the page. Only with `domain`; without it nobody may.",
    allowedRanges: "From where requests may come at all. Only with `domain`; without it from everywhere, signed in.",
  },
  defaults: { prod: { maxInstances: 10 }, test: { maxInstances: 3 }, ephemeral: { maxInstances: 2 } },
});

type ServeLine = Partial<z.output<typeof serveLine.schema>>;

/** Rules over several values of the part, as ends of sentences that begin with the hospital. */
export function serveProblems(serve: ServeLine): string[] {
  return (["viewers", "allowedRanges"] as const)
    .filter((key) => serve[key] && serve.domain === undefined)
    .map((key) => `"serve.${key}" is given without "serve.domain"; allowed: with the domain that people open.`);
}

/** How people reach the page; undefined without a domain: there is no load balancer then. */
export function publicAccess({ domain, viewers = [], allowedRanges }: ServeLine): PublicAccess | undefined {
  return domain === undefined ? undefined : { domain, viewers, allowedRanges };
}

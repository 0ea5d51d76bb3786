import { z } from "zod";
import { PREVALENCE, PREVALENCE_FORM } from "../../runtime/platform/prevalence";
import { linePart, type Tier } from "../core/hospital-line";
import { parseRange } from "../core/ip-range";
import { MEMBERS } from "../core/members";
import type { NamedCallers } from "./callers";
import type { PublicAccess } from "./serve";

/** A range that requests come from; the whole internet needs no list. */
const isSourceRange = (text: string) => (parseRange(text)?.bits ?? 0) >= 8;

const DOMAIN = z
  .string()
  .max(64)
  .regex(/^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$/)
  .describe("a host name of at most 64 characters such as mri.example.org, without https://");
const KNOWN_BY_ADDRESS = [
  z.templateLiteral(["user:", z.email()]),
  z.templateLiteral(["serviceAccount:", z.email()]),
  z.templateLiteral(["domain:", z.hostname()]),
] as const;
const BY_ADDRESS = "user:ADDRESS, serviceAccount:ADDRESS or domain:NAME";

const listOf = <S extends z.ZodType<string>>(member: S, what: string) =>
  z
    .array(member.describe(what))
    .min(1)
    .refine((list) => new Set(list).size === list.length)
    .describe(`a list of ${what}, each once`);
const VIEWERS = listOf(
  z.union([z.templateLiteral(["group:", z.email()]), ...KNOWN_BY_ADDRESS]),
  `group:ADDRESS, ${BY_ADDRESS}`,
);
// A token says who somebody is, and not of which groups.
const WITH_MORE_RIGHTS = listOf(z.union(KNOWN_BY_ADDRESS), BY_ADDRESS);

/** `serve` of a hospital's line. */
export const serveLine = linePart({
  schema: z.strictObject({
    maxInstances: z.int().min(1).max(1000).optional().describe("a whole number from 1 to 1000"),
    domain: DOMAIN.optional(),
    viewers: VIEWERS.optional(),
    clinicians: WITH_MORE_RIGHTS.optional(),
    admins: WITH_MORE_RIGHTS.optional(),
    releasers: MEMBERS.optional(),
    allowedRanges: z
      .array(
        z.string().refine(isSourceRange).describe("a range such as 198.51.100.0/24, starting at its first address"),
      )
      .min(1)
      .max(10)
      .optional()
      .describe("a list of at most 10 ranges, such as 198.51.100.0/24"),
    keepDays: z.int().min(1).max(3650).optional().describe("a whole number of days from 1 to 3650"),
    prevalence: z.number().min(PREVALENCE.least).max(PREVALENCE.most).optional().describe(PREVALENCE_FORM),
  }),
  purpose: {
    maxInstances: "Most instances of the service at a time: the limit on what a flood of requests can cost.",
    domain:
      "The host name that people open. It brings a load balancer with a certificate, Cloud Armor and Identity-Aware Proxy; without it the service is reached from inside alone.",
    viewers:
      "Who may open the page and read what stands there; without `domain`, through the API alone, and no groups.",
    clinicians:
      "Who may also send scans and say whether an answer was right. No groups: a token says who somebody is, not of which groups.",
    admins: "Who may also promote a model and roll back. No groups either.",
    releasers:
      "Who may act as the identity that tries a model out on a share of the requests (`npm run models -- canary`): nothing runs as it. Without any there is no such identity. In tiers prod and test.",
    allowedRanges: "From where requests may come at all. Only with `domain`; without it from everywhere, signed in.",
    keepDays:
      "Days that the pixels and the map of an answer are kept, by which it can be shown and given again; then they are deleted.",
    prevalence:
      "Share of Cancer among the scans that are sent. Answers are restated for it beside what the model says, and decided as before.",
  },
  defaults: {
    prod: { maxInstances: 10, keepDays: 30, releasers: [] },
    test: { maxInstances: 3, keepDays: 30, releasers: [] },
    ephemeral: { maxInstances: 2, keepDays: 1, releasers: [] },
  },
});

type ServeLine = Partial<z.output<typeof serveLine.schema>>;

/** Rules over several values of the part, as ends of sentences that begin with the hospital. */
export function serveProblems(serve: ServeLine, tier: Tier | undefined): string[] {
  const shared =
    tier === "ephemeral" && (serve.releasers ?? []).length > 0
      ? [
          '"serve.releasers" is given in tier ephemeral; allowed: in tiers prod and test, as an environment shares a project whose roles belong to none.',
        ]
      : [];
  if (serve.domain !== undefined) return shared;
  const groups = (serve.viewers ?? []).filter((viewer) => viewer.startsWith("group:"));
  return [
    ...shared,
    ...(serve.allowedRanges
      ? ['"serve.allowedRanges" is given without "serve.domain"; allowed: with the domain that people open.']
      : []),
    ...groups.map(
      (group) =>
        `"serve.viewers" has "${group}" without "serve.domain"; allowed: with the domain, whose proxy knows who is in a group; without it ${BY_ADDRESS}.`,
    ),
  ];
}

/** Who may ask, by role. */
export function namedCallers({ viewers = [], clinicians = [], admins = [] }: ServeLine): NamedCallers {
  return { viewer: viewers, clinician: clinicians, admin: admins };
}

/** How people reach the page; undefined without a domain: there is no load balancer then. */
export function publicAccess({ domain, allowedRanges }: ServeLine): PublicAccess | undefined {
  return domain === undefined ? undefined : { domain, allowedRanges };
}

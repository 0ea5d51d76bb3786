import { z } from "zod";
import { inEveryTier, linePart, type Tier } from "../core/hospital-line";

const KMS_KEY = /^projects\/[a-z][a-z0-9-]+\/locations\/([a-z0-9-]+)\/keyRings\/[\w-]{1,63}\/cryptoKeys\/[\w-]{1,63}$/;
const KMS_KEY_VERSION =
  /^projects\/[a-z][a-z0-9-]+\/locations\/([a-z0-9-]+)\/keyRings\/[\w-]{1,63}\/cryptoKeys\/[\w-]{1,63}\/cryptoKeyVersions\/[1-9]\d*$/;

/** What a hospital's line says of its keys. */
export const keysLine = linePart({
  schema: z.strictObject({
    kmsKey: z
      .string()
      .regex(KMS_KEY)
      .optional()
      .describe("an existing encryption key in full: projects/P/locations/REGION/keyRings/R/cryptoKeys/K"),
    pseudonymKey: z
      .string()
      .regex(KMS_KEY_VERSION)
      .optional()
      .describe(
        "an existing MAC key version in full: projects/P/locations/REGION/keyRings/R/cryptoKeys/K/cryptoKeyVersions/N",
      ),
    auditKey: z
      .string()
      .regex(KMS_KEY_VERSION)
      .optional()
      .describe(
        "an existing version of a signing key (EC_SIGN_ED25519) in full: projects/P/locations/REGION/keyRings/R/cryptoKeys/K/cryptoKeyVersions/N",
      ),
  }),
  purpose: {
    kmsKey:
      "Encrypts everything at rest; in the hospital's own region. Without it the hospital gets a key of its own, an ephemeral environment the platform's.",
    pseudonymKey:
      "Makes pseudonyms of patients; in the hospital's own region. Without it as above. Another key makes other pseudonyms: a patient's later scans no longer meet the earlier ones.",
    auditKey:
      "Signs the log of answers and acts (docs/audit.md); in the hospital's own region. Without it the hospital gets a key of its own. One key signs a log for ever.",
  },
  defaults: inEveryTier({}),
});

/** Where a key lies that the line names. */
export function keyLocation(key: string): string | undefined {
  return (KMS_KEY.exec(key) ?? KMS_KEY_VERSION.exec(key))?.[1];
}

export const BILLING_ACCOUNT = z
  .string()
  .regex(/^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$/)
  .describe("a billing account's id such as 01AB23-456789-CDEF01");
export const AMOUNT = z
  .int()
  .min(1)
  .max(10_000_000)
  .describe("a whole number from 1 to 10000000, a month in the billing account's currency");

/** What a hospital's line says of its costs. */
export const budgetLine = linePart({
  schema: z.strictObject({ billingAccount: BILLING_ACCOUNT.optional(), budget: AMOUNT.optional() }),
  purpose: {
    billingAccount: "Where the budget is made. Without it the platform's; without that there is no budget.",
    budget:
      "Its administrators hear of it when costs reach half of this, nine tenths, all of it, or are about to pass it. Ephemeral environments have none of their own: `ci.budget` of the platform counts.",
  },
  defaults: { prod: { budget: 2000 }, test: { budget: 300 }, ephemeral: { budget: 100 } },
});

/** What a hospital's line says of what its organisation holds over its project. */
export const organisationLine = linePart({
  schema: z.strictObject({
    perimeter: z
      .string()
      .regex(/^accessPolicies\/\d{1,20}\/servicePerimeters\/[A-Za-z]\w{0,49}$/)
      .optional()
      .describe("an existing perimeter in full: accessPolicies/NUMBER/servicePerimeters/NAME"),
    orgPolicies: z.boolean().optional().describe("true or false"),
  }),
  purpose: {
    perimeter:
      "The perimeter of VPC Service Controls that the hospital's project joins. It has to let in whoever deploys, and out to the platform's images.",
    orgPolicies:
      "Whether organisation policies hold the project to what the stacks do anyway: its region, no public bucket, no key of an account, no external address. Whoever deploys needs `roles/orgpolicy.policyAdmin`.",
  },
  defaults: inEveryTier({ orgPolicies: false }),
});

/** Rules over several values, as ends of sentences that begin with the hospital. */
export function organisationProblems(
  line: Partial<z.output<typeof organisationLine.schema>>,
  tier: Tier | undefined,
): string[] {
  if (tier !== "ephemeral") return [];
  return (["perimeter", "orgPolicies"] as const)
    .filter((key) => line[key])
    .map(
      (key) =>
        `"${key}" is ${JSON.stringify(line[key])} in tier ephemeral; allowed: in tiers prod and test, as environments share a project that belongs to none of them.`,
    );
}

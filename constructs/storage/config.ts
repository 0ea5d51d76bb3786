import { z } from "zod";
import { inEveryTier, linePart } from "../core/hospital-line";

export const USAGE_LOGS = z.boolean().default(true).describe("true or false");
/** What the key decides, in a hospital's line and in the platform's. */
export const USAGE_LOGS_PURPOSE =
  "Whether Cloud Storage writes down every access to the buckets. It writes as group:cloud-storage-analytics@google.com, which no organisation with domain-restricted sharing (iam.allowedPolicyMemberDomains) lets in: with `false` the bucket of access logs stays empty, and the audit logs alone name who read what.";

/** What a hospital's line says of its buckets. */
export const storageLine = linePart({
  schema: z.strictObject({
    usageLogs: USAGE_LOGS,
    landingDays: z.int().min(32).max(3650).optional().describe("a whole number from 32 to 3650"),
  }),
  purpose: {
    usageLogs: USAGE_LOGS_PURPOSE,
    landingDays:
      "Days that landed files and lesion masks are kept, names and all; a day later no version of them is left, nor a soft-deleted one. What is curated of them stays. Without it they are kept. Fewer than 32 days could take away what still waits as a dead letter.",
  },
  defaults: inEveryTier({}),
});

import { z } from "zod";
import { inEveryTier, linePart, type Tier } from "../core/hospital-line";
import { MEMBERS } from "../core/members";

/** What a hospital's line says of erasing patients. */
export const erasureLine = linePart({
  schema: z.strictObject({ erasers: MEMBERS.optional() }),
  purpose: {
    erasers:
      "Who may act as the identity that erases patients and scans from the hospital's buckets and tables (`npm run forget -- --hospital NAME`): nothing runs as it. Without any there is no such identity. In tiers prod and test.",
  },
  defaults: inEveryTier({ erasers: [] }),
});

/** Rules over several values, as ends of sentences that begin with the hospital. */
export function erasureProblems(
  { erasers }: { readonly erasers?: readonly string[] | undefined },
  tier: Tier | undefined,
): string[] {
  return tier === "ephemeral" && (erasers ?? []).length > 0
    ? [
        '"erasers" is given in tier ephemeral; allowed: in tiers prod and test, as an environment is erased as a whole, and shares a project whose roles belong to none.',
      ]
    : [];
}

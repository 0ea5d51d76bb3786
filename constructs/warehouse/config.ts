import { z } from "zod";
import { inEveryTier, linePart } from "../core/hospital-line";
import { MEMBERS } from "../core/members";

/** What a hospital's line says of its warehouse. */
export const warehouseLine = linePart({
  schema: z.strictObject({ analysts: MEMBERS.optional() }),
  purpose: {
    analysts:
      "Who may query the tables and views of the warehouse: no pixel, but the names of files as they were given, and a hash in place of each pseudonym. Queries run in the hospital's project (roles/bigquery.jobUser); in tier ephemeral whoever owns the shared project grants that.",
  },
  defaults: inEveryTier({ analysts: [] }),
});

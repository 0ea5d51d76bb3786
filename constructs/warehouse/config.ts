import { z } from "zod";
import { inEveryTier, linePart } from "../core/hospital-line";

const MEMBERS = z
  .array(
    z
      .string()
      .regex(/^(?:user|group|serviceAccount):[^\s@]+@[^\s@]+$/)
      .describe("group:NAME, user:NAME or serviceAccount:NAME, each with an e-mail address"),
  )
  .refine((list) => new Set(list).size === list.length)
  .describe("a list of IAM members such as group:analysts@example.org, each once");

/** What a hospital's line says of its warehouse. */
export const warehouseLine = linePart({
  schema: z.strictObject({ analysts: MEMBERS.optional() }),
  purpose: {
    analysts:
      "Who may query the tables and views of the warehouse: no pixel, but the names of files as they were given, and a hash in place of each pseudonym. Queries run in the hospital's project (roles/bigquery.jobUser); in tier ephemeral whoever owns the shared project grants that.",
  },
  defaults: inEveryTier({ analysts: [] }),
});

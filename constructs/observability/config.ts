import { z } from "zod";
import { inEveryTier, linePart } from "../core/hospital-line";

export const EMAILS = z
  .array(z.email().describe("an e-mail address"))
  .max(16)
  .refine((list) => new Set(list).size === list.length)
  .describe("a list of at most 16 e-mail addresses, each once");

/** What a hospital's line says of who is told. */
export const alertsLine = linePart({
  schema: z.strictObject({ alertEmails: EMAILS.optional() }),
  purpose: { alertEmails: "Who is written to when an alert fires. With nobody, incidents stand in the console alone." },
  defaults: inEveryTier({ alertEmails: [] }),
});

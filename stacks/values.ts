import { z } from "zod";
import { LABEL_VALUE } from "../constructs/core/labels";

/**
 * Values that the lines of hospitals and platform share. A description says what is allowed; errors quote it.
 */

/** A day of the calendar as YYYY-MM-DD: 2027-02-31 is none, though a JavaScript date takes it for one. */
export const isDate = (text: string) => {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false;
  const time = Date.parse(`${text}T00:00:00Z`);
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(text);
};

export const STATE_BUCKET = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$/)
  .describe("the name of an existing bucket for Terraform's state, without gs://");
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

import { z } from "zod";
import { linePart } from "../core/hospital-line";

/** `ingest` of a hospital's line. */
export const ingestLine = linePart({
  schema: z.strictObject({
    maxInstances: z.int().min(1).max(1000).optional().describe("a whole number from 1 to 1000"),
  }),
  purpose: {
    maxInstances:
      "Most instances of the ingest function at a time: the limit on what a flood of scans can cost. Further scans wait.",
  },
  defaults: { prod: { maxInstances: 20 }, test: { maxInstances: 5 }, ephemeral: { maxInstances: 2 } },
});

import { z } from "zod";
import { TEXT_CHOICES } from "../../runtime/ingest/contract";
import { linePart } from "../core/hospital-line";

/** `ingest` of a hospital's line. */
export const ingestLine = linePart({
  schema: z.strictObject({
    burnedInText: z
      .enum(TEXT_CHOICES)
      .optional()
      .describe('"quarantine", "quarantine-all", "blank", "blank-all" or "allow"'),
    maxInstances: z.int().min(1).max(1000).optional().describe("a whole number from 1 to 1000"),
  }),
  purpose: {
    burnedInText:
      "What becomes of files in whose pixels there seems to be text, which may name a patient: DICOM is kept back in quarantine, files of every format are, or none; or the text is painted over (blank: in DICOM, blank-all: in every format).",
    maxInstances:
      "Most instances of the ingest function at a time: the limit on what a flood of scans can cost. Further scans wait.",
  },
  defaults: {
    prod: { burnedInText: "quarantine", maxInstances: 20 },
    test: { burnedInText: "quarantine", maxInstances: 5 },
    ephemeral: { burnedInText: "quarantine", maxInstances: 2 },
  },
});

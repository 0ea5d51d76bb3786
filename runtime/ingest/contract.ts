import { z } from "zod";
import { defineContract } from "../platform/contract";
import { gcsEndpoint, logLevel, pseudonymKey, wholeNumberVariable } from "../platform/environment";

/** What becomes of files with text in their pixels, of DICOM or of every format: kept back, or painted over. */
export const TEXT_CHOICES = ["quarantine", "quarantine-all", "blank", "blank-all", "allow"] as const;
export type TextChoice = (typeof TEXT_CHOICES)[number];

/** What the ingest function needs; see {@link RuntimeContract}. */
export const ingestContract = defineContract({
  name: "ingest",
  entry: "runtime/ingest/function.ts",
  // Starts the function; named so that its build takes our version instead of the newest.
  packages: ["@google-cloud/functions-framework"],
  workers: ["runtime/guard/burned-in/text-worker.ts", "runtime/imaging/dicom/codec-worker.ts"],
  target: "ingest",
  env: z.object({
    PSEUDONYM_KEY: pseudonymKey,
    MAX_FILE_BYTES: wholeNumberVariable("Largest file that is read, bytes", 1, 2 ** 40, 256 * 2 ** 20),
    MAX_PIXELS: wholeNumberVariable("Largest page that is decoded, pixels", 1, 1e9, 50_000_000),
    MAX_PAGES: wholeNumberVariable("Most pages of one file", 1, 1e6, 1000),
    BURNED_IN_TEXT: z
      .enum(TEXT_CHOICES)
      .default("quarantine")
      .describe(
        "What becomes of files in whose pixels there seems to be text: quarantine keeps back DICOM (the default), quarantine-all every format; blank and blank-all paint it over; allow does not look.",
      ),
    LOG_LEVEL: logLevel,
    GCS_API_ENDPOINT: gcsEndpoint,
  }),
  // Curated is read to tell a duplicate's first image; the tables to tell a repeated delivery.
  reads: ["landing", "curated", "images"],
  creates: ["curated", "quarantine"],
  writes: [],
  appends: ["images"],
  health: null,
  resources: { memoryGiB: 2, cpu: 1, timeoutSeconds: 300 },
});

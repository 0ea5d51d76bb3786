import { z } from "zod";
import { defineContract } from "../platform/contract";

const bucket = (what: string) =>
  z
    .string()
    .regex(/^(gs:\/\/[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]\/?|file:\/\/\/.+)$/, "must be gs://BUCKET or file:///DIRECTORY")
    .describe(`Set it to the bucket ${what}: gs://BUCKET or file:///DIRECTORY.`);

const count = (what: string, fallback: string) =>
  z
    .string()
    .regex(/^[1-9][0-9]{0,11}$/, "must be a whole number from 1")
    .default(fallback)
    .transform(Number)
    .describe(`${what} (default ${fallback}).`);

/** What the ingest function needs; see {@link RuntimeContract}. */
export const ingestContract = defineContract({
  name: "ingest",
  entry: "runtime/ingest/function.ts",
  target: "ingest",
  env: z.object({
    LANDING_BUCKET: bucket("in which scans land"),
    CURATED_BUCKET: bucket("for decoded, de-identified scans"),
    QUARANTINE_BUCKET: bucket("for what is refused"),
    WAREHOUSE_BUCKET: bucket("that holds the tables"),
    PSEUDONYM_KEY: z
      .string()
      .regex(
        /^(local:.+|gcp-kms:\/\/projects\/[^/]+\/locations\/[^/]+\/keyRings\/[^/]+\/cryptoKeys\/[^/]+\/cryptoKeyVersions\/[0-9]+)$/,
        "must be gcp-kms://projects/P/locations/L/keyRings/R/cryptoKeys/K/cryptoKeyVersions/N or local:SECRET",
      )
      .describe(
        "Set it to the key of patients' pseudonyms: gcp-kms://projects/.../cryptoKeyVersions/N or local:SECRET.",
      ),
    MAX_FILE_BYTES: count("Largest file that is read, bytes", String(256 * 2 ** 20)),
    MAX_PIXELS: count("Largest page that is decoded, pixels", "50000000"),
    MAX_PAGES: count("Most pages of one file", "1000"),
    LOG_LEVEL: z
      .enum(["trace", "debug", "info", "warn", "error", "fatal"])
      .default("info")
      .describe("The least severe log lines that are written."),
    GCS_API_ENDPOINT: z
      .url()
      .optional()
      .describe("Root URL of a test server that stands in for Google Cloud Storage; not set in production."),
  }),
  // Curated is read to tell a duplicate's first image; the tables to tell a repeated delivery.
  reads: ["landing", "curated", "warehouse"],
  creates: ["curated", "quarantine"],
  writes: [],
  appends: ["images"],
  health: null,
  resources: { memoryGiB: 2, cpu: 1, timeoutSeconds: 300 },
});

import { z } from "zod";
import { defineContract } from "../platform/contract";
import { gcsEndpoint, logLevel, wholeNumberVariable } from "../platform/environment";

/** Where the log of a hospital lies in its bucket of reports. */
export const LOG_FOLDER = "audit/";
/** What a seal that came to its end writes into the log of its process: by its absence somebody is told. */
export const SEALED = "the log of answers and acts was sealed";
/** Seconds: BigQuery takes a row within a minute of its first try, or its caller was told that it failed. */
const WAIT_SECONDS = 120;

/** What the job that seals the log of answers and acts needs; see {@link RuntimeContract}. */
export const auditContract = defineContract({
  name: "audit",
  entry: "runtime/audit/sealer.ts",
  target: "main",
  env: z.object({
    AUDIT_KEY: z
      .string()
      .regex(
        /^(gcp-kms:\/\/projects\/[^/]+\/locations\/[^/]+\/keyRings\/[^/]+\/cryptoKeys\/[^/]+\/cryptoKeyVersions\/[0-9]+|\/.+)$/,
        "must be gcp-kms://projects/P/locations/L/keyRings/R/cryptoKeys/K/cryptoKeyVersions/N or the absolute path of a file",
      )
      .describe("Set it to the key that signs: gcp-kms://projects/.../cryptoKeyVersions/N, or the path of a PEM file."),
    AUDIT_ARCHIVE: z
      .string()
      .regex(
        /^(gs:\/\/[a-z0-9][a-z0-9._-]{1,220}[a-z0-9](\/[A-Za-z0-9._-]+)*\/?|file:\/\/\/.+)$/,
        "must be gs://BUCKET/FOLDER or file:///DIRECTORY",
      )
      .describe(
        "Set it to where signed checkpoints are kept as well, out of reach of who writes rows: gs://BUCKET/FOLDER.",
      ),
    WAIT_SECONDS: wholeNumberVariable(
      "Seconds that a row may take from the time that it says to its table",
      0,
      3600,
      WAIT_SECONDS,
    ),
    LOG_LEVEL: logLevel,
    GCS_API_ENDPOINT: gcsEndpoint,
  }),
  reads: ["reports", "predictions", "audit", "feedback"],
  creates: [],
  createsBelow: { reports: { folders: [LOG_FOLDER] } },
  writes: [],
  // So that no two seal at a time.
  replaces: { reports: [`${LOG_FOLDER}lease.json`] },
  appends: [],
  health: null,
  resources: { memoryGiB: 2, cpu: 1, timeoutSeconds: 3600 },
});

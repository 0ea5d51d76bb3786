import { z } from "zod";
import { defineContract } from "../platform/contract";

const bucket = (what: string) =>
  z
    .string()
    .regex(/^(gs:\/\/[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]\/?|file:\/\/\/.+)$/, "must be gs://BUCKET or file:///DIRECTORY")
    .describe(`Set it to the bucket ${what}: gs://BUCKET or file:///DIRECTORY.`);

/** What the preprocess job needs; see {@link RuntimeContract}. */
export const preprocessContract = defineContract({
  name: "preprocess",
  entry: "runtime/preprocess/main.ts",
  target: "main",
  env: z.object({
    CURATED_BUCKET: bucket("of decoded, de-identified scans"),
    PROCESSED_BUCKET: bucket("for the recipe's pixels"),
    WAREHOUSE_BUCKET: bucket("that holds the tables"),
    LOG_LEVEL: z
      .enum(["trace", "debug", "info", "warn", "error", "fatal"])
      .default("info")
      .describe("The least severe log lines that are written."),
    GCS_API_ENDPOINT: z
      .url()
      .optional()
      .describe("Root URL of a test server that stands in for Google Cloud Storage; not set in production."),
  }),
  reads: ["curated", "processed", "warehouse"],
  creates: [],
  // Shards are replaced and deleted; batches of images are replaced once their group and split are known.
  writes: ["processed", "warehouse"],
  appends: ["images"],
  health: null,
  resources: { memoryGiB: 4, cpu: 4, timeoutSeconds: 3600 },
});

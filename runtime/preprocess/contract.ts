import { z } from "zod";
import { defineContract } from "../platform/contract";
import { gcsEndpoint, logLevel } from "../platform/environment";

/** What the preprocess job needs; see {@link RuntimeContract}. */
export const preprocessContract = defineContract({
  name: "preprocess",
  entry: "runtime/preprocess/main.ts",
  drivers: { preprocess: "spark/preprocess.py" },
  target: "main",
  env: z.object({
    LOG_LEVEL: logLevel,
    GCS_API_ENDPOINT: gcsEndpoint,
  }),
  reads: ["curated", "processed", "images", "assignments"],
  creates: [],
  // Shards are replaced and deleted.
  writes: ["processed"],
  appends: ["assignments"],
  health: null,
  resources: { memoryGiB: 4, cpu: 4, timeoutSeconds: 3600 },
});

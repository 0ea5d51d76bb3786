import { z } from "zod";
import { defineContract } from "../platform/contract";
import { gcsEndpoint, logLevel } from "../platform/environment";

/** What the features job needs; see {@link RuntimeContract}. */
export const featuresContract = defineContract({
  name: "features",
  entry: "runtime/features/main.ts",
  drivers: { pca: "spark/pca.py" },
  target: "main",
  env: z.object({
    LOG_LEVEL: logLevel,
    GCS_API_ENDPOINT: gcsEndpoint,
  }),
  reads: ["processed", "models", "images", "assignments", "features_pca", "pca_fits"],
  // Components are immutable: what is there is never replaced.
  creates: ["models"],
  writes: [],
  appends: ["features_pca", "pca_fits"],
  health: null,
  resources: { memoryGiB: 8, cpu: 4, timeoutSeconds: 7200 },
});

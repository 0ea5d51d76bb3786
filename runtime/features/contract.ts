import { z } from "zod";
import { defineContract } from "../platform/contract";
import { bucketUri, gcsEndpoint, logLevel } from "../platform/environment";

/** What the features job needs; see {@link RuntimeContract}. */
export const featuresContract = defineContract({
  name: "features",
  entry: "runtime/features/main.ts",
  drivers: { pca: "spark/pca.py" },
  target: "main",
  env: z.object({
    PROCESSED_BUCKET: bucketUri("that holds the recipe's pixels"),
    MODELS_BUCKET: bucketUri("of the models, beside which principal components are kept"),
    WAREHOUSE_BUCKET: bucketUri("that holds the tables"),
    LOG_LEVEL: logLevel,
    GCS_API_ENDPOINT: gcsEndpoint,
  }),
  reads: ["processed", "models", "warehouse"],
  // Components are immutable: what is there is never replaced.
  creates: ["models"],
  writes: [],
  appends: ["features_pca"],
  health: null,
  resources: { memoryGiB: 8, cpu: 4, timeoutSeconds: 7200 },
});

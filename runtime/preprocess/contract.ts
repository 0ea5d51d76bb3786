import { z } from "zod";
import { defineContract } from "../platform/contract";
import { bucketUri, gcsEndpoint, logLevel } from "../platform/environment";

/** What the preprocess job needs; see {@link RuntimeContract}. */
export const preprocessContract = defineContract({
  name: "preprocess",
  entry: "runtime/preprocess/main.ts",
  drivers: { preprocess: "spark/preprocess.py", score: "spark/score.py" },
  target: "main",
  env: z.object({
    CURATED_BUCKET: bucketUri("of decoded, de-identified scans"),
    PROCESSED_BUCKET: bucketUri("for the recipe's pixels"),
    MODELS_BUCKET: bucketUri("of the models, for scoring with the current one"),
    WAREHOUSE_BUCKET: bucketUri("that holds the tables"),
    LOG_LEVEL: logLevel,
    GCS_API_ENDPOINT: gcsEndpoint,
  }),
  reads: ["curated", "processed", "models", "warehouse"],
  creates: [],
  // Shards are replaced and deleted; batches of images are replaced once their group and split are known.
  writes: ["processed", "warehouse"],
  appends: ["images", "predictions"],
  health: null,
  resources: { memoryGiB: 4, cpu: 4, timeoutSeconds: 3600 },
});

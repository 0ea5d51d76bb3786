import { z } from "zod";
import { defineContract } from "../platform/contract";
import { gcsEndpoint, logLevel } from "../platform/environment";

/** What the features job needs; see {@link RuntimeContract}. */
export const featuresContract = defineContract({
  name: "features",
  entry: "runtime/features/main.ts",
  workers: ["runtime/features/backbone/extract-worker.ts"],
  drivers: { pca: "spark/pca.py" },
  // Most hospitals name no network.
  driversOnRequest: { deep: "spark/deep.py" },
  target: "main",
  env: z.object({
    LOG_LEVEL: logLevel,
    GCS_API_ENDPOINT: gcsEndpoint,
    BACKBONE: z
      .string()
      .min(1)
      .optional()
      .describe(
        "Where a pretrained network and its backbone.json lie: gs://BUCKET/FOLDER, in the hospital's bucket of models; without it deep has nothing to do.",
      ),
  }),
  reads: ["processed", "models", "images", "assignments", "features_pca", "pca_fits", "features_deep"],
  creates: [],
  // Components are immutable: what is there is never replaced.
  createsBelow: { models: { folders: ["features/"] } },
  writes: [],
  appends: ["features_pca", "pca_fits", "features_deep"],
  health: null,
  resources: { memoryGiB: 8, cpu: 4, timeoutSeconds: 7200 },
});

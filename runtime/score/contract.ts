import { z } from "zod";
import { defineContract } from "../platform/contract";
import { gcsEndpoint, logLevel } from "../platform/environment";

/** What the job of batch scoring needs; see {@link RuntimeContract}. */
export const scoreContract = defineContract({
  name: "score",
  entry: "runtime/score/main.ts",
  workers: ["runtime/model/answer-worker.ts"],
  drivers: { score: "spark/score.py" },
  target: "main",
  env: z.object({ LOG_LEVEL: logLevel, GCS_API_ENDPOINT: gcsEndpoint }),
  // Which pictures there are, and for which of them the current model's answers and features are stored; by which rule the
  // model's evaluation answers studies, and which answers of studies there are.
  reads: ["curated", "models", "reports", "images", "assignments", "predictions", "features_deep"],
  creates: [],
  createsBelow: { reports: { folders: ["studies/"] } },
  writes: [],
  appends: ["predictions", "features_deep"],
  health: null,
  resources: { memoryGiB: 4, cpu: 4, timeoutSeconds: 3600 },
});

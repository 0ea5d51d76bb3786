import { z } from "zod";
import { defineContract } from "../platform/contract";
import { gcsEndpoint, logLevel } from "../platform/environment";

/** What the job that watches the current model needs; see {@link RuntimeContract}. */
export const monitorContract = defineContract({
  name: "monitor",
  entry: "runtime/monitor/main.ts",
  drivers: { monitor: "spark/monitor.py" },
  target: "main",
  env: z.object({ LOG_LEVEL: logLevel, GCS_API_ENDPOINT: gcsEndpoint }),
  // What was answered and said, of which scans, and how their pictures were made.
  reads: [
    "curated",
    "models",
    "images",
    "assignments",
    "predictions",
    "feedback",
    "refusals",
    "features_deep",
    "input_statistics",
    "monitoring",
  ],
  creates: [],
  writes: [],
  appends: ["input_statistics", "monitoring"],
  health: null,
  resources: { memoryGiB: 4, cpu: 1, timeoutSeconds: 3600 },
});

import { z } from "zod";
import { defineContract } from "../platform/contract";
import { gcsEndpoint, logLevel } from "../platform/environment";
import { FHIR_STORE, healthcareEndpoint } from "../platform/healthcare";

/** What the function needs that delivers answers as they are given; see {@link RuntimeContract}. */
export const deliverContract = defineContract({
  name: "deliver",
  // It reads what serve keeps of its answers.
  entry: "runtime/serve/delivery/function.ts",
  workers: ["runtime/serve/picture-worker.ts"],
  packages: ["@google-cloud/functions-framework"],
  target: "deliverAnswer",
  env: z.object({
    FHIR_STORE: z
      .string()
      .regex(FHIR_STORE, "must be projects/P/locations/L/datasets/D/fhirStores/S")
      .describe(
        "Set it to the FHIR store that answers are delivered to: projects/P/locations/L/datasets/D/fhirStores/S.",
      ),
    LOG_LEVEL: logLevel,
    GCS_API_ENDPOINT: gcsEndpoint,
    HEALTHCARE_API_ENDPOINT: healthcareEndpoint,
  }),
  reads: ["reports"],
  creates: [],
  // What was sent, and by whom something is being sent.
  createsBelow: { reports: { folders: ["delivery/"] } },
  writes: [],
  appends: ["audit"],
  health: null,
  resources: { memoryGiB: 1, cpu: 1, timeoutSeconds: 300 },
});

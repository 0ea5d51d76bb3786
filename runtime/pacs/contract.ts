import { z } from "zod";
import { defineContract } from "../platform/contract";
import { gcsEndpoint, logLevel, pseudonymKey, wholeNumberVariable } from "../platform/environment";
import { DICOM_STORE, healthcareEndpoint } from "../platform/healthcare";

/** What the function needs that brings instances of a DICOM store to landing; see {@link RuntimeContract}. */
export const pacsContract = defineContract({
  name: "pacs",
  entry: "runtime/pacs/function.ts",
  packages: ["@google-cloud/functions-framework"],
  target: "landInstance",
  env: z.object({
    DICOM_STORE: z
      .string()
      .regex(DICOM_STORE, "must be projects/P/locations/L/datasets/D/dicomStores/S")
      .describe("Set it to the DICOM store whose instances it lands: projects/P/locations/L/datasets/D/dicomStores/S."),
    PSEUDONYM_KEY: pseudonymKey,
    MAX_FILE_BYTES: wholeNumberVariable("Largest instance that is landed, bytes", 1, 2 ** 40, 256 * 2 ** 20),
    LOG_LEVEL: logLevel,
    GCS_API_ENDPOINT: gcsEndpoint,
    HEALTHCARE_API_ENDPOINT: healthcareEndpoint,
  }),
  // Of a name that is taken it looks whether what lies there is the same.
  reads: ["landing"],
  creates: [],
  createsBelow: { landing: { folders: ["Unlabelled/"], except: ["Unlabelled/gateway/"] } },
  writes: [],
  appends: [],
  health: null,
  // An instance is held whole, and for a moment twice.
  resources: { memoryGiB: 1, cpu: 1, timeoutSeconds: 300 },
});

import { z } from "zod";
import { defineContract } from "../platform/contract";
import { gcsEndpoint, logLevel } from "../platform/environment";
import { FHIR_STORE, healthcareEndpoint } from "../platform/healthcare";

const httpsUrl = z.url({ protocol: /^https$/, error: "must be an https URL" });
const pem = (what: string) =>
  z
    .string()
    .regex(/^-----BEGIN /, "must be PEM")
    .optional()
    .describe(`PEM, out of Secret Manager: ${what}.`);

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
      .optional()
      .describe(
        "The FHIR store that answers are delivered to: projects/P/locations/L/datasets/D/fhirStores/S. It, RECEIVER_URL or both.",
      ),
    RECEIVER_URL: httpsUrl
      .optional()
      .describe("A receiver outside Google: the base of a FHIR server, or .../studies of an archive."),
    RECEIVER_FORMAT: z.enum(["fhir", "sr", "sc"]).default("fhir").describe("What the receiver is sent (default fhir)."),
    RECEIVER_SIGNING_KEY: pem("the private key (P-256) that deliveries to the receiver are signed with"),
    RECEIVER_SIGN_IN_URL: httpsUrl.optional().describe("OAuth 2.0: where the client's token is had."),
    RECEIVER_CLIENT_ID: z.string().min(1).optional().describe("OAuth 2.0: who the client is."),
    RECEIVER_CLIENT_SECRET: z.string().min(1).optional().describe("Its secret, out of Secret Manager."),
    RECEIVER_SCOPE: z.string().min(1).optional().describe("OAuth 2.0: the scope that is asked for."),
    RECEIVER_CERTIFICATE: pem("mutual TLS, the own certificate"),
    RECEIVER_CERTIFICATE_KEY: pem("mutual TLS, its private key"),
    RECEIVER_CA: pem("who signed the receiver's certificate (default who Node trusts)"),
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

import { z } from "zod";
import { defineContract } from "../platform/contract";
import { gcsEndpoint, logLevel, wholeNumberVariable } from "../platform/environment";

/** What the serving process needs; see {@link RuntimeContract}. */
export const serveContract = defineContract({
  name: "serve",
  entry: "runtime/serve/server.ts",
  target: "main",
  env: z.object({
    PORT: wholeNumberVariable("Port to listen on", 0, 65_535, 8080),
    HOST: z.string().min(1).default("0.0.0.0").describe("Address to listen on (default 0.0.0.0)."),
    MAX_BODY_MIB: wholeNumberVariable("Largest request body, mebibytes", 1, 256, 64),
    QUEUE_LIMIT: wholeNumberVariable("Requests in progress before further ones are sent away", 1, 10_000, 16),
    LOG_LEVEL: logLevel,
    GCS_API_ENDPOINT: gcsEndpoint,
  }),
  reads: ["models", "reports"],
  creates: ["reports"],
  writes: [],
  appends: ["predictions"],
  health: { startup: "/readyz", liveness: "/healthz" },
  resources: { memoryGiB: 2, cpu: 1, timeoutSeconds: 60 },
});

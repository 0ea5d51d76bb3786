import { z } from "zod";
import { defineContract } from "../platform/contract";

const bucket = (what: string) =>
  z
    .string()
    .regex(/^(gs:\/\/[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]\/?|file:\/\/\/.+)$/, "must be gs://BUCKET or file:///DIRECTORY")
    .describe(`Set it to the bucket ${what}: gs://BUCKET or file:///DIRECTORY.`);

const whole = (what: string, from: number, to: number, fallback: number) =>
  z
    .string()
    .regex(/^[0-9]{1,9}$/, `must be a whole number from ${from} to ${to}`)
    .transform(Number)
    .refine((value) => value >= from && value <= to, `must be a whole number from ${from} to ${to}`)
    .default(fallback)
    .describe(`${what} (default ${fallback}).`);

/** What the serving process needs; see {@link RuntimeContract}. */
export const serveContract = defineContract({
  name: "serve",
  entry: "runtime/serve/server.ts",
  target: "server",
  env: z.object({
    MODELS_BUCKET: bucket("that holds the models"),
    REPORTS_BUCKET: bucket("that keeps the overlays of predictions"),
    WAREHOUSE_BUCKET: bucket("that holds the tables"),
    PORT: whole("Port to listen on", 0, 65_535, 8080),
    HOST: z.string().min(1).default("0.0.0.0").describe("Address to listen on (default 0.0.0.0)."),
    MAX_BODY_MIB: whole("Largest request body, mebibytes", 1, 256, 64),
    QUEUE_LIMIT: whole("Requests in progress before further ones are sent away", 1, 10_000, 16),
    LOG_LEVEL: z
      .enum(["trace", "debug", "info", "warn", "error", "fatal"])
      .default("info")
      .describe("The least severe log lines that are written."),
    GCS_API_ENDPOINT: z
      .url()
      .optional()
      .describe("Root URL of a test server that stands in for Google Cloud Storage; not set in production."),
  }),
  reads: ["models", "reports"],
  creates: ["reports"],
  writes: [],
  appends: ["predictions"],
  health: { startup: "/readyz", liveness: "/healthz" },
  resources: { memoryGiB: 2, cpu: 1, timeoutSeconds: 60 },
});

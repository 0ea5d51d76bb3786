import { z } from "zod";

/** Environment variables that several contracts share: each is described once. */

/** @param what completes "Set it to the bucket ..." */
export const bucketUri = (what: string) =>
  z
    .string()
    .regex(/^(gs:\/\/[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]\/?|file:\/\/\/.+)$/, "must be gs://BUCKET or file:///DIRECTORY")
    .describe(`Set it to the bucket ${what}: gs://BUCKET or file:///DIRECTORY.`);

/** A whole number with a default, written in decimal. */
export const wholeNumberVariable = (what: string, from: number, to: number, fallback: number) =>
  z
    .string()
    .regex(/^[0-9]{1,12}$/, `must be a whole number from ${from} to ${to}`)
    .transform(Number)
    .refine((value) => value >= from && value <= to, `must be a whole number from ${from} to ${to}`)
    .default(fallback)
    .describe(`${what} (default ${fallback}).`);

export const logLevel = z
  .enum(["trace", "debug", "info", "warn", "error", "fatal"])
  .default("info")
  .describe("The least severe log lines that are written.");

export const gcsEndpoint = z
  .url()
  .optional()
  .describe("Root URL of a test server that stands in for Google Cloud Storage; not set in production.");

/** Ids of models are made of these. */
const MODEL_ID = /^[a-z0-9][a-z0-9-]{5,62}$/;

/** The model that a process is bound to. */
export const pinnedModel = z
  .string()
  .regex(MODEL_ID, "must be the id of a model")
  .optional()
  .describe("Model that this process answers with, whatever `current.json` says: a canary's revision has it.");

/** The model that is asked beside the one that answers. */
export const shadowModel = z
  .string()
  .regex(MODEL_ID, "must be the id of a model, or current")
  .optional()
  .describe("Model that is asked beside the one that answers, for comparison alone: its id, or `current`.");

/** For which retraining a machine trains, and on which of its scans. */
export const trainingOrder = z
  .string()
  .regex(/^[0-9]{8}-[0-9]{6}-[0-9a-f]{6}\/[0-9a-f]{32}$/, "must be RUN/DIGEST, as the retraining says it")
  .optional()
  .describe("The retraining that is trained for: RUN/DIGEST. Without it the job evaluates and promotes by itself.");

/** Which key makes pseudonyms: who signs with it need not see it. */
export const pseudonymKey = z
  .string()
  .regex(
    /^(local:.+|gcp-kms:\/\/projects\/[^/]+\/locations\/[^/]+\/keyRings\/[^/]+\/cryptoKeys\/[^/]+\/cryptoKeyVersions\/[0-9]+)$/,
    "must be gcp-kms://projects/P/locations/L/keyRings/R/cryptoKeys/K/cryptoKeyVersions/N or local:SECRET",
  )
  .describe("Set it to the key of patients' pseudonyms: gcp-kms://projects/.../cryptoKeyVersions/N or local:SECRET.");

/** Where the tables are, and as whom they are asked. */
export const warehouseVariables = {
  WAREHOUSE: z
    .string()
    .regex(
      /^(bigquery:\/\/[a-z][a-z0-9.:-]{4,61}[a-z0-9]\/[A-Za-z0-9_]{1,1024}\/?(\?.*)?|gs:\/\/[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]\/?|file:\/\/\/.+)$/,
      "must be bigquery://PROJECT/DATASET, gs://BUCKET or file:///DIRECTORY",
    )
    .describe("Set it to where the tables are: bigquery://PROJECT/DATASET, gs://BUCKET or file:///DIRECTORY."),
  WAREHOUSE_READER: z
    .email("must be a service account's e-mail address")
    .optional()
    .describe("Account as which BigQuery is asked, and which this process may impersonate (default its own)."),
  BIGQUERY_API_ENDPOINT: z
    .url()
    .optional()
    .describe("Root URL of a test server that stands in for BigQuery; not set in production."),
  BIGQUERY_STORAGE_ENDPOINT: z
    .string()
    .regex(/^[^\s:/]+:[0-9]{1,5}$/, "must be HOST:PORT")
    .optional()
    .describe("HOST:PORT of the same server's Storage Write API; not set in production."),
};

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

import { z } from "zod";
import { defineContract } from "../platform/contract";
import {
  gcsEndpoint,
  logLevel,
  pinnedModel,
  pseudonymKey,
  shadowModel,
  wholeNumberVariable,
} from "../platform/environment";
import { PREVALENCE_FORM, parsePrevalence } from "../platform/prevalence";
import { identityVariables } from "./identity/settings";

/** What a scan may cost, and how many are let in. */
export const SERVE_DEFAULTS = {
  maxBodyMiB: 64,
  queueLimit: 16,
  maxPages: 64,
  maxMegapixels: 25,
  deadlineSeconds: 30,
  drainSeconds: 2,
  keepDays: 30,
} as const;

export type { Role as CallerRole } from "./identity/roles";

/** What says who may ask. */
export type IdentityVariable = keyof typeof identityVariables;

/** What the serving process needs; see {@link RuntimeContract}. */
export const serveContract = defineContract({
  name: "serve",
  entry: "runtime/serve/server.ts",
  workers: [
    "runtime/imaging/dicom/codec-worker.ts",
    "runtime/model/answer-worker.ts",
    "runtime/serve/picture-worker.ts",
    "runtime/serve/reading/reading-worker.ts",
    // The job that seals what was answered runs in the same image, with this in place of the entry.
    "runtime/audit/sealer.ts",
  ],
  target: "main",
  dashboard: true,
  env: z.object({
    PORT: wholeNumberVariable("Port to listen on", 0, 65_535, 8080),
    HOST: z.string().min(1).default("0.0.0.0").describe("Address to listen on (default 0.0.0.0)."),
    MAX_BODY_MIB: wholeNumberVariable(
      "Largest request body, mebibytes; memory for four such is taken, twice as much for forms",
      1,
      256,
      SERVE_DEFAULTS.maxBodyMiB,
    ),
    MAX_PAGES: wholeNumberVariable(
      "Pages of a scan, each of which costs a whole inference; all together may have 2^20 pixels for each of these",
      1,
      10_000,
      SERVE_DEFAULTS.maxPages,
    ),
    MAX_MEGAPIXELS: wholeNumberVariable("Pixels of a page, millions", 1, 50, SERVE_DEFAULTS.maxMegapixels),
    QUEUE_LIMIT: wholeNumberVariable(
      "Scans in progress before further ones are sent away; a quarter of them may be large",
      1,
      10_000,
      SERVE_DEFAULTS.queueLimit,
    ),
    DEADLINE_SECONDS: wholeNumberVariable(
      "Seconds from the end of an upload within which its answer is given; after them there is none",
      1,
      600,
      SERVE_DEFAULTS.deadlineSeconds,
    ),
    DRAIN_SECONDS: wholeNumberVariable(
      "Seconds between the first no of /readyz and the last connection that is taken, once the process is told to stop",
      0,
      60,
      SERVE_DEFAULTS.drainSeconds,
    ),
    KEEP_DAYS: wholeNumberVariable(
      "Days that pixels and maps of answers are kept, from the beginning of the day (UTC)",
      1,
      3650,
      SERVE_DEFAULTS.keepDays,
    ),
    PREVALENCE: z
      .string()
      .refine((text) => parsePrevalence(text) !== undefined, `must be ${PREVALENCE_FORM}`)
      .transform(Number)
      .optional()
      .describe(
        "Share of Cancer among the scans that are sent; answers are restated for it beside what the model says, and decided as before. Not set: they are not.",
      ),
    ...identityVariables,
    PSEUDONYM_KEY: pseudonymKey,
    RATE_LIMIT: wholeNumberVariable(
      "Requests of one caller in a minute, for each instance; 0: any number",
      0,
      1_000_000,
      1200,
    ),
    PINNED_MODEL: pinnedModel,
    SHADOW_MODEL: shadowModel,
    LOG_LEVEL: logLevel,
    GCS_API_ENDPOINT: gcsEndpoint,
  }),
  // Scans of the data set that are like the one asked about: which there are, and their pictures.
  // And what monitoring tells.
  reads: ["models", "reports", "curated", "images", "assignments", "features_deep", "monitoring"],
  creates: [],
  // What comes in by STOW-RS has no label, and is not what the hospital's gateway has made nameless.
  createsBelow: {
    landing: { folders: ["Unlabelled/"], except: ["Unlabelled/gateway/"] },
    // What is counted before a model is promoted, and where the pointer was.
    models: { folders: ["comparisons/", "history/"] },
    // What is kept of answers, requests and diagnoses: no evaluation, no state of a retraining, no log.
    reports: {
      folders: [
        "accessions/",
        "answers/",
        "dicomweb/",
        "feedback-index/",
        "feedback-turns/",
        "feedback/",
        "history/",
        "idempotency/",
      ],
    },
  },
  writes: [],
  // The pointer to the model that is served: an administrator moves it.
  replaces: { models: ["current.json"] },
  appends: ["predictions", "shadows", "feedback", "audit", "refusals"],
  health: { startup: "/readyz", liveness: "/healthz" },
  resources: { memoryGiB: 2, cpu: 1, timeoutSeconds: 60 },
});

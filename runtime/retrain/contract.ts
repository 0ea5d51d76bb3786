import { z } from "zod";
import { defineContract } from "../platform/contract";
import { gcsEndpoint, logLevel, wholeNumberVariable } from "../platform/environment";

/**
 * A retraining, step by step: the local runner and the workflow of the cloud are both made of this list.
 *
 * `by`: who does the work in the cloud. The function does what is light; what Spark or a GPU does, the function confirms
 * once it is done. On a laptop one process does all of it.
 */
export const RETRAIN_STEPS = [
  { name: "snapshot", by: "function", title: "take in what feedback teaches, and write down which scans count" },
  { name: "preprocess", by: "cluster", title: "group, split, and make the recipe's pixels" },
  { name: "train", by: "machine", title: "train a model on the scans of the snapshot" },
  { name: "evaluate", by: "function", title: "measure it on the untouched test set and on the reference set" },
  { name: "compare", by: "function", title: "measure the current model on the same scans" },
  { name: "promote", by: "function", title: "make it the current one, or not" },
  { name: "record", by: "function", title: "write down what came of it" },
] as const satisfies readonly RetrainStep[];

interface RetrainStep {
  readonly name: string;
  readonly by: "function" | "cluster" | "machine";
  /** Completes "This step is there to ...". */
  readonly title: string;
}

export type RetrainStepName = (typeof RETRAIN_STEPS)[number]["name"];

/** What may start a retraining. A person's word needs no reason. */
export const TRIGGERS = ["person", "schedule", "labels", "alarm"] as const;
export type Trigger = (typeof TRIGGERS)[number];

/** When retraining is due without a person: 0 is never. */
export const RETRAIN_DEFAULTS = { everyDays: 30, newScans: 100 } as const;

/** Addresses of one person, at least two, as they are written. */
export const samePersonList = z.array(z.array(z.email()).min(2));

const samePersonVariable = z
  .string()
  .default("[]")
  .transform((text, context) => {
    try {
      return samePersonList.parse(JSON.parse(text));
    } catch {
      context.addIssue("must be JSON: a list of lists of e-mail addresses, two or more in each");
      return z.NEVER;
    }
  })
  .describe("Addresses that belong to one person each, whose word counts once: JSON, a list of lists.");

/** Seconds without a sign of life after which another runner may go on with a run. */
export const LEASE_SECONDS = 600;

/** What the function that keeps the state of retraining needs; see {@link RuntimeContract}. */
export const retrainContract = defineContract({
  name: "retrain",
  entry: "runtime/retrain/function.ts",
  workers: ["runtime/model/answer-worker.ts"],
  target: "retrain",
  env: z.object({
    SEED: wholeNumberVariable(
      "Decides what evaluation draws by chance; the training machine has its own",
      0,
      2 ** 31 - 1,
      0,
    ),
    EVERY_DAYS: wholeNumberVariable(
      "Days after which a retraining is due; 0: never by itself",
      0,
      3650,
      RETRAIN_DEFAULTS.everyDays,
    ),
    NEW_SCANS: wholeNumberVariable(
      "New labelled scans after which a retraining is due; 0: never by itself",
      0,
      1_000_000_000,
      RETRAIN_DEFAULTS.newScans,
    ),
    ON_ALARM: z.enum(["yes", "no"]).default("yes").describe("Whether an alarm of monitoring makes a retraining due."),
    LEARN_FROM_FEEDBACK: z
      .enum(["yes", "no"])
      .default("no")
      .describe(
        "Whether the hospital consents to learning from feedback; no also takes out what was learnt from before.",
      ),
    SAME_PERSON: samePersonVariable,
    LOG_LEVEL: logLevel,
    GCS_API_ENDPOINT: gcsEndpoint,
  }),
  reads: [
    "curated",
    "processed",
    "models",
    "reports",
    "images",
    "assignments",
    "predictions",
    "feedback",
    "monitoring",
    "features_pca",
    "pca_fits",
    "features_deep",
  ],
  creates: [],
  createsBelow: {
    // Pictures on whose label people agree: intake's LEARNT_FOLDERS.
    landing: { folders: ["Cancer/feedback/", "Non-Cancer/feedback/"] },
    // What is counted before a model is promoted, and where the pointer was.
    models: { folders: ["comparisons/", "history/"] },
  },
  // State, lease and evaluations.
  writes: ["reports"],
  replaces: { models: ["current.json"] },
  // A label that no longer counts is taken out by a row of its own.
  appends: ["audit", "images"],
  health: null,
  resources: { memoryGiB: 4, cpu: 2, timeoutSeconds: 1800 },
});

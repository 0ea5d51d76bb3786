import { z } from "zod";
import { defineContract } from "../platform/contract";
import { gcsEndpoint, logLevel, trainingOrder, wholeNumberVariable } from "../platform/environment";
import { BACKENDS } from "../tensorflow/backend-names";

/** What the training job needs; see {@link RuntimeContract}. */
export const trainContract = defineContract({
  name: "train",
  entry: "runtime/train/main.ts",
  workers: ["runtime/model/answer-worker.ts", "runtime/train/batch-worker.ts", "runtime/train/replica-worker.ts"],
  // The backend is loaded by the name that BACKEND has.
  packages: ["@tensorflow/tfjs-node-gpu"],
  target: "main",
  env: z.object({
    BACKEND: z
      .enum(BACKENDS)
      .default("tfjs-node-gpu")
      .describe("TensorFlow.js backend; the job fails where it cannot be used, instead of training slowly on another."),
    SEED: wholeNumberVariable("Decides initial weights, order of the images and augmentation", 0, 2 ** 31 - 1, 0),
    EPOCHS: z
      .string()
      .regex(/^[1-9][0-9]{0,4}$/, "must be a whole number from 1")
      .transform(Number)
      .optional()
      .describe("Times that every training image is seen; by default the trainer's own."),
    TEACHER: z
      .string()
      .optional()
      .describe(
        "Where a pretrained network and its backbone.json lie: gs://BUCKET/FOLDER, in the hospital's bucket of models, which learns first and teaches the model; without it the model learns of labels and masks alone.",
      ),
    SERVES: z
      .enum(["pupil", "teacher"])
      .default("pupil")
      .describe(
        "Which becomes the model where TEACHER is given: the compact network that the teacher teaches, or the teacher itself, for 2.5 times the processor time of an answer with EfficientNet-Lite0.",
      ),
    RETRAINING: trainingOrder,
    SCRATCH_DIRECTORY: z
      .string()
      .default("/var/tmp/brain-tumor-stack")
      .describe("Local directory for checkpoints: on a disk that outlives the process, a killed job is resumed."),
    LOG_LEVEL: logLevel,
    GCS_API_ENDPOINT: gcsEndpoint,
  }),
  reads: ["processed", "models", "reports", "images", "assignments", "features_pca", "pca_fits", "features_deep"],
  creates: ["models"],
  // Which model was trained for a retraining.
  createsBelow: { reports: { folders: ["retraining/"] } },
  writes: [],
  // The pointer to the current model, and the newest evaluation of each.
  replaces: { models: ["current.json"], reports: ["evaluation/"] },
  appends: [],
  health: null,
  resources: { memoryGiB: 16, cpu: 4, timeoutSeconds: 6 * 3600 },
});

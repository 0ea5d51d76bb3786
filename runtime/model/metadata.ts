import { z } from "zod";
import { engineSchema } from "./parity";

/** The teacher in `teachers/<id>`, and the network of others that this was made of. */
const teacherSchema = z.object({
  id: z.string(),
  /** Name and the beginning of the SHA-256, as rows of features have them. */
  backbone: z.string(),
  sha256: z.string(),
  licence: z.string(),
  source: z.string().optional(),
});

/** `metadata.json` beside a model's weights. */
export const modelMetadataSchema = z.object({
  /** Names the model: hash of the training set, the configuration with its seed, the backend, and `madeBy`. */
  id: z.string().regex(/^[a-z0-9][a-z0-9-]{5,62}$/),
  /** The pixel recipe its inputs were made by. A process with another recipe refuses the model. */
  recipe: z.string(),
  /** Trainable parameters of the inference graph. */
  parameters: z.number().int().positive(),
  /**
   * What the network is shown of an image: the image alone (the default), its mirror images too, or these at two sizes;
   * log odds are averaged.
   */
  views: z.enum(["plain", "mirrored", "mirrored-two-sizes"]).optional(),
  /** Probability, calibrated where that helps, from which the label is Cancer; it follows from the validation split alone. */
  threshold: z.number().min(0).max(1),
  /**
   * By what the network's log odds are divided before they are a probability: fitted on the validation split alone.
   * Absent: 1.
   */
  temperature: z.number().positive().optional(),
  /** What is then added to the log odds: fitted with the temperature. Absent: 0. */
  offset: z.number().optional(),
  /**
   * Share of Cancer among the validation images, to which calibration and threshold were fitted: what its probabilities
   * assume. Absent in older models, and where a class is missing.
   */
  prevalence: z.number().gt(0).lt(1).optional(),
  /**
   * Whether temperature and offset were fitted, or stay 1 and 0 because they did not help: the calibration error of the
   * validation images as the network answers, and with each fold of their groups calibrated by the other folds; null where
   * nothing could be held out. Absent in models from before this was asked.
   */
  calibration: z
    .object({
      applied: z.boolean(),
      groups: z.number().int(),
      folds: z.number().int(),
      ece: z.object({ without: z.number(), crossValidated: z.number() }).nullable(),
    })
    .optional(),
  /** Calibrated probabilities that are referred to a person; absent where a model decides every scan. */
  uncertain: z
    .object({
      low: z.number().min(0).max(1),
      high: z.number().min(0).max(1),
      /** The trade on the validation split: the share that is referred, and accuracy of what is kept and of all. */
      validation: z.object({ images: z.number().int(), referred: z.number(), kept: z.number(), all: z.number() }),
    })
    .refine(({ low, high }) => low <= high, "low must not lie above high")
    .optional(),
  /**
   * The lowest thresholds that hold the false alarms among the validation split's Non-Cancer images to a share: for who
   * needs another trade than `threshold`. Absent where there was no such image.
   */
  operatingPoints: z
    .array(z.object({ specificity: z.number().min(0).max(1), threshold: z.number().min(0).max(1) }))
    .optional(),
  /** The input guard in `guard.bin`; absent where a model takes every picture. */
  guard: z
    .object({
      /** What it measures; a process that measures something else refuses the model. */
      descriptor: z.string(),
      /** Distance above which a picture is refused. */
      threshold: z.number().positive(),
      /** The same for a picture that fits only when it is turned by a multiple of 90 degrees. Absent in older models. */
      turned: z.number().positive().optional(),
      /** By what it tells CT; a process with another rule refuses the model. Absent in older models, which do not. */
      skull: z.string().optional(),
      /** Training and validation scans that it was fitted to. */
      scans: z.number().int(),
      /** Scans among them that show the skull of a CT, to which it was not fitted. Absent in older models. */
      ct: z.number().int().optional(),
      /** Share of all of them that it would refuse, each judged without its own group. */
      falseAlarms: z.number().min(0).max(1),
    })
    .optional(),
  /** How `model.onnx` was made and how near its answers are; absent in older models, see {@link readEngine}. */
  engine: engineSchema.optional(),
  /** Layer whose activations Grad-CAM weighs. */
  gradCamLayer: z.string(),
  backend: z.string(),
  seed: z.number().int(),
  /** SHA-256 over ids, pixels, labels, groups, splits and masks of the rows it was trained on. */
  dataset: z.string(),
  /** Rows of each split that the trainer saw. */
  counts: z.object({ train: z.number(), validation: z.number(), test: z.number() }),
  /** Epochs that its weights have had; fewer than it was told where training stopped early. Absent in older models. */
  epochs: z.number().int().positive().optional(),
  /** Everything the trainer was told. */
  configuration: z.record(z.string(), z.unknown()),
  /** Ids of the ways in which the program trained it and made its decisions and its guard; absent in older models. */
  madeBy: z.record(z.string(), z.string()).optional(),
  /** Whose pupil it is. Absent: nobody's. */
  teacher: teacherSchema
    .extend({
      /**
       * AUC of both on the validation images before calibration, and the teacher's less the model's with its 95 % interval
       * over resampled groups: null where these are fewer than the change plan tests. Absent where a class was missing, and
       * in older models.
       */
      beside: z
        .object({
          ...{ images: z.number().int(), groups: z.number().int(), own: z.number(), teacher: z.number() },
          difference: z.object({ value: z.number(), low: z.number(), high: z.number() }).nullable(),
        })
        .optional(),
    })
    .optional(),
  /** The teacher that it is itself, in place of the compact network. Absent: it is the compact network. */
  fineTuned: teacherSchema.optional(),
  /** True when it was trained on drawn phantoms only. */
  synthetic: z.boolean(),
  /** SHA-256 of each of the model's other files. */
  files: z.record(z.string(), z.string()),
});
export type ModelMetadata = z.infer<typeof modelMetadataSchema>;

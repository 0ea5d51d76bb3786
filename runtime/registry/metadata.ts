import { z } from "zod";

/** `metadata.json` beside a model's weights. */
export const modelMetadataSchema = z.object({
  /** Names the model: hash of the training set, the training configuration, the seed and the backend. */
  id: z.string().regex(/^[a-z0-9][a-z0-9-]{5,62}$/),
  /** The pixel recipe its inputs were made by. A process with another recipe refuses the model. */
  recipe: z.string(),
  /** Trainable parameters of the inference graph. */
  parameters: z.number().int().positive(),
  /** Probability from which the label is Cancer; chosen on the validation split alone. */
  threshold: z.number().min(0).max(1),
  /** Layer whose activations Grad-CAM weighs. */
  gradCamLayer: z.string(),
  backend: z.string(),
  seed: z.number().int(),
  /** SHA-256 over ids, labels, groups and splits of the rows it was trained on. */
  dataset: z.string(),
  /** Rows of each split that the trainer saw. */
  counts: z.object({ train: z.number(), validation: z.number(), test: z.number() }),
  /** Everything the trainer was told. */
  configuration: z.record(z.string(), z.unknown()),
  /** True when it was trained on drawn phantoms only. */
  synthetic: z.boolean(),
  /** SHA-256 of each of the model's other files. */
  files: z.record(z.string(), z.string()),
});
export type ModelMetadata = z.infer<typeof modelMetadataSchema>;

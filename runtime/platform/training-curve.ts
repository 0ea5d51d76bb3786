import { z } from "zod";

/** `training.json` of a model: how its training went, epoch by epoch. */
export const trainingCurveSchema = z.object({
  chosen: z.int().describe("The epoch whose weights the model has"),
  epochs: z.array(
    z.object({
      epoch: z.int(),
      loss: z.number(),
      imagesPerSecond: z.number().nullable(),
      validation: z.object({ loss: z.number(), auc: z.number() }).nullable(),
    }),
  ),
});
export type TrainingCurve = z.infer<typeof trainingCurveSchema>;

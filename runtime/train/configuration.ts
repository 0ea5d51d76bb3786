import { z } from "zod";
import { LEAST_STEPS } from "../model";

/** What a training run is told: with the data and the backend it decides every weight. */
export const trainingConfigurationSchema = z.object({
  seed: z.number().int().nonnegative(),
  epochs: z.number().int().positive(),
  /** Images a step. */
  batch: z.number().int().min(2),
  /** Peak of the one-cycle schedule. */
  learningRate: z.number().positive(),
  /** Decoupled weight decay, a step, relative to the learning rate. */
  weightDecay: z.number().nonnegative(),
  /** Epochs without a higher validation AUC after which training stops; 0: never. */
  patience: z.number().int().nonnegative(),
});
export type TrainingConfiguration = z.infer<typeof trainingConfigurationSchema>;

export const DEFAULT_EPOCHS = 60;

export function trainingConfiguration(
  rows: number,
  options: { seed: number; epochs?: number; patience?: number },
): TrainingConfiguration {
  const batch = Math.max(2, Math.min(32, rows));
  const steps = Math.max(1, Math.floor(rows / batch));
  return {
    seed: options.seed,
    // A small data set is gone through more often: fewer steps teach nothing.
    epochs: options.epochs ?? Math.max(DEFAULT_EPOCHS, Math.ceil(LEAST_STEPS / steps)),
    batch,
    learningRate: 4e-3,
    weightDecay: 0.02,
    patience: options.patience ?? 0,
  };
}

/** Times that a teacher sees every training image: its backbone has seen a million others. */
export const TEACHER_EPOCHS = 10;

/** The same for a teacher, whose weights have been trained before: fewer epochs, a lower peak. */
export function teacherConfiguration(rows: number, options: { seed: number; epochs?: number }): TrainingConfiguration {
  const batch = Math.max(2, Math.min(32, rows));
  const steps = Math.max(1, Math.floor(rows / batch));
  return {
    seed: options.seed,
    epochs: options.epochs ?? Math.max(TEACHER_EPOCHS, Math.ceil(LEAST_STEPS / steps)),
    batch,
    learningRate: 1e-3,
    weightDecay: 0.01,
    patience: 0,
  };
}

export const SCHEDULE = {
  /** Share of the steps in which the learning rate rises. */
  rise: 0.2,
  /** What it never falls below. */
  floor: 1e-5,
} as const;

/**
 * One-cycle schedule (Smith and Topin, 2018): linear rise over a fifth of the steps, then half a cosine down to zero.
 *
 * @param progress share of all steps that is done, 0 to 1
 */
export function learningRateAt(progress: number, peak: number): number {
  const { rise, floor } = SCHEDULE;
  const share = progress < rise ? progress / rise : (1 + Math.cos((Math.PI * (progress - rise)) / (1 - rise))) / 2;
  return peak * share + floor;
}

import { type TrainingCurve, trainingCurveSchema } from "../platform/training-curve";
import type { ModelFiles } from "./model-files";

/** Beside a model's own files; nothing that answers depends on it. */
export const TRAINING_FILE = "training.json";

/** How a model's training went; undefined where nothing of it can be read: a model from elsewhere need not have it. */
export async function readTrainingCurve(files: ModelFiles): Promise<TrainingCurve | undefined> {
  try {
    return trainingCurveSchema.parse(JSON.parse(Buffer.from(await files.read(TRAINING_FILE)).toString("utf8")));
  } catch {
    return undefined;
  }
}

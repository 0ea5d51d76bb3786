import { z } from "zod";
import { inEveryTier, linePart } from "../core/hospital-line";
import { MODELS_FOLDER, modelsFolderProblem } from "../core/models-folder";

/** `features` of a hospital's line. */
export const featuresLine = linePart({
  schema: z.strictObject({ backbone: MODELS_FOLDER.optional() }),
  purpose: {
    backbone:
      "Where a pretrained network and its backbone.json lie, whose features of every picture the workflow then adds to `features_deep` (docs/commands.md); another folder is another network, whose rows stand beside those of before. Without it there are the model's own alone.",
  },
  defaults: inEveryTier({}),
});

/**
 * Rules over several values, as ends of sentences that begin with the hospital.
 *
 * @param models the hospital's bucket of models
 */
export function featuresProblems(
  { backbone }: { readonly backbone?: string | undefined },
  models: string | undefined,
): string[] {
  const problem = modelsFolderProblem("features.backbone", backbone, models, "the cluster");
  return problem ? [problem] : [];
}

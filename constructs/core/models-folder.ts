import { z } from "zod";

/** A folder of the hospital's bucket of models, as a line names it. */
export const MODELS_FOLDER = z
  .string()
  .regex(/^gs:\/\/[a-z0-9][a-z0-9-]+[a-z0-9](\/[\w.-]+)+$/)
  .describe("a folder of the hospital's bucket of models: gs://PROJECT-NAME-models/FOLDER");

/**
 * Why what needs a folder may not read it, as the end of a sentence that begins with the hospital; undefined if it may.
 *
 * @param key where the folder stands in the line
 * @param models the hospital's bucket of models
 * @param reader who needs it
 */
export function modelsFolderProblem(
  key: string,
  folder: string | undefined,
  models: string | undefined,
  reader: string,
): string | undefined {
  if (!folder || !models || folder.startsWith(`gs://${models}/`)) return undefined;
  return `"${key}" is "${folder}", which ${reader} may not read; allowed: a folder of the hospital's own bucket of models, gs://${models}/FOLDER.`;
}

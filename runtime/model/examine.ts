import { readParts } from "./load-classifier";
import type { ModelMetadata } from "./metadata";
import { type ModelFiles, readMetadata, UnusableModelError } from "./model-files";
import type { Parity } from "./parity";

/** What is known of a model that nobody has loaded. */
export interface ExaminedModel {
  /** Undefined where it cannot be read. */
  readonly metadata: ModelMetadata | undefined;
  /** How near its answers are to those of the network that was trained; undefined where it answers nobody. */
  readonly parity: Parity | undefined;
  /** Why this program does not answer with it. */
  readonly problem: UnusableModelError | undefined;
}

/** Reads and verifies all of a model that {@link loadClassifier} does, without starting it. */
export async function examineModel(files: ModelFiles): Promise<ExaminedModel> {
  let metadata: ModelMetadata | undefined;
  try {
    metadata = await readMetadata(files);
    const { engine } = await readParts(files, metadata);
    return { metadata, parity: engine.parity, problem: undefined };
  } catch (error) {
    if (!(error instanceof UnusableModelError)) throw error;
    return { metadata, parity: undefined, problem: error };
  }
}

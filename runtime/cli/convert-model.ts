import { describeParity, examineModel, modelFilesInStore } from "../model";
import { createProgress } from "../platform/progress";
import type { ReadableStore } from "../platform/stores";
import { publishModel } from "../registry";
import { type Backend, convertModel } from "../tensorflow";
import { interruptible } from "./command-line";
import { inWorkspace, requireModels } from "./models";

/**
 * Adds to a model of an earlier program what it needs to answer. Nothing that is there is replaced.
 *
 * @returns a sentence
 * @throws {ConfigurationError} if there is no such model
 */
export async function convert(directory: string, id: string, backend: Backend | undefined): Promise<string> {
  const interruption = interruptible();
  try {
    return await inWorkspace(directory, async (workspace) => {
      const { models } = workspace.buckets;
      await requireModels(models, id);
      const files = modelFilesInStore(models, id);
      const known = await describeEngine(models, id);
      if (known) return `${id} needs no conversion: ${known}.`;
      const { added, sentence } = await convertModel(files, workspace, {
        ...(backend ? { backend } : {}),
        progress: createProgress("convert"),
        signal: interruption.signal,
      });
      await publishModel(models, id, added);
      return `${id} has ${[...added.keys()].join(" and ")} now: ${sentence}.`;
    });
  } finally {
    interruption.release();
  }
}

/** What a model that answers already was measured to; undefined for one that is to be converted. */
async function describeEngine(models: ReadableStore, id: string): Promise<string | undefined> {
  const { parity, problem } = await examineModel(modelFilesInStore(models, id));
  if (parity) return describeParity(parity);
  if (problem?.code === "not-converted") return undefined;
  throw problem;
}

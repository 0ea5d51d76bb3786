import {
  describeParity,
  type ModelMetadata,
  modelFilesInStore,
  readEngine,
  readMetadata,
  readOnnx,
  readParts,
  UnusableModelError,
} from "../model";
import { ConfigurationError } from "../platform/config";
import { createProgress } from "../platform/progress";
import type { ReadableStore } from "../platform/stores";
import { openWorkspace, type Workspace } from "../platform/workspace";
import { currentModel, isPublished, publishedModels, publishModel } from "../registry";
import { type Backend, convertModel } from "../tensorflow";
import { interruptible } from "./command-line";

/** A model of a workspace, as `models -- list` shows it. */
export interface ListedModel {
  readonly id: string;
  readonly current: boolean;
  readonly parameters: number;
  readonly counts: ModelMetadata["counts"];
  readonly synthetic: boolean;
  /** How near its answers are to those of the network that was trained, as a sentence; or why it answers nobody. */
  readonly engine: string;
  readonly answers: boolean;
}

/** @throws {UnusableModelError} if the metadata of one cannot be read */
export async function listModels(directory: string): Promise<readonly ListedModel[]> {
  return inWorkspace(directory, async ({ buckets: { models } }) => {
    const current = (await currentModel(models))?.model;
    const listed: ListedModel[] = [];
    for await (const metadata of publishedModels(models)) {
      const { id, parameters, counts, synthetic } = metadata;
      listed.push({
        id,
        current: id === current,
        parameters,
        counts,
        synthetic,
        ...(await engineOf(models, metadata)),
      });
    }
    return listed;
  });
}

async function engineOf(
  models: ReadableStore,
  metadata: ModelMetadata,
): Promise<Pick<ListedModel, "engine" | "answers">> {
  try {
    const files = modelFilesInStore(models, metadata.id);
    await readParts(files, metadata);
    const { engine } = await readEngine(files, metadata);
    return { engine: describeParity(engine.parity), answers: true };
  } catch (error) {
    if (error instanceof UnusableModelError) return { engine: error.message, answers: false };
    throw error;
  }
}

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
      if (!(await isPublished(models, id))) throw new ConfigurationError("The model", [await unknown(models, id)]);
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
  const files = modelFilesInStore(models, id);
  try {
    const metadata = await readMetadata(files);
    const { engine } = await readEngine(files, metadata);
    await readOnnx(files, metadata);
    return describeParity(engine.parity);
  } catch (error) {
    if (error instanceof UnusableModelError && error.code === "not-converted") return undefined;
    throw error;
  }
}

async function unknown(models: ReadableStore, id: string): Promise<string> {
  const ids: string[] = [];
  for await (const metadata of publishedModels(models)) ids.push(metadata.id);
  const there = ids.length > 0 ? `There are ${ids.join(", ")}.` : "There is none: npm run train makes one.";
  return `There is no model ${id} in ${models.uri}. ${there}`;
}

async function inWorkspace<T>(directory: string, work: (workspace: Workspace) => Promise<T>): Promise<T> {
  const workspace = await openWorkspace(directory);
  try {
    return await work(workspace);
  } finally {
    await workspace.close();
  }
}

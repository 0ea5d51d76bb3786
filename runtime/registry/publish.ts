import { METADATA_FILE } from "../model";
import { type CreatableStore, PreconditionFailedError, type ReadableStore } from "../platform/stores";

/**
 * Stores a model under `<id>/`. Models are immutable: a file that is there already must have the same bytes.
 * `metadata.json` comes last, so a model without it is one that was never finished.
 *
 * @throws {Error} if another model has taken the id
 */
export async function publishModel(
  models: ReadableStore & CreatableStore,
  id: string,
  files: ReadonlyMap<string, Buffer>,
): Promise<void> {
  const names = [...files.keys()].sort((a, b) => Number(a === METADATA_FILE) - Number(b === METADATA_FILE));
  for (const name of names) {
    const content = files.get(name) as Buffer;
    try {
      await models.create(`${id}/${name}`, content);
    } catch (error) {
      if (!(error instanceof PreconditionFailedError)) throw error;
      const present = await models.read(`${id}/${name}`);
      if (!present.equals(content)) {
        throw new Error(
          `Model ${id} exists already with another ${name}, and models are never changed. Train with another seed or remove ${models.uri}/${id}.`,
        );
      }
    }
  }
}

/** Whether a model was published whole. */
export async function isPublished(models: ReadableStore, id: string): Promise<boolean> {
  return (await models.stat(`${id}/${METADATA_FILE}`)) !== undefined;
}

import { METADATA_FILE, type ModelMetadata, modelFilesInStore, readMetadata } from "../model";
import type { ReadableStore } from "../platform/stores";

/** Ids of every model that was published whole, in their order, with when that was (ISO 8601). */
export async function* publishedIds(
  models: ReadableStore,
): AsyncGenerator<{ readonly id: string; readonly at: string }> {
  for await (const { name, updated } of models.listAll()) {
    const [id, file, ...below] = name.split("/") as [string, ...string[]];
    if (file === METADATA_FILE && below.length === 0) yield { id, at: updated };
  }
}

/** Every model that was published whole, in the order of the ids. One whose metadata cannot be read throws. */
export async function* publishedModels(models: ReadableStore): AsyncGenerator<ModelMetadata> {
  for await (const { id } of publishedIds(models)) yield readMetadata(modelFilesInStore(models, id));
}

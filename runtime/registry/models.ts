import { METADATA_FILE, type ModelMetadata, modelFilesInStore, readMetadata } from "../model";
import type { ReadableStore } from "../platform/stores";

/** Every model that was published whole, in the order of the ids. One whose metadata cannot be read throws. */
export async function* publishedModels(models: ReadableStore): AsyncGenerator<ModelMetadata> {
  for await (const { name } of models.listAll()) {
    const [id, file, ...below] = name.split("/") as [string, ...string[]];
    if (file === METADATA_FILE && below.length === 0) yield readMetadata(modelFilesInStore(models, id));
  }
}

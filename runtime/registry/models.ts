import { METADATA_FILE } from "../model";
import type { ReadableStore } from "../platform/stores";

export interface PublishedModel {
  readonly id: string;
  /** When it was published whole, ISO 8601. */
  readonly at: string;
  /** Names the bytes of all its files: another once one of them is added or replaced. */
  readonly version: string;
}

/** Every model that was published whole, in the order of the ids. @param id of the only one that is looked for */
export async function* publishedModels(models: ReadableStore, id?: string): AsyncGenerator<PublishedModel> {
  let at: string | undefined;
  let [current, version] = ["", ""];
  for await (const { name, updated, generation } of models.listAll(id === undefined ? "" : `${id}/`)) {
    const slash = name.indexOf("/");
    if (slash < 0) continue;
    const folder = name.slice(0, slash);
    if (folder !== current) {
      if (at !== undefined) yield { id: current, at, version };
      [current, version, at] = [folder, "", undefined];
    }
    version += `${name.slice(slash + 1)}#${generation} `;
    if (name === `${folder}/${METADATA_FILE}`) at = updated;
  }
  if (at !== undefined) yield { id: current, at, version };
}

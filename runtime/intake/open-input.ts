import { requireAll } from "../platform/config";
import { type InputFolder, readInputFolder, requireLabelFolders, requireNamedFolders } from "./input-folder";
import { contradictions, EMPTY_MANIFEST, type Manifest, manifestNotes, readManifest } from "./manifest";
import { ANY_CASE, type FolderNames } from "./names";

/** A person's folder of scans that can be used. */
export interface Input {
  readonly folder: InputFolder;
  readonly manifest: Manifest;
  /** What its folders stand for. */
  readonly names: FolderNames;
}

/**
 * Lists a folder and reads its manifest. Nothing is begun with one that cannot be used: a manifest with mistakes would
 * spoil every scan after it.
 *
 * @throws {ConfigurationError} with all that is wrong
 */
export async function openInput(directory: string, names: FolderNames = ANY_CASE): Promise<Input> {
  const folder = readInputFolder(directory, names);
  let manifest = EMPTY_MANIFEST;
  await requireAll(
    () => requireLabelFolders(folder),
    () => requireNamedFolders(folder, names),
    async () => {
      manifest = await readManifest(folder.files, names);
    },
  );
  return { folder, manifest, names };
}

/** What is to be said of a folder whose own labels count: what was passed over, and what its manifest says in vain. */
export function labelNotes({ folder, manifest }: Input): string[] {
  const torn = contradictions(manifest, folder.files, "the folder counts.");
  return [...folder.notes, ...manifestNotes(manifest, folder.files), ...(torn === undefined ? [] : [torn])];
}

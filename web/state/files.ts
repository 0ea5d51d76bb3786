/** A file with the name that its row has: its path within what was dropped. */
export interface NamedFile {
  readonly name: string;
  readonly file: File;
}

/** What systems leave in folders by themselves. */
const LEFT_BY_SYSTEMS = /^(\.|Thumbs\.db$|desktop\.ini$)/;

const shown = ({ name }: NamedFile) => !LEFT_BY_SYSTEMS.test(name.split("/").at(-1) ?? "");
const byName = (a: NamedFile, b: NamedFile) => a.name.localeCompare(b.name, undefined, { numeric: true });

/** What the input folder of the commands holds beside its scans (docs/commands.md), at its top. */
const BESIDE_SCANS = /^([^/]+\/)?(masks\/.*|manifest\.csv)$/;

/** Scans, and how many files are none by their place: lesion masks and the manifest, which would be answered like scans. */
export function scansAmong(files: readonly NamedFile[]): { scans: readonly NamedFile[]; leftOut: number } {
  const scans = files.filter(({ name }) => !BESIDE_SCANS.test(name));
  return { scans, leftOut: files.length - scans.length };
}

/** Files that were chosen by a dialog, of a folder with their paths. */
export function chosenFiles(files: FileList | null): readonly NamedFile[] {
  return [...(files ?? [])]
    .map((file) => ({ name: file.webkitRelativePath || file.name, file }))
    .filter(shown)
    .sort(byName);
}

/** Files and folders that were dropped, folders with all that is in them. */
export async function droppedFiles(transfer: DataTransfer): Promise<readonly NamedFile[]> {
  // The list is empty after the first pause: every entry is taken before.
  const entries = [...transfer.items].flatMap((item) => item.webkitGetAsEntry?.() ?? []);
  if (entries.length === 0) return chosenFiles(transfer.files);
  const found = (await Promise.all(entries.map((entry) => filesOf(entry)))).flat();
  return found.filter(shown).sort(byName);
}

async function filesOf(entry: FileSystemEntry): Promise<readonly NamedFile[]> {
  const name = entry.fullPath.replace(/^\//, "");
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
    return [{ name, file }];
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const found: NamedFile[] = [];
  // A reader gives some at a time, and nothing when it has given all.
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return found;
    for (const inner of some) found.push(...(await filesOf(inner)));
  }
}

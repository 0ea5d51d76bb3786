import { open } from "node:fs/promises";

/** Makes the names in a folder last: what was renamed or made in it is there after the machine's death too. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

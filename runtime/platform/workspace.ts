import { existsSync } from "node:fs";
import { mkdir, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { BUCKETS, type BucketName } from "./contract";
import type { ObjectStore } from "./stores";
import { openStore } from "./stores";
import type { Warehouse } from "./warehouse";
import { ObjectStoreWarehouse } from "./warehouse";

/** One hospital's buckets and warehouse, as folders of one directory. */
export interface Workspace {
  /** Absolute path. */
  readonly directory: string;
  readonly buckets: Readonly<Record<BucketName, ObjectStore>>;
  readonly warehouse: Warehouse;
  close(): Promise<void>;
}

export const DEFAULT_WORKSPACE = ".workspace";
/** Where `demo` draws phantoms: they and scans never share a workspace. */
export const PHANTOM_WORKSPACE = ".workspace-phantoms";

export async function openWorkspace(directory: string = DEFAULT_WORKSPACE): Promise<Workspace> {
  const root = resolve(directory);
  await makeFolder(root);
  const opened = await Promise.all(
    BUCKETS.map(async (bucket) => [bucket, await openStore(join(root, bucket))] as const),
  );
  const buckets = Object.fromEntries(opened) as Record<BucketName, ObjectStore>;
  const warehouse = new ObjectStoreWarehouse(buckets.warehouse);
  return { directory: root, buckets, warehouse, close: () => warehouse.close() };
}

/**
 * A folder and those above it. Node's own recursive form never ends where a file system knows no new folders (/proc).
 *
 * @throws {NodeJS.ErrnoException} of the call `mkdir`, if there cannot be one
 */
export async function makeFolder(path: string): Promise<void> {
  const missing: string[] = [];
  for (let at = path; !existsSync(at); at = dirname(at)) missing.unshift(at);
  for (const folder of missing) {
    await mkdir(folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
  }
  if (!(await stat(path)).isDirectory()) await mkdir(path);
}

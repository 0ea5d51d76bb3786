import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { BUCKETS, type BucketName } from "./contract";
import type { ObjectStore } from "./object-store";
import { openStore } from "./open-store";
import { ObjectStoreWarehouse } from "./warehouse/object-store-warehouse";
import type { Warehouse } from "./warehouse/warehouse";

/** One hospital's buckets and warehouse, as folders of one directory. */
export interface Workspace {
  /** Absolute path. */
  readonly directory: string;
  readonly buckets: Readonly<Record<BucketName, ObjectStore>>;
  readonly warehouse: Warehouse;
  close(): Promise<void>;
}

export const DEFAULT_WORKSPACE = ".workspace";

export async function openWorkspace(directory: string = DEFAULT_WORKSPACE): Promise<Workspace> {
  const root = resolve(directory);
  await mkdir(root, { recursive: true });
  const opened = await Promise.all(
    BUCKETS.map(async (bucket) => [bucket, await openStore(join(root, bucket))] as const),
  );
  const buckets = Object.fromEntries(opened) as Record<BucketName, ObjectStore>;
  const warehouse = new ObjectStoreWarehouse(buckets.warehouse);
  return { directory: root, buckets, warehouse, close: () => warehouse.close() };
}

import type { z } from "zod";
import {
  type BucketsOf,
  bucketsOf,
  bucketVariable,
  type ContractBucket,
  type CreatedBelow,
  type ReplacedIn,
  type Rights,
  type RuntimeContract,
  tablesRead,
} from "./contract";
import type { warehouseVariables } from "./environment";
import {
  type CreatableStore,
  type NamedStore,
  type ObjectStore,
  openStore,
  type ReadableStore,
  type ReplaceableStore,
} from "./stores";
import { creatableOnly, readableOnly, replaceableOnly } from "./stores/narrow-store";
import { BigQueryWarehouse, isDataset, ObjectStoreWarehouse, tableFolder, type Warehouse } from "./warehouse";

/** A contract's buckets, each with what it may do there. */
export type StoresOf<C extends Rights> = { readonly [B in BucketsOf<C>]: StoreOf<C, B> };

type StoreOf<C extends Rights, B extends ContractBucket> = B extends C["writes"][number]
  ? ObjectStore
  : NamedStore &
      (B extends C["reads"][number] ? ReadableStore : unknown) &
      (B extends C["creates"][number] | CreatedBelow<C> ? CreatableStore : unknown) &
      (B extends ReplacedIn<C> ? ReplaceableStore : unknown);

/**
 * Opens the stores of a process: the buckets of its contract and no other, each with the methods that the contract's rights
 * give it.
 *
 * @param env the environment, parsed by the contract's schema
 * @throws {ConfigurationError} if a bucket is none
 */
export async function openStores<C extends RuntimeContract>(
  contract: C,
  env: z.output<C["env"]>,
): Promise<StoresOf<C>> {
  const uris = env as Readonly<Record<string, string>>;
  const opened = bucketsOf(contract).map(async (bucket: ContractBucket) => {
    const store = await openStore(uris[bucketVariable(bucket)] as string);
    return [bucket, narrowed(contract, bucket, store)] as const;
  });
  return Object.fromEntries(await Promise.all(opened)) as StoresOf<C>;
}

/**
 * Opens the tables of a process. In files, rows may be added to the tables of `appends` only, and read if it reads any; in
 * BigQuery its accounts have the rights of its contract.
 *
 * @param env the environment, parsed by the contract's schema
 * @throws {ConfigurationError} if there is no such place
 */
export async function openTables(
  contract: Rights,
  env: { readonly [K in keyof typeof warehouseVariables]?: string | undefined },
): Promise<Warehouse> {
  const uri = env.WAREHOUSE as string;
  if (isDataset(uri)) {
    const warehouse = new BigQueryWarehouse(uri, {
      reader: env.WAREHOUSE_READER,
      endpoints: { rest: env.BIGQUERY_API_ENDPOINT, storage: env.BIGQUERY_STORAGE_ENDPOINT },
    });
    // Meanwhile the process starts. What is wrong the first rows will hear.
    void warehouse.warm(contract.appends);
    return warehouse;
  }
  const store = await openStore(uri);
  const adding = creatableOnly(store, { folders: contract.appends.map(tableFolder) });
  return new ObjectStoreWarehouse(tablesRead(contract).length > 0 ? { ...adding, ...readableOnly(store) } : adding);
}

function narrowed(rights: Rights, bucket: ContractBucket, store: ObjectStore): NamedStore {
  const { reads, creates, createsBelow, writes, replaces } = rights;
  if (writes.includes(bucket)) return store;
  const replaced = replaces?.[bucket];
  const below = createsBelow?.[bucket];
  return {
    ...(reads.includes(bucket) ? readableOnly(store) : {}),
    ...(creates.includes(bucket) ? creatableOnly(store) : {}),
    ...(below ? creatableOnly(store, below) : {}),
    ...(replaced ? replaceableOnly(store, replaced) : {}),
    uri: store.uri,
    bucket: store.bucket,
  };
}

import type { z } from "zod";
import {
  type BucketName,
  type BucketsOf,
  bucketsOf,
  bucketVariable,
  type ReplacedIn,
  type Rights,
  type RuntimeContract,
  tableFolder,
} from "./contract";
import {
  type CreatableStore,
  type NamedStore,
  type ObjectStore,
  openStore,
  type ReadableStore,
  type ReplaceableStore,
} from "./stores";
import { creatableOnly, readableOnly, replaceableOnly } from "./stores/narrow-store";

/** A contract's buckets, each with what it may do there. Tables that it appends to lie in the warehouse. */
export type StoresOf<C extends Rights> = { readonly [B in BucketsOf<C>]: StoreOf<C, B> };

type StoreOf<C extends Rights, B extends BucketName> = B extends C["writes"][number]
  ? ObjectStore
  : NamedStore &
      (B extends C["reads"][number] ? ReadableStore : unknown) &
      (B extends C["creates"][number] | Appended<C> ? CreatableStore : unknown) &
      (B extends ReplacedIn<C> ? ReplaceableStore : unknown);

type Appended<C extends Rights> = C["appends"] extends readonly [] ? never : "warehouse";

/**
 * Opens the stores of a process: the buckets of its contract and no other, each with the methods that the contract's rights
 * give it. Rows may be added to the tables of `appends` only.
 *
 * @param env the environment, parsed by the contract's schema
 * @throws {ConfigurationError} if a bucket is none
 */
export async function openStores<C extends RuntimeContract>(
  contract: C,
  env: z.output<C["env"]>,
): Promise<StoresOf<C>> {
  const uris = env as Readonly<Record<string, string>>;
  const opened = bucketsOf(contract).map(async (bucket: BucketName) => {
    const store = await openStore(uris[bucketVariable(bucket)] as string);
    return [bucket, narrowed(contract, bucket, store)] as const;
  });
  return Object.fromEntries(await Promise.all(opened)) as StoresOf<C>;
}

function narrowed(rights: Rights, bucket: BucketName, store: ObjectStore): NamedStore {
  const { reads, creates, writes, appends, replaces } = rights;
  if (writes.includes(bucket)) return store;
  const replaced = replaces?.[bucket];
  const tables = bucket === "warehouse" ? appends.map(tableFolder) : [];
  return {
    ...(reads.includes(bucket) ? readableOnly(store) : {}),
    ...(creates.includes(bucket) ? creatableOnly(store) : tables.length > 0 ? creatableOnly(store, tables) : {}),
    ...(replaced ? replaceableOnly(store, replaced) : {}),
    uri: store.uri,
    bucket: store.bucket,
  };
}

import {
  asksAsAnother,
  type BucketName,
  bucketsRead,
  type ContractBucket,
  type RuntimeContract,
  tablesRead,
} from "../../runtime/platform/contract";
import type { TableName } from "../../runtime/platform/warehouse";
import type { ITerraformDependable } from "./cdktf";
import type { Identity } from "./identity";

/**
 * What an identity may do with a bucket's objects. `append`: add some below the folders that it is given; `replace`: write
 * those that it is given.
 */
export type Access = "read" | "append" | "replace" | "create" | "write";

/** Something with grant methods: a bucket of this stack or a reference to one of another. Each gives what a consumer waits for. */
export interface Grantable {
  grantRead(grantee: Identity): readonly ITerraformDependable[];
  /**
   * @param folders each with a slash at its end
   * @param except folders below these that stay closed
   */
  grantAppend(
    grantee: Identity,
    folders: readonly string[],
    except?: readonly string[],
  ): readonly ITerraformDependable[];
  /** @param names of objects */
  grantReplace(grantee: Identity, names: readonly string[]): readonly ITerraformDependable[];
  grantCreate(grantee: Identity): readonly ITerraformDependable[];
  grantWrite(grantee: Identity): readonly ITerraformDependable[];
}

/** The tables of this stack, or a reference to those of another. */
export interface GrantableTables {
  /** `bigquery://PROJECT/DATASET` */
  readonly uri: string;
  /** Add rows to some tables, and neither change, delete nor ask any. */
  grantAppend(grantee: Identity, tables: readonly TableName[]): readonly ITerraformDependable[];
  /** Ask some tables, and change nothing. */
  grantAsk(grantee: Identity, tables: readonly TableName[]): readonly ITerraformDependable[];
}

/** Where everything is that a contract can name. */
export interface Places {
  readonly buckets: Readonly<Record<BucketName, Grantable & { readonly uri: string }>>;
  readonly warehouse: GrantableTables;
}

/** A contract's access as pairs of bucket and right. */
export function declaredAccess(contract: RuntimeContract): readonly (readonly [ContractBucket, Access])[] {
  const { creates, createsBelow = {}, writes, replaces = {} } = contract;
  const pairs: [ContractBucket, Access][] = writes.map((bucket) => [bucket, "write"]);
  // Writing includes reading and creating: no second role where one says it all.
  for (const bucket of bucketsRead(contract)) if (!writes.includes(bucket)) pairs.push([bucket, "read"]);
  for (const bucket of creates) if (!writes.includes(bucket)) pairs.push([bucket, "create"]);
  for (const bucket of Object.keys(createsBelow) as ContractBucket[])
    if (!writes.includes(bucket) && !creates.includes(bucket)) pairs.push([bucket, "append"]);
  for (const bucket of Object.keys(replaces) as ContractBucket[])
    if (!writes.includes(bucket)) pairs.push([bucket, "replace"]);
  return pairs.sort(([a, x], [b, y]) => `${a} ${x}`.localeCompare(`${b} ${y}`, "en"));
}

/** As whom a process of a contract asks its tables; undefined where it does so as itself, or asks none. */
export const readerOf = (contract: RuntimeContract, identity: Identity): Identity | undefined =>
  asksAsAnother(contract) ? identity.reader : undefined;

/** Grants exactly what the contract declares. @returns what a consumer waits for */
export function grantDeclaredAccess(
  contract: RuntimeContract,
  grantee: Identity,
  { buckets, warehouse }: Places,
): readonly ITerraformDependable[] {
  const grants: Readonly<Record<Access, (bucket: Grantable, name: ContractBucket) => readonly ITerraformDependable[]>> =
    {
      read: (bucket) => bucket.grantRead(grantee),
      append: (bucket, name) => {
        const { folders = [], except } = contract.createsBelow?.[name] ?? {};
        return bucket.grantAppend(grantee, folders, except);
      },
      replace: (bucket, name) => bucket.grantReplace(grantee, contract.replaces?.[name] ?? []),
      create: (bucket) => bucket.grantCreate(grantee),
      write: (bucket) => bucket.grantWrite(grantee),
    };
  const asked = tablesRead(contract);
  return [
    ...declaredAccess(contract).flatMap(([bucket, access]) => grants[access](buckets[bucket], bucket)),
    ...(contract.appends.length > 0 ? warehouse.grantAppend(grantee, contract.appends) : []),
    ...(asked.length > 0 ? warehouse.grantAsk(readerOf(contract, grantee) ?? grantee, asked) : []),
  ];
}

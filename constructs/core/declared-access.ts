import { type BucketName, type RuntimeContract, tableFolder } from "../../runtime/platform/contract";
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
  /** @param folders each with a slash at its end */
  grantAppend(grantee: Identity, folders: readonly string[]): readonly ITerraformDependable[];
  /** @param names of objects */
  grantReplace(grantee: Identity, names: readonly string[]): readonly ITerraformDependable[];
  grantCreate(grantee: Identity): readonly ITerraformDependable[];
  grantWrite(grantee: Identity): readonly ITerraformDependable[];
}

/**
 * A contract's access as pairs of bucket and right. Tables lie in the warehouse bucket: appending to one is the right to add
 * objects to its folder, and neither to replace nor to delete any.
 */
export function declaredAccess(contract: RuntimeContract): readonly (readonly [BucketName, Access])[] {
  const { reads, creates, writes, appends, replaces = {} } = contract;
  const pairs: [BucketName, Access][] = writes.map((bucket) => [bucket, "write"]);
  // Writing includes reading and creating, and creating includes appending: no second role where one says it all.
  for (const bucket of reads) if (!writes.includes(bucket)) pairs.push([bucket, "read"]);
  for (const bucket of creates) if (!writes.includes(bucket)) pairs.push([bucket, "create"]);
  if (appends.length > 0 && !writes.includes("warehouse") && !creates.includes("warehouse"))
    pairs.push(["warehouse", "append"]);
  for (const bucket of Object.keys(replaces) as BucketName[])
    if (!writes.includes(bucket)) pairs.push([bucket, "replace"]);
  return pairs.sort(([a, x], [b, y]) => `${a} ${x}`.localeCompare(`${b} ${y}`, "en"));
}

/** Grants exactly what the contract declares. @returns what a consumer waits for */
export function grantDeclaredAccess(
  contract: RuntimeContract,
  grantee: Identity,
  buckets: Readonly<Record<BucketName, Grantable>>,
): readonly ITerraformDependable[] {
  const grants: Readonly<Record<Access, (bucket: Grantable, name: BucketName) => readonly ITerraformDependable[]>> = {
    read: (bucket) => bucket.grantRead(grantee),
    append: (bucket) => bucket.grantAppend(grantee, contract.appends.map(tableFolder)),
    replace: (bucket, name) => bucket.grantReplace(grantee, contract.replaces?.[name] ?? []),
    create: (bucket) => bucket.grantCreate(grantee),
    write: (bucket) => bucket.grantWrite(grantee),
  };
  return declaredAccess(contract).flatMap(([bucket, access]) => grants[access](buckets[bucket], bucket));
}

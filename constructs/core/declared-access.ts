import type { BucketName, RuntimeContract } from "../../runtime/platform/contract";
import type { Identity } from "./identity";

/** What an identity may do with a bucket's objects, from the least to the most. */
export type Access = "read" | "create" | "write";

/** Something with grant methods: a bucket of this stack or a reference to one of another. */
export interface Grantable {
  grantRead(grantee: Identity): void;
  grantCreate(grantee: Identity): void;
  grantWrite(grantee: Identity): void;
}

/**
 * A contract's access as pairs of bucket and right. Tables lie in the warehouse bucket, where a batch that is delivered
 * again replaces itself: appending to one needs the right to write there.
 */
export function declaredAccess(contract: RuntimeContract): readonly (readonly [BucketName, Access])[] {
  const writes = new Set<BucketName>(contract.writes);
  if (contract.appends.length > 0) writes.add("warehouse");
  const pairs: [BucketName, Access][] = [...writes].map((bucket) => [bucket, "write"]);
  // Writing includes reading and creating: no second role where one says it all.
  for (const bucket of contract.reads) if (!writes.has(bucket)) pairs.push([bucket, "read"]);
  for (const bucket of contract.creates) if (!writes.has(bucket)) pairs.push([bucket, "create"]);
  return pairs.sort(([a, x], [b, y]) => `${a} ${x}`.localeCompare(`${b} ${y}`, "en"));
}

/** Grants exactly what the contract declares. */
export function grantDeclaredAccess(
  contract: RuntimeContract,
  grantee: Identity,
  buckets: Readonly<Record<BucketName, Grantable>>,
): void {
  for (const [bucket, access] of declaredAccess(contract)) {
    if (access === "read") buckets[bucket].grantRead(grantee);
    else if (access === "create") buckets[bucket].grantCreate(grantee);
    else buckets[bucket].grantWrite(grantee);
  }
}

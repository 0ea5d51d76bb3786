import { bucketBits, bucketOfId, type Shard, type ShardRow, shardName } from "../../runtime/dataset";

/** The shards of rows as preprocess cuts them, row by row. */
export function planShards<R extends ShardRow>(rows: readonly R[]): Shard<R>[] {
  const buckets = new Map<number, R[]>();
  for (const row of rows) {
    const bucket = bucketOfId(row.id, bucketBits(rows.length));
    buckets.set(bucket, [...(buckets.get(bucket) ?? []), row]);
  }
  return [...buckets]
    .sort(([a], [b]) => a - b)
    .map(([, members]) => {
      const sorted = members.sort((a, b) => (a.id < b.id ? -1 : 1));
      return { name: shardName(sorted), rows: sorted };
    });
}

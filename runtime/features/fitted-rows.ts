import { createHash } from "node:crypto";
import { batchOf } from "./score-table";

/** An image as it counts for the question whether the same images were fitted before. */
export interface FittedRow {
  readonly id: string;
  /** Of its pixels. */
  readonly sha256: string;
}

/**
 * Digest of a set of images, whatever their order: of each batch the SHA-256 over its lines `<id> <sha256>` in ascending
 * order, and over these digests another. A cluster computes the first part (see spark/pca.py), and no machine needs to
 * hold all ids.
 */
export function digestOfRows(rows: Iterable<FittedRow>): string {
  const batches = new Map<string, string[]>();
  for (const { id, sha256 } of rows) {
    const batch = batchOf(id);
    const lines = batches.get(batch);
    if (lines) lines.push(`${id} ${sha256}`);
    else batches.set(batch, [`${id} ${sha256}`]);
  }
  return digestOfBatches(new Map([...batches].map(([batch, lines]) => [batch, hash(lines.sort().join("\n"))])));
}

/** @param digests by batch, of those that have rows */
export function digestOfBatches(digests: ReadonlyMap<string, string>): string {
  return hash(
    [...digests]
      .map(([batch, digest]) => `${batch} ${digest}`)
      .sort()
      .join("\n"),
  );
}

function hash(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

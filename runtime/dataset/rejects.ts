import { RECIPE } from "../imaging";
import { ObjectNotFoundError, type ObjectStore, type ReadableStore } from "../platform/stores";

/** Why an image that is curated has no pixels in the shards. */
export const REJECTION_REASONS = [
  "curated-missing",
  "curated-damaged",
  "curated-too-large",
  "pixels-differ",
  "decoder-died",
] as const;
export type RejectionReason = (typeof REJECTION_REASONS)[number];

/** What is wrong with one image. */
export interface Rejection {
  readonly reason: RejectionReason;
  /** A sentence that goes on from the image's name. */
  readonly message: string;
}

/** A line of the rejects file. */
export interface RejectRow extends Rejection {
  readonly id: string;
  readonly source: string;
  readonly generation: number;
  readonly sha256: string;
}

/** The rows of the rejects file for what was found wrong with some images. */
export function rejectRows(
  rows: readonly Omit<RejectRow, keyof Rejection>[],
  rejections: ReadonlyMap<string, Rejection>,
): RejectRow[] {
  return rows.flatMap(({ id, source, generation, sha256 }) => {
    const rejection = rejections.get(id);
    return rejection ? [{ id, source, generation, sha256, ...rejection }] : [];
  });
}

/** Name of the rejects file in the processed bucket. */
export const rejectsName = (): string => `${RECIPE.id}/rejects.ndjson`;

/**
 * Writes which images the last run left out: `<recipe>/rejects.ndjson`, a line an image, ascending by id. Nothing is
 * written where there was nothing and is nothing to say.
 */
export async function writeRejects(processed: ObjectStore, rows: readonly RejectRow[]): Promise<void> {
  const content = [...rows]
    .sort((a, b) => (a.id < b.id ? -1 : 1))
    .map((row) => `${JSON.stringify(row)}\n`)
    .join("");
  const before = await processed.read(rejectsName()).catch((error: unknown) => {
    if (error instanceof ObjectNotFoundError) return undefined;
    throw error;
  });
  if ((before?.toString("utf8") ?? "") === content) return;
  await processed.write(rejectsName(), content, { contentType: "application/x-ndjson" });
}

/** The lines of the rejects file. */
export async function readRejects(processed: ReadableStore): Promise<RejectRow[]> {
  if (!(await processed.stat(rejectsName()))) return [];
  const content = (await processed.read(rejectsName())).toString("utf8");
  return content
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as RejectRow);
}

import { createHash } from "node:crypto";
import { z } from "zod";
import { type CreatableStore, type ReadableStore, tryToCreate } from "../platform/stores";
import { RETRAINING } from "../registry";

const REFERENCE = `${RETRAINING}reference.json`;

const scanSchema = z.object({
  id: z.string(),
  /** Of the decoded pixels. */
  sha256: z.string(),
  label: z.enum(["Cancer", "Non-Cancer"]),
  group: z.string(),
});
export type ReferenceScan = z.infer<typeof scanSchema>;

const referenceSchema = z.object({
  /** Names the set: SHA-256 over its scans. */
  digest: z.string(),
  /** ISO 8601. */
  registeredAt: z.string(),
  /** Ascending by id. */
  scans: z.array(scanSchema).min(1),
});
/**
 * The frozen reference set: scans on which every model is measured as long as this hospital retrains, while the test set
 * grows. It is the test split as it was when it was registered: ids, hashes of pixels, labels and groups, written once
 * and named by a hash of them. None of it is ever trained on, nor is anything of one of its groups.
 */
export type Reference = z.infer<typeof referenceSchema>;

/** The reference set is not what was registered. */
export class ChangedReferenceError extends Error {}

export const referenceDigest = (scans: readonly ReferenceScan[]): string =>
  createHash("sha256")
    .update(scans.map(({ id, sha256, label, group }) => JSON.stringify([id, sha256, label, group])).join("\n"))
    .digest("hex");

/**
 * The reference set; undefined before there is one.
 * @throws {ChangedReferenceError} if its scans are not those that its hash names
 */
export async function readReference(reports: ReadableStore): Promise<Reference | undefined> {
  if (!(await reports.stat(REFERENCE))) return undefined;
  const { data } = referenceSchema.safeParse(parsed((await reports.read(REFERENCE)).toString("utf8")));
  if (!data || referenceDigest(data.scans) !== data.digest)
    throw new ChangedReferenceError(
      `${reports.uri}/${REFERENCE} was changed after it was registered: its scans are not those that its hash names. ` +
        "Put its first generation back; models measured on another set cannot be compared with those before.",
    );
  return data;
}

/** Registers the reference set, once. @returns the one that is registered, this or an earlier one */
export async function registerReference(
  reports: ReadableStore & CreatableStore,
  scans: readonly ReferenceScan[],
  now: Date,
): Promise<Reference> {
  const sorted = [...scans].sort((a, b) => (a.id < b.id ? -1 : 1));
  const reference: Reference = { digest: referenceDigest(sorted), registeredAt: now.toISOString(), scans: sorted };
  const created = await tryToCreate(reports, REFERENCE, `${JSON.stringify(reference)}\n`, {
    contentType: "application/json",
  });
  return created ? reference : ((await readReference(reports)) as Reference);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

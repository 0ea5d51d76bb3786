import { createHash, randomBytes } from "node:crypto";
import { z } from "zod";
import { type CreatableStore, type ReadableStore, tryToCreate } from "../platform/stores";
import { RETRAINING } from "../registry";

const REFERENCE = `${RETRAINING}reference.ndjson`;

const scanSchema = z.object({
  id: z.string(),
  /** Of the decoded pixels. */
  sha256: z.string(),
  label: z.enum(["Cancer", "Non-Cancer"]),
  group: z.string(),
});
export type ReferenceScan = z.infer<typeof scanSchema>;

const headSchema = z.object({
  /** Names the set: SHA-256 over the hashes of its scans. */
  digest: z.string(),
  /** ISO 8601. */
  registeredAt: z.string(),
  /** One a scan, ascending. */
  hashes: z.array(z.string()).min(1),
});
/** The salt goes with a scan that is forgotten: its hash, which stays, then tells nothing of it. */
const lineSchema = scanSchema.extend({ salt: z.string() });
type Line = z.infer<typeof lineSchema>;

/**
 * The frozen reference set: scans on which every model is measured as long as this hospital retrains, while the test set
 * grows. It is the test split as it was when it was registered: ids, hashes of pixels, labels and groups, written once
 * and named by a hash of them. None of it is ever trained on, nor is anything of one of its groups. A scan that is forgotten
 * is taken out of it; that there was one is still known.
 */
export interface Reference extends Pick<z.infer<typeof headSchema>, "digest" | "registeredAt"> {
  /** How many were registered. */
  readonly registered: number;
  /** Those that were not forgotten since, ascending by id. */
  readonly scans: readonly ReferenceScan[];
}

/** The reference set is not what was registered. */
export class ChangedReferenceError extends Error {}

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
const hashOf = ({ id, sha256: pixels, label, group, salt }: Line): string =>
  sha256(JSON.stringify([id, pixels, label, group, salt]));
const digestOf = (hashes: readonly string[]): string => sha256(hashes.join("\n"));

/**
 * The reference set; undefined before there is one.
 * @throws {ChangedReferenceError} if its scans are not among those that its hash names
 */
export async function readReference(reports: ReadableStore): Promise<Reference | undefined> {
  if (!(await reports.stat(REFERENCE))) return undefined;
  const text = (await reports.read(REFERENCE)).toString("utf8");
  const [first, ...others] = text.split("\n").filter((line) => line !== "");
  const head = headSchema.safeParse(parsed(first ?? "")).data;
  const lines = z.array(lineSchema).safeParse(others.map(parsed)).data;
  const hashes = new Set(head?.hashes);
  if (!head || !lines || digestOf(head.hashes) !== head.digest || !lines.every((line) => hashes.delete(hashOf(line))))
    throw new ChangedReferenceError(
      `${reports.uri}/${REFERENCE} was changed after it was registered: its scans are not those that its hash names. ` +
        "Put its first generation back; models measured on another set cannot be compared with those before.",
    );
  const { digest, registeredAt } = head;
  return {
    ...{ digest, registeredAt, registered: head.hashes.length },
    scans: lines.map(({ salt: _, ...scan }) => scan),
  };
}

/** Registers the reference set, once. @returns the one that is registered, this or an earlier one */
export async function registerReference(
  reports: ReadableStore & CreatableStore,
  scans: readonly ReferenceScan[],
  now: Date,
): Promise<Reference> {
  const lines = [...scans]
    .sort((a, b) => (a.id < b.id ? -1 : 1))
    .map((scan): Line => ({ ...scan, salt: randomBytes(16).toString("hex") }));
  const hashes = lines.map(hashOf).sort();
  const head = { digest: digestOf(hashes), registeredAt: now.toISOString(), hashes };
  const text = [head, ...lines].map((line) => `${JSON.stringify(line)}\n`).join("");
  await tryToCreate(reports, REFERENCE, text, { contentType: "application/x-ndjson" });
  return (await readReference(reports)) as Reference;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

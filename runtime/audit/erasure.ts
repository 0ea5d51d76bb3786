import { createHash, randomUUID } from "node:crypto";
import type { CreatableStore, ReadableStore } from "../platform/stores";
import type { AuditRow, Warehouse } from "../platform/warehouse";
import { writeAct } from "./act";
import { contentOf } from "./log";

/** Where what is forgotten leaves a mark, below the reports. */
export const FORGOTTEN = "forgotten/";
const LEAVES = "-leaves.json";
const ACTION = "erase";

/** What an erasure does to leaves of the log: hashes that say nothing without the salt, which goes with its row. */
export interface Erasure {
  /** Leaves whose rows go, or stay without what linked them. */
  readonly leaves: readonly string[];
  /** Leaves of what stays of the latter. */
  readonly kept: readonly string[];
}

/**
 * Writes down, before it is done, which leaves lose their rows: beside the reports, and as an act that names the hash of
 * that and becomes a leaf itself, so that nobody can change it later or make one that explains a row that is missing
 * without a trace of having done so.
 *
 * @param mark a name for what is erased that tells nothing of it
 */
export async function writeErasure(
  { reports, warehouse }: { readonly reports: CreatableStore; readonly warehouse: Pick<Warehouse, "append"> },
  mark: string,
  { leaves, kept }: Erasure,
  at: Date,
): Promise<void> {
  const content = `${JSON.stringify({ at: at.toISOString(), leaves: [...leaves].sort(), kept: [...kept].sort() }, null, 2)}\n`;
  const name = `${FORGOTTEN}${mark}/${at.getTime()}${LEAVES}`;
  await reports.create(name, content, { contentType: "application/json" });
  await writeAct(
    warehouse,
    {
      ...{ request: randomUUID(), action: ACTION, who: "local", role: "admin", subject: name, sha256: sha256(content) },
      ...{ model: null, recipe: null, result: String(leaves.length) },
    },
    at,
  );
}

/** The hash of what was written down of an erasure, if a row tells of one. */
export const erasureOf = ({ action, sha256 }: Pick<AuditRow, "action" | "sha256">): string | undefined =>
  action === ACTION ? (sha256 ?? undefined) : undefined;

/** Everything that was written down of erasures, by its hash. What is none is left out. */
export async function writtenErasures(reports: ReadableStore): Promise<ReadonlyMap<string, Erasure>> {
  const found = new Map<string, Erasure>();
  for await (const { name } of reports.listAll(FORGOTTEN)) {
    if (!name.endsWith(LEAVES)) continue;
    const content = await contentOf(reports, name);
    try {
      const { leaves, kept = [] } = JSON.parse(String(content)) as Erasure;
      if (content && [leaves, kept].every(isHashes)) found.set(sha256(content), { leaves, kept });
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
  }
  return found;
}

const isHashes = (list: unknown): boolean =>
  Array.isArray(list) && list.every((hash) => typeof hash === "string" && /^[0-9a-f]{64}$/.test(hash));

const sha256 = (content: string | Buffer) => createHash("sha256").update(content).digest("hex");

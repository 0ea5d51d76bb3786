import { createHash } from "node:crypto";
import type { Logger } from "../platform/logging";
import { type AssignmentRow, CURRENT_ASSIGNMENTS, type Warehouse } from "../platform/warehouse";
import type { PlanDatabase } from "./plan-database";

/** What is stored of an image's group, as all readers take it. */
export interface StoredAssignment {
  readonly id: string;
  readonly group: string;
  readonly split: string;
  /** Id of the perceptual hash by which it was compared with others, and that hash. */
  readonly hash: string | null;
  readonly phash: string | null;
  readonly revision: number;
  /** Two runs gave it different groups or splits at once: it has to be compared again. */
  readonly disputed: boolean;
}

/** The current assignments by image id. */
export async function currentAssignments(warehouse: Warehouse): Promise<ReadonlyMap<string, StoredAssignment>> {
  const assignments = await warehouse.ask(CURRENT_ASSIGNMENTS, {});
  return new Map(assignments.map((assignment) => [assignment.id, assignment]));
}

/**
 * Adds rows to `assignments` for the images whose group, split or hash is not what is stored. The names of the batches
 * depend on what is in them and on nothing else.
 *
 * @param plan in which the groups are decided
 * @param size rows of a batch
 */
export async function storeAssignments(
  { warehouse, signal, log }: { readonly warehouse: Warehouse; readonly signal: AbortSignal; readonly log: Logger },
  plan: PlanDatabase,
  size?: number,
): Promise<void> {
  let images = 0;
  // Of a run that is cut short, what was compared before comes first: the others are then compared with it again.
  for await (const batch of plan.assignments(new Date().toISOString(), size)) {
    signal.throwIfAborted();
    await warehouse.append("assignments", nameOf(batch), batch);
    images += batch.length;
  }
  log.debug({ images }, "groups and splits stored");
}

function nameOf(rows: readonly AssignmentRow[]): string {
  const told = rows.map(({ assigned_at: _, ...row }) => row);
  return createHash("sha256").update(JSON.stringify(told)).digest("hex").slice(0, 32);
}

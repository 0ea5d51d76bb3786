import { createHash } from "node:crypto";
import { PERCEPTUAL_HASH, RECIPE } from "../imaging";
import type { Split } from "../intake";
import type { Logger } from "../platform/logging";
import { type AssignmentRow, CURRENT_ASSIGNMENTS, type Warehouse } from "../platform/warehouse";
import type { Groupable } from "./groups";

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

/** Rows of one batch: some megabytes, which are there as a whole or not at all. */
const BATCH = 10_000;

/** The current assignments by image id. */
export async function currentAssignments(warehouse: Warehouse): Promise<ReadonlyMap<string, StoredAssignment>> {
  const assignments = await warehouse.ask(CURRENT_ASSIGNMENTS, {});
  return new Map(assignments.map((assignment) => [assignment.id, assignment]));
}

/**
 * Adds rows to `assignments` for the images whose group, split or hash is not what is stored. The names of the batches
 * depend on what is in them and on nothing else.
 *
 * @param grouped with the group and split that each is to have
 * @param size rows of a batch
 */
export async function storeAssignments(
  { warehouse, signal, log }: { readonly warehouse: Warehouse; readonly signal: AbortSignal; readonly log: Logger },
  stored: ReadonlyMap<string, StoredAssignment>,
  grouped: readonly (Groupable & { readonly group: string; readonly split: Split })[],
  size = BATCH,
): Promise<void> {
  const assigned_at = new Date().toISOString();
  const changed = grouped.flatMap((image) => {
    const { id, group, split, phash, compared } = image;
    const known = stored.get(id);
    const by = phash === null ? { hash: null, phash: null } : { hash: PERCEPTUAL_HASH.id, phash };
    const row = { id, group, split, recipe: RECIPE.id, ...by, revision: (known?.revision ?? 0) + 1, assigned_at };
    const isSame =
      known !== undefined &&
      !known.disputed &&
      known.group === group &&
      known.split === split &&
      // A picture that cannot be read now may have been read before: that is not forgotten.
      (phash === null || (known.hash === by.hash && known.phash === phash));
    return isSame ? [] : [{ row, compared }];
  });
  // Of a run that is cut short, what was compared before comes first: the others are then compared with it again.
  const rows: AssignmentRow[] = [true, false].flatMap((first) =>
    changed.filter(({ compared }) => compared === first).map(({ row }) => row),
  );
  for (let start = 0; start < rows.length; start += size) {
    signal.throwIfAborted();
    const batch = rows.slice(start, start + size);
    await warehouse.append("assignments", nameOf(batch), batch);
  }
  log.debug({ images: rows.length }, "groups and splits stored");
}

function nameOf(rows: readonly AssignmentRow[]): string {
  const told = rows.map(({ assigned_at: _, ...row }) => row);
  return createHash("sha256").update(JSON.stringify(told)).digest("hex").slice(0, 32);
}

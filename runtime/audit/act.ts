import type { AuditRow, Warehouse } from "../platform/warehouse";
import { leafOfRow, newSalt } from "./leaf";

/** What somebody did. */
export type Act = Omit<AuditRow, "recorded_at" | "salt">;

/** The row of an act, and the batch in which it is added. */
export interface WrittenAct {
  /** By its salt too: two acts are two rows, and nobody can try what a name was made of. */
  readonly batch: string;
  readonly row: AuditRow;
}

/** Writes down an act: resolves once its row is there. */
export async function writeAct(
  warehouse: Pick<Warehouse, "append">,
  act: Act,
  at: Date = new Date(),
): Promise<WrittenAct> {
  const row: AuditRow = { ...act, recorded_at: at.toISOString(), salt: newSalt() };
  const batch = `${act.request}-${leafOfRow("audit", row).slice(0, 16)}`;
  await warehouse.append("audit", batch, [row], { unique: true });
  return { batch, row };
}

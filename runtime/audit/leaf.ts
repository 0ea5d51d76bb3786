import { createHmac, randomBytes } from "node:crypto";
import type { DamagedRowsError, Row, TableName, Warehouse } from "../platform/warehouse";
import { leafHash } from "./merkle";

/** The tables whose every row is a leaf, and the column that says when a row was made. */
export const SEALED_TABLES = { audit: "recorded_at", feedback: "given_at", predictions: "predicted_at" } as const;
export type SealedTable = keyof typeof SEALED_TABLES;
export type SealedRow = { [T in SealedTable]: Row<T> }[SealedTable];

export const SEALED_TABLE_NAMES = Object.keys(SEALED_TABLES) as readonly SealedTable[];

/** Bytes: more than anybody can try. */
const SALT_BYTES = 16;

/** Batches that are asked for at once. */
const SOME = 500;

/** The rows of some batches, each batch once, by their names; those that cannot be read as the error that says why. */
export async function* rowsOfMany(
  warehouse: Pick<Warehouse, "someBatches">,
  table: SealedTable,
  names: readonly string[],
): AsyncGenerator<{ readonly batch: string; readonly rows: readonly SealedRow[] | DamagedRowsError }> {
  for (let start = 0; start < names.length; start += SOME) {
    const some = names.slice(start, start + SOME);
    const found = (await warehouse.someBatches(table, some)) as ReadonlyMap<
      string,
      readonly SealedRow[] | DamagedRowsError
    >;
    for (const batch of some) yield { batch, rows: found.get(batch) ?? [] };
  }
}

/** A salt for a new row. It lies in the row and nowhere else: with the row it is gone. */
export const newSalt = (): string => randomBytes(SALT_BYTES).toString("hex");

/** When a row was made: ISO 8601, as it says. */
export function timeOf(table: SealedTable, row: SealedRow): string {
  return String((row as unknown as Record<string, unknown>)[SEALED_TABLES[table]]);
}

/**
 * HMAC-SHA256, keyed by the row's salt, of the row's values as JSON: 64 hex digits. Who does not have the salt can neither
 * tell a value nor try one. Rows that an earlier program wrote have none: those are hashed under an empty key.
 *
 * Names are sorted and nulls left out, so that a column which is added later changes no digest.
 */
export function digestOf(table: SealedTable, row: SealedRow): string {
  const { salt, ...values } = row;
  const said = Object.entries(values)
    .filter(([, value]) => value !== null && value !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return createHmac("sha256", Buffer.from(salt ?? "", "hex"))
    .update(JSON.stringify({ row: Object.fromEntries(said), table }))
    .digest("hex");
}

/** What a leaf is made of: nothing of it tells what the row says. */
export interface LeafData {
  /** See {@link digestOf}. */
  readonly digest: string;
  readonly table: SealedTable;
}

/** The bytes of a leaf: `{"digest":"...","table":"..."}`. */
export const leafBytes = ({ digest, table }: LeafData): string => JSON.stringify({ digest, table });

/** A leaf as it was written; undefined if it is none. */
export function readLeaf(line: string): LeafData | undefined {
  try {
    const { digest, table } = JSON.parse(line) as LeafData;
    if (!/^[0-9a-f]{64}$/.test(digest) || !isSealed(table)) return undefined;
    return leafBytes({ digest, table }) === line ? { digest, table } : undefined;
  } catch {
    return undefined;
  }
}

export const isSealed = (table: TableName): table is SealedTable => Object.hasOwn(SEALED_TABLES, table);

/** The hash of a row's leaf, 64 hex digits: known as soon as the row is, before it has a place in the log. */
export function leafOfRow(table: SealedTable, row: SealedRow): string {
  return leafHash(leafBytes({ digest: digestOf(table, row), table })).toString("hex");
}

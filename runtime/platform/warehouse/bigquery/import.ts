import { createHash, randomUUID } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onDisk } from "../../disk";
import type { Progress } from "../../progress";
import type { Row, TableName } from "../tables";
import type { Warehouse } from "../warehouse";
import type { BigQueryWarehouse } from "./bigquery-warehouse";
import type { BATCH_COLUMNS } from "./resources";

/** Batches and rows of one load job: some hundred megabytes at most. */
const BATCHES = 5_000;
const ROWS = 200_000;
/** Before every attempt of a process that adds rows: of an equal name, what was there first counts. */
const IMPORTED = "0-import";

export interface Imported {
  readonly table: TableName;
  readonly batches: number;
  /** Batches that were there before. */
  readonly skipped: number;
  readonly rows: number;
}

/**
 * Copies the tables of a warehouse of files into a dataset, by load jobs. Batches keep their names, and those
 * that are there are left out: it can be repeated, goes on where it was stopped, and may run while rows are added.
 *
 * @throws {DamagedRowsError} @throws {ConfigurationError} @throws {WarehouseError}
 */
export async function importTables(
  from: Pick<Warehouse, "batches" | "batch">,
  to: BigQueryWarehouse,
  tables: readonly TableName[],
  { progress, signal }: { readonly progress: Progress; readonly signal: AbortSignal },
): Promise<readonly Imported[]> {
  const done: Imported[] = [];
  for (const table of tables) {
    const names = await from.batches(table);
    const there = new Set(await to.batches(table));
    const missing = names.filter((name) => !there.has(name));
    progress.start(names.length, names.length - missing.length);
    let rows = 0;
    try {
      for await (const chunk of chunks(from, table, missing)) {
        signal.throwIfAborted();
        await load(to, table, chunk);
        rows += chunk.reduce((sum, batch) => sum + batch.rows.length, 0);
        progress.advance(chunk.length, table);
      }
    } finally {
      progress.finish();
    }
    done.push({ table, batches: missing.length, skipped: names.length - missing.length, rows });
  }
  return done;
}

interface Batch {
  readonly name: string;
  readonly rows: readonly Row<TableName>[];
}

async function* chunks(
  from: Pick<Warehouse, "batch">,
  table: TableName,
  names: readonly string[],
): AsyncGenerator<readonly Batch[]> {
  let chunk: Batch[] = [];
  let held = 0;
  for (const name of names) {
    const rows = await from.batch(table, name);
    // Somebody took it away meanwhile.
    if (!rows) continue;
    chunk.push({ name, rows });
    held += rows.length;
    if (chunk.length < BATCHES && held < ROWS) continue;
    yield chunk;
    chunk = [];
    held = 0;
  }
  if (chunk.length > 0) yield chunk;
}

async function load(to: BigQueryWarehouse, table: TableName, chunk: readonly Batch[]): Promise<void> {
  const sign = createHash("sha256").update(JSON.stringify([to.name, table, chunk.map(({ name }) => name)]));
  const job = `import-${table}-${sign.digest("hex").slice(0, 32)}`;
  // Of two loads of the same batches readers take one, also where the job's name did not keep the second out.
  const attempt = `${IMPORTED}/${job}/${randomUUID()}`;
  const folder = await mkdtemp(join(tmpdir(), `warehouse-import-${process.pid}-`));
  try {
    const file = join(folder, "rows.jsonl");
    for (const { name, rows } of chunk) {
      const lines = rows.map((row, batch_row) =>
        JSON.stringify({ ...row, batch: name, batch_row, attempt } satisfies BatchColumns),
      );
      await onDisk(file, () => writeFile(file, `${lines.join("\n")}\n`, { flag: "a" }));
    }
    await to.load(table, file, job);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

type BatchColumns = Record<(typeof BATCH_COLUMNS)[number]["name"], unknown>;

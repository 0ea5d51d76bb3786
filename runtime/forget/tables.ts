import type { ErasableStore } from "../platform/stores";
import { type BigQueryRows, type TableName, tableFolder, type Values } from "../platform/warehouse";

/** Tables whose rows can be taken away, and emptied in part. Each answers with how many rows were meant. */
export interface ErasableTables {
  /** Rows of which a column has one of its values. */
  remove(table: TableName, where: Values, dry: boolean): Promise<number>;
  /** The same rows stay, without what some columns say. */
  empty(table: TableName, columns: readonly string[], where: Values, dry: boolean): Promise<number>;
}

type Line = Readonly<Record<string, unknown>>;

export const isMeant = (row: Line, where: Values): boolean =>
  Object.entries(where).some(([column, values]) => typeof row[column] === "string" && values.has(row[column]));

/** Rows as lines of files, in a folder or a bucket. */
export class TableFiles implements ErasableTables {
  constructor(
    private readonly store: ErasableStore,
    private readonly signal: AbortSignal,
  ) {}

  remove(table: TableName, where: Values, dry: boolean): Promise<number> {
    return this.rewrite(table, where, dry, () => undefined);
  }

  empty(table: TableName, columns: readonly string[], where: Values, dry: boolean): Promise<number> {
    return this.rewrite(table, where, dry, (row) => ({
      ...row,
      ...Object.fromEntries(columns.flatMap((column) => (column in row ? [[column, null]] : []))),
    }));
  }

  private async rewrite(
    table: TableName,
    where: Values,
    dry: boolean,
    change: (row: Line) => Line | undefined,
  ): Promise<number> {
    let meant = 0;
    for await (const { name } of this.store.listAll(tableFolder(table))) {
      this.signal.throwIfAborted();
      const lines = (await this.store.read(name)).toString("utf8").split("\n");
      let changed = 0;
      const left = lines.flatMap((line) => {
        const row = line === "" ? undefined : (JSON.parse(line) as Line);
        if (!row || !isMeant(row, where)) return [line];
        changed++;
        const other = change(row);
        return other ? [JSON.stringify(other)] : [];
      });
      meant += changed;
      if (changed === 0 || dry) continue;
      if (left.every((line) => line === "")) await this.store.forget(name);
      else await replaceObject(this.store, name, left.join("\n"));
    }
    return meant;
  }
}

/** Writes an object anew, with what is known of it, and takes its earlier generations away. */
export async function replaceObject(store: ErasableStore, name: string, content: Buffer | string): Promise<void> {
  const { contentType, metadata } = (await store.stat(name)) ?? {};
  await store.write(name, content, { ...(contentType ? { contentType } : {}), ...(metadata ? { metadata } : {}) });
  await store.forgetEarlier(name);
}

/** Rows in BigQuery, and those that earlier versions kept in the bucket. */
export class HospitalTables implements ErasableTables {
  constructor(
    private readonly rows: BigQueryRows,
    private readonly files: TableFiles,
  ) {}

  async remove(table: TableName, where: Values, dry: boolean): Promise<number> {
    return (await this.files.remove(table, where, dry)) + (await this.rows.remove(table, where, dry));
  }

  async empty(table: TableName, columns: readonly string[], where: Values, dry: boolean): Promise<number> {
    return (await this.files.empty(table, columns, where, dry)) + (await this.rows.empty(table, columns, where, dry));
  }
}

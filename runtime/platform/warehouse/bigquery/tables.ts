import type { Dataset } from "@google-cloud/bigquery";
import { ConfigurationError } from "../../config";
import type { TableName } from "../tables";
import { explained } from "./errors";
import { tableFields, tableResource } from "./resources";

/** A column as the API gives it. */
export interface ApiColumn {
  readonly name: string;
  readonly mode?: string;
}

function unknownAmong(table: TableName, columns: readonly ApiColumn[]): readonly ApiColumn[] {
  const known = new Set(tableFields(table).map(({ name }) => name));
  return columns.filter(({ name }) => !known.has(name));
}

/** Brings tables up to the one definition, by adding alone. */
export class Tables {
  private readonly known = new Map<TableName, Promise<readonly string[]>>();
  private readonly unknown = new Map<TableName, Promise<readonly ApiColumn[]>>();

  /** @param where `project.dataset` */
  constructor(
    private readonly dataset: Dataset,
    private readonly where: string,
  ) {}

  /**
   * Resolves once a table is there with every column, once a process.
   * @returns what was done for that, a sentence each
   * @throws {ConfigurationError} if it cannot be
   */
  ready(table: TableName): Promise<readonly string[]> {
    const known = this.known.get(table);
    if (known) return known;
    const made = this.make(table);
    this.known.set(table, made);
    // What fails is tried again by the next who asks.
    made.catch(() => this.known.delete(table));
    return made;
  }

  /** Columns that this version does not know, once a process. */
  unknownColumns(table: TableName): Promise<readonly ApiColumn[]> {
    const found = this.unknown.get(table) ?? this.columns(table).then((there = []) => unknownAmong(table, there));
    this.unknown.set(table, found);
    found.catch(() => this.unknown.delete(table));
    return found;
  }

  private async make(table: TableName): Promise<readonly string[]> {
    const place = `${this.where}.${table}`;
    const there = await this.columns(table).catch((error) => {
      throw explained(error, `The table ${table} could not be looked at`, place);
    });
    if (!there) {
      await this.create(table).catch((error) => {
        throw explained(error, `The table ${table} could not be made`, this.where);
      });
      return [`${place} was made.`];
    }
    const names = new Set(there.map(({ name }) => name));
    const missing = tableFields(table).filter(({ name }) => !names.has(name));
    if (missing.length === 0) return [];
    const named = missing.map(({ name }) => name).join(", ");
    // Columns that are added later are never required: rows that are there have nothing in them.
    const added = missing.map((field) => ({ ...field, mode: field.mode === "REPEATED" ? field.mode : "NULLABLE" }));
    try {
      await this.dataset.table(table).setMetadata({ schema: { fields: [...there, ...added] } });
    } catch (error) {
      if ((error as { readonly code?: unknown }).code === 403)
        throw new ConfigurationError("The warehouse", [
          `${place} is of an earlier version: it lacks ${named}, which this identity may not add. Deploy the hospital's data stack first: cdktf deploy adds them.`,
        ]);
      throw explained(error, `The columns ${named} could not be added to ${table}`, place);
    }
    return [`${place} has the columns ${named} now.`];
  }

  /** As the API gives them; undefined if there is no such table. */
  private async columns(table: TableName): Promise<readonly ApiColumn[] | undefined> {
    try {
      const [metadata] = await this.dataset.table(table).getMetadata();
      const { fields = [] } = (metadata.schema ?? {}) as { readonly fields?: readonly ApiColumn[] };
      return fields;
    } catch (error) {
      if ((error as { readonly code?: unknown }).code === 404) return undefined;
      throw error;
    }
  }

  private async create(table: TableName): Promise<void> {
    if (!(await this.dataset.exists())[0]) throw Object.assign(new Error("The dataset does not exist."), { code: 404 });
    try {
      await this.dataset.createTable(table, tableResource(table) as never);
    } catch (error) {
      // Another process was faster.
      if ((error as { readonly code?: unknown }).code !== 409) throw error;
    }
  }
}

import type { BigQuery } from "@google-cloud/bigquery";
import type { TableName } from "../tables";
import { type Endpoints, endpointsOf, restClient } from "./clients";
import { everyPartition } from "./dialect";
import { explained, WarehouseUnavailableError } from "./errors";
import { type DatasetAddress, parseDataset } from "./uri";

/** Values of columns; a row is meant of which one column has one of them. */
export type Values = Readonly<Record<string, ReadonlySet<string>>>;

/** Values of one statement: an array is a parameter, and a request has a size. */
const AT_A_TIME = 5000;

/**
 * Changes rows of a BigQuery dataset, which nothing that runs may do: by statements of DML, each a transaction of its own. A
 * row that is meant twice is changed once.
 */
export class BigQueryRows {
  private readonly address: DatasetAddress;
  private client: BigQuery | undefined;

  /** @param uri `bigquery://PROJECT/DATASET`. Makes no request. @throws {ConfigurationError} */
  constructor(
    uri: string,
    private readonly endpoints: Endpoints = endpointsOf(process.env),
  ) {
    this.address = parseDataset(uri);
  }

  /** @returns how many rows there were */
  remove(table: TableName, where: Values, dry: boolean): Promise<number> {
    return this.change(table, where, dry, (name) => `DELETE FROM ${name}`);
  }

  /** Sets columns to null. @returns of how many rows */
  empty(table: TableName, columns: readonly string[], where: Values, dry: boolean): Promise<number> {
    const set = columns.map((column) => `\`${column}\` = NULL`).join(", ");
    return this.change(table, where, dry, (name) => `UPDATE ${name} SET ${set}`);
  }

  private async change(
    table: TableName,
    where: Values,
    dry: boolean,
    statement: (name: string) => string,
  ): Promise<number> {
    const { project, dataset, maximumBytesBilled } = this.address;
    const name = `\`${project}.${dataset}.${table}\``;
    const run = async (query: string, params: Readonly<Record<string, readonly string[]>>) => {
      this.client ??= restClient(this.address, this.endpoints);
      const [rows] = await this.client.query({
        query,
        params: { ...params },
        maximumBytesBilled: String(maximumBytesBilled),
      });
      return rows as { readonly rows?: unknown }[];
    };
    let meant = 0;
    for (const [condition, params] of conditions(where)) {
      const all = `${everyPartition(table)} AND (${condition})`;
      try {
        const [found] = await run(`SELECT COUNT(*) AS \`rows\` FROM ${name} WHERE ${all}`, params);
        const count = Number(found?.rows ?? 0);
        if (count > 0 && !dry) await run(`${statement(name)} WHERE ${all}`, params);
        meant += count;
      } catch (error) {
        if (/streaming buffer/i.test(String((error as Error).message)))
          throw new WarehouseUnavailableError(
            `Rows of ${table} were added so lately that BigQuery does not change them yet, which lasts for up to 90 minutes. What is done stays done: give the same command again then.`,
            "streamingBuffer",
          );
        throw explained(error, `Rows of ${table} were not changed`, `${project}.${dataset}`);
      }
    }
    return meant;
  }
}

/** One condition for as many values as a statement takes. */
function* conditions(where: Values): Generator<readonly [string, Readonly<Record<string, readonly string[]>>]> {
  const columns = Object.entries(where).map(([column, values]) => [column, [...values]] as const);
  const longest = Math.max(0, ...columns.map(([, values]) => values.length));
  for (let start = 0; start < longest; start += AT_A_TIME) {
    const params: Record<string, readonly string[]> = {};
    const parts: string[] = [];
    for (const [column, values] of columns) {
      const some = values.slice(start, start + AT_A_TIME);
      if (some.length === 0) continue;
      params[column] = some;
      parts.push(`\`${column}\` IN UNNEST(@${column})`);
    }
    yield [parts.join(" OR "), params];
  }
}

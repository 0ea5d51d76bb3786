import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Question } from "../../runtime/platform/warehouse";
import { bigQuery } from "../../runtime/platform/warehouse";
import { answering, freePort, stopProcess } from "./processes";

const PARTS = join(__dirname, "..", "..", ".parts", "bigquery");
const BINARY = join(PARTS, "bin", "bqemulator");
const PROJECT = "local-project";

/** A field of a table's schema, as BigQuery's API names it. */
interface Field {
  readonly name: string;
  readonly type: string;
  readonly mode?: string;
}

/** A BigQuery server of its own process, in memory, on a free port of the loopback interface. */
export class BigQueryServer {
  private constructor(
    private readonly root: string,
    readonly stop: () => Promise<void>,
  ) {}

  static async start(): Promise<BigQueryServer> {
    if (!existsSync(BINARY)) throw new Error("The BigQuery server is not installed: run npm run setup:tests.");
    const [rest, grpc] = [await freePort(), await freePort()];
    const child = spawn(
      BINARY,
      ["start", "--project", PROJECT, "--rest-port", `${rest}`, "--grpc-port", `${grpc}`, "--log-level", "error"],
      // Its DuckDB looks below the home directory for the extensions that setup-tests.js has put there.
      { stdio: "ignore", env: { ...process.env, HOME: join(PARTS, "home") } },
    );
    const url = `http://127.0.0.1:${rest}`;
    await answering(url, child);
    return new BigQueryServer(`${url}/bigquery/v2/projects/${PROJECT}`, () => stopProcess(child));
  }

  /** @returns what SQL calls it: `project.dataset` */
  async createDataset(datasetId: string): Promise<string> {
    await this.post("/datasets", { datasetReference: { projectId: PROJECT, datasetId } });
    return `${PROJECT}.${datasetId}`;
  }

  /** @param dataset `project.dataset` @param schema JSON of the fields, as the API takes it */
  async createTable(dataset: string, tableId: string, schema: string): Promise<void> {
    const fields = (JSON.parse(schema) as Field[]).map(({ name, type, mode = "NULLABLE" }) => ({ name, type, mode }));
    await this.post(`${path(dataset)}/tables`, { tableReference: reference(dataset, tableId), schema: { fields } });
  }

  async createView(dataset: string, tableId: string, query: string): Promise<void> {
    const view = { query, useLegacySql: false };
    await this.post(`${path(dataset)}/tables`, { tableReference: reference(dataset, tableId), view });
  }

  async insert(dataset: string, table: string, rows: readonly object[]): Promise<void> {
    const body = { rows: rows.map((json) => ({ json })) };
    const { insertErrors } = await this.post(`${path(dataset)}/tables/${table}/insertAll`, body);
    if (Array.isArray(insertErrors) && insertErrors.length > 0) throw new Error(JSON.stringify(insertErrors[0]));
  }

  /** What the question's SQL gives over the tables of a dataset. */
  async ask<P, R>(dataset: string, question: Question<P, R>, parameters: P): Promise<R[]> {
    const rows = await this.query(question.sql(bigQuery(dataset)), parameters as Record<string, string>);
    return rows.map((row) => question.row.parse(row));
  }

  async query(query: string, parameters: Readonly<Record<string, string>> = {}): Promise<Record<string, unknown>[]> {
    const answer = await this.post("/queries", {
      query,
      useLegacySql: false,
      maxResults: 100_000,
      formatOptions: { useInt64Timestamp: true },
      parameterMode: "NAMED",
      queryParameters: Object.entries(parameters).map(([name, value]) => ({
        name,
        parameterType: { type: "STRING" },
        parameterValue: { value },
      })),
    });
    // A query that fails is answered with 200 here.
    if (answer.errors) throw new Error(`${JSON.stringify(answer.errors)}\n${query}`);
    const { fields } = answer.schema as { fields: Field[] };
    const rows = (answer.rows ?? []) as { f: { v: unknown }[] }[];
    return rows.map(({ f }) => Object.fromEntries(fields.map((field, i) => [field.name, plainValue(field, f[i]?.v)])));
  }

  private async post(where: string, body: object): Promise<Record<string, unknown>> {
    const response = await fetch(`${this.root}${where}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${where}: ${response.status} ${text}`);
    return JSON.parse(text) as Record<string, unknown>;
  }
}

const path = (dataset: string) => `/datasets/${dataset.slice(dataset.indexOf(".") + 1)}`;

const reference = (dataset: string, tableId: string) => ({
  projectId: PROJECT,
  datasetId: dataset.slice(dataset.indexOf(".") + 1),
  tableId,
});

/** The API writes every value as text; timestamps are microseconds since the epoch. */
function plainValue(field: Field, value: unknown): unknown {
  if (field.mode === "REPEATED")
    return (value as { v: unknown }[]).map(({ v }) => plainValue({ ...field, mode: "NULLABLE" }, v));
  if (value === null || value === undefined) return null;
  if (["INTEGER", "INT64", "FLOAT", "FLOAT64"].includes(field.type)) return Number(value);
  if (["BOOLEAN", "BOOL"].includes(field.type)) return value === true || value === "true";
  if (field.type === "TIMESTAMP") return new Date(Number(value) / 1000).toISOString();
  return value;
}

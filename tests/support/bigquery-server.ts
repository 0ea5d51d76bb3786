import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { answering, freePort, stopProcess } from "./processes";

const PARTS = join(__dirname, "..", "..", ".parts", "bigquery");
const PYTHON = join(PARTS, "bin", "python");
const PROGRAM = join(__dirname, "bigquery_server.py");
const PROJECT = "local-project";

/** A field of a table's schema, as BigQuery's API names it. */
interface Field {
  readonly name: string;
  readonly type: string;
  readonly mode?: string;
}

/** A BigQuery server of its own process on free ports of the loopback interface. */
export class BigQueryServer {
  private child: ChildProcess | undefined;

  private constructor(
    private readonly rest: number,
    private readonly grpc: number,
    private readonly folder: string | undefined,
  ) {}

  /** @param folder where it keeps its tables. @default in memory */
  static async start(folder?: string): Promise<BigQueryServer> {
    if (!existsSync(PYTHON)) throw new Error("The BigQuery server is not installed: run npm run setup:tests.");
    const server = new BigQueryServer(await freePort(), await freePort(), folder);
    await server.run();
    return server;
  }

  /** What the adapter is told of it. */
  get endpoints() {
    return { rest: `http://127.0.0.1:${this.rest}`, storage: `127.0.0.1:${this.grpc}` };
  }

  /** The same as variables of a process. */
  get env(): Record<string, string> {
    const { rest, storage } = this.endpoints;
    return { BIGQUERY_API_ENDPOINT: rest, BIGQUERY_STORAGE_ENDPOINT: storage };
  }

  uri(datasetId: string): string {
    return `bigquery://${PROJECT}/${datasetId}`;
  }

  /** Starts it again at the same address after {@link stop}. What it kept in memory alone is gone. */
  async run(): Promise<void> {
    const ports = ["--rest-port", `${this.rest}`, "--grpc-port", `${this.grpc}`];
    const place = this.folder === undefined ? ["--ephemeral"] : ["--persistent", "--data-dir", this.folder];
    this.child = spawn(PYTHON, [PROGRAM, "start", "--project", PROJECT, ...ports, ...place, "--log-level", "error"], {
      stdio: "ignore",
      // Its DuckDB looks below the home directory for the extensions that setup-tests.js has put there.
      env: { ...process.env, HOME: join(PARTS, "home") },
    });
    await answering(this.endpoints.rest, this.child);
  }

  async stop(): Promise<void> {
    if (this.child) await stopProcess(this.child);
  }

  /**
   * The server's schema is changed by PATCH, its storage by SQL alone: this stands before it and has a PATCH do both, as
   * Google's does.
   */
  async patching(): Promise<{ readonly endpoints: BigQueryServer["endpoints"]; stop(): Promise<void> }> {
    const front = createServer((request, response) => {
      const parts: Buffer[] = [];
      request.on("data", (part: Buffer) => parts.push(part));
      request.on("end", async () => {
        const { method = "GET", url = "" } = request;
        const body = Buffer.concat(parts);
        const [, dataset, table] = /datasets\/([^/]+)\/tables\/([^/?]+)/.exec(url) ?? [];
        if (method === "PATCH" && dataset && table) await this.addColumns(dataset, table, JSON.parse(String(body)));
        const answer = await fetch(`${this.endpoints.rest}${url}`, {
          method,
          headers: { "content-type": request.headers["content-type"] ?? "application/json" },
          ...(body.length > 0 ? { body } : {}),
        });
        response.writeHead(answer.status, { "content-type": "application/json" });
        response.end(Buffer.from(await answer.arrayBuffer()));
      });
    });
    await new Promise<void>((resolve) => front.listen(0, "127.0.0.1", resolve));
    const { port } = front.address() as { port: number };
    return {
      endpoints: { ...this.endpoints, rest: `http://127.0.0.1:${port}` },
      stop: () =>
        new Promise((resolve) => {
          front.close(() => resolve());
          front.closeAllConnections();
        }),
    };
  }

  private async addColumns(dataset: string, table: string, patch: { schema?: { fields: Field[] } }): Promise<void> {
    const answer = await fetch(`${this.root}/datasets/${dataset}/tables/${table}`);
    const { schema } = (await answer.json()) as { schema: { fields: Field[] } };
    const names = new Set(schema.fields.map(({ name }) => name));
    for (const { name, type, mode } of patch.schema?.fields ?? []) {
      const sql = { INTEGER: "INT64", FLOAT: "FLOAT64", BOOLEAN: "BOOL" }[type] ?? type;
      const kind = mode === "REPEATED" ? `ARRAY<${sql}>` : sql;
      if (!names.has(name))
        await this.query(`ALTER TABLE \`${PROJECT}.${dataset}.${table}\` ADD COLUMN \`${name}\` ${kind}`);
    }
  }

  private get root(): string {
    return `${this.endpoints.rest}/bigquery/v2/projects/${PROJECT}`;
  }

  /** @returns what SQL calls it: `project.dataset` */
  async createDataset(datasetId: string): Promise<string> {
    await this.post("/datasets", { datasetReference: { projectId: PROJECT, datasetId } });
    return `${PROJECT}.${datasetId}`;
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
    const { fields } = (answer.schema ?? { fields: [] }) as { fields: Field[] };
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

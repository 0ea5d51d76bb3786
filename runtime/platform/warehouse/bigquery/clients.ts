import type { Duplex } from "node:stream";
import type { BigQuery } from "@google-cloud/bigquery";
import type { BigQueryWriteClient } from "@google-cloud/bigquery-storage/build/src/v1";
import type { DatasetAddress } from "./uri";

/**
 * Test servers that stand in for BigQuery, without credentials: `BIGQUERY_API_ENDPOINT` (a root URL) and
 * `BIGQUERY_STORAGE_ENDPOINT` (host:port).
 */
export interface Endpoints {
  readonly rest?: string | undefined;
  readonly storage?: string | undefined;
}

export const endpointsOf = (env: NodeJS.ProcessEnv): Endpoints => ({
  rest: env.BIGQUERY_API_ENDPOINT,
  storage: env.BIGQUERY_STORAGE_ENDPOINT,
});

/** Longest that one of the short calls around a stream may take. */
const CALL = { timeout: 20_000, maxRetries: 0 };

/**
 * The client by which questions are asked and tables looked after. Loads it, which takes a moment.
 *
 * @internal whoever uses the constructs has not its types
 */
export function restClient({ project }: DatasetAddress, { rest }: Endpoints): BigQuery {
  const { BigQuery } = require("@google-cloud/bigquery") as typeof import("@google-cloud/bigquery");
  return new BigQuery({
    projectId: project,
    ...(rest === undefined ? {} : { apiEndpoint: rest, authClient: anyone() as never }),
  });
}

/** The client of the Storage Write API. Loads it, which takes a moment. */
export class WriteClient {
  private readonly client: BigQueryWriteClient;

  constructor({ project }: DatasetAddress, { storage }: Endpoints) {
    // The package's own index loads every version of the API and Arrow beside it.
    const { BigQueryWriteClient } =
      require("@google-cloud/bigquery-storage/build/src/v1") as typeof import("@google-cloud/bigquery-storage/build/src/v1");
    if (storage === undefined) {
      this.client = new BigQueryWriteClient({ projectId: project });
      return;
    }
    const { credentials } = require("@grpc/grpc-js") as typeof import("@grpc/grpc-js");
    const [apiEndpoint = "", port = ""] = storage.split(":");
    this.client = new BigQueryWriteClient({
      projectId: project,
      apiEndpoint,
      port: Number(port),
      sslCreds: credentials.createInsecure() as never,
      authClient: anyone() as never,
    });
  }

  /** @param table `projects/P/datasets/D/tables/T` */
  async createStream(table: string): Promise<string> {
    const [{ name }] = await this.client.createWriteStream({ parent: table, writeStream: { type: "COMMITTED" } }, CALL);
    return String(name);
  }

  async finalizeStream(name: string): Promise<void> {
    await this.client.finalizeWriteStream({ name }, CALL);
  }

  appendRows(stream: string): Duplex {
    // By this header the service finds the region of the stream.
    const headers = { "x-goog-request-params": `write_stream=${encodeURIComponent(stream)}` };
    return this.client.appendRows({ otherArgs: { headers } }) as unknown as Duplex;
  }

  async close(): Promise<void> {
    await this.client.close();
  }
}

/** Credentials for a server that asks nobody for any. */
function anyone(): object {
  const { OAuth2Client } = require("google-auth-library") as typeof import("google-auth-library");
  const client = new OAuth2Client();
  client.setCredentials({ access_token: "test", expiry_date: Date.now() + 365 * 24 * 3600 * 1000 });
  return client;
}

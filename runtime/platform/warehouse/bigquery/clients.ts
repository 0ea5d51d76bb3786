import type { Duplex } from "node:stream";
import type { BigQuery } from "@google-cloud/bigquery";
import type { BigQueryWriteClient } from "@google-cloud/bigquery-storage/build/src/v1";
import type { AuthClient, GoogleAuth } from "google-auth-library";
import { DAY_MS } from "../../day";
import type { StreamType } from "./table-writer";
import type { DatasetAddress } from "./uri";

/**
 * Test servers that stand in for BigQuery, without credentials: `BIGQUERY_API_ENDPOINT` (a root URL) and
 * `BIGQUERY_STORAGE_ENDPOINT` (host:port); and one for the service that lets an account act as another.
 */
export interface Endpoints {
  readonly rest?: string | undefined;
  readonly storage?: string | undefined;
  readonly credentials?: string | undefined;
}

export const endpointsOf = (env: NodeJS.ProcessEnv): Endpoints => ({
  rest: env.BIGQUERY_API_ENDPOINT,
  storage: env.BIGQUERY_STORAGE_ENDPOINT,
});

/** Of gRPC: by itself it waits for up to two minutes before it looks again whether a service is back. */
const RECONNECT = { "grpc.initial_reconnect_backoff_ms": 200, "grpc.max_reconnect_backoff_ms": 5_000 };
/** Longest that one of the short calls around a stream may take. */
const CALL = { timeout: 20_000, maxRetries: 0 };

/**
 * The client by which questions are asked and tables looked after. Loads it, which takes a moment.
 *
 * @internal whoever uses the constructs has not its types
 * @param as e-mail address of the account that it acts as. Default: this process's own.
 */
export function restClient({ project }: DatasetAddress, { rest, credentials }: Endpoints, as?: string): BigQuery {
  const { BigQuery } = require("@google-cloud/bigquery") as typeof import("@google-cloud/bigquery");
  const own = rest === undefined ? undefined : anyone();
  const authClient = as === undefined ? own : actingAs(as, own, credentials);
  return new BigQuery({
    projectId: project,
    ...(rest === undefined ? {} : { apiEndpoint: rest }),
    ...(authClient ? { authClient: authClient as never } : {}),
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
      this.client = new BigQueryWriteClient({ projectId: project, ...RECONNECT });
      return;
    }
    const { credentials } = require("@grpc/grpc-js") as typeof import("@grpc/grpc-js");
    const [apiEndpoint = "", port = ""] = storage.split(":");
    this.client = new BigQueryWriteClient({
      projectId: project,
      ...RECONNECT,
      apiEndpoint,
      port: Number(port),
      sslCreds: credentials.createInsecure() as never,
      authClient: anyone() as never,
    });
  }

  /** @param table `projects/P/datasets/D/tables/T` */
  async createStream(table: string, type: StreamType): Promise<string> {
    const [{ name }] = await this.client.createWriteStream({ parent: table, writeStream: { type } }, CALL);
    return String(name);
  }

  /** @throws {Error} if the service refuses, which it says in its answer */
  async commitStream(table: string, stream: string): Promise<void> {
    const [{ streamErrors }] = await this.client.batchCommitWriteStreams(
      { parent: table, writeStreams: [stream] },
      CALL,
    );
    if (streamErrors?.length) throw new Error(streamErrors.map(({ errorMessage }) => errorMessage).join("; "));
  }

  async finalizeStream(name: string): Promise<void> {
    await this.client.finalizeWriteStream({ name }, CALL);
  }

  appendRows(stream: string): Duplex & { cancel(): void } {
    // By this header the service finds the region of the stream.
    const headers = { "x-goog-request-params": `write_stream=${encodeURIComponent(stream)}` };
    return this.client.appendRows({ otherArgs: { headers } }) as unknown as Duplex & { cancel(): void };
  }

  async close(): Promise<void> {
    await this.client.close();
  }
}

const SCOPE = "https://www.googleapis.com/auth/cloud-platform";

/**
 * Credentials of another account, which this process's own may impersonate.
 * https://cloud.google.com/iam/docs/create-short-lived-credentials-direct
 * @param own credentials of this process. Default: those that it finds.
 */
function actingAs(account: string, own: AuthClient | undefined, endpoint: string | undefined): AuthClient {
  const { GoogleAuth, Impersonated, OAuth2Client } =
    require("google-auth-library") as typeof import("google-auth-library");
  return new Impersonated({
    sourceClient: own ?? asNeeded(new GoogleAuth({ scopes: [SCOPE] }), new OAuth2Client()),
    targetPrincipal: account,
    targetScopes: ["https://www.googleapis.com/auth/bigquery"],
    delegates: [],
    lifetime: 3600,
    ...(endpoint === undefined ? {} : { endpoint }),
  });
}

/** Credentials that are looked for when the first token is needed, and not before. */
function asNeeded(auth: GoogleAuth, client: AuthClient): AuthClient {
  const found: Pick<AuthClient, "getAccessToken"> = {
    getAccessToken: async () => ({ token: (await auth.getAccessToken()) ?? null }),
  };
  return Object.assign(client, found, { request: (options: object) => auth.request(options) });
}

/** Credentials for a server that asks nobody for any. */
function anyone(): AuthClient {
  const { OAuth2Client } = require("google-auth-library") as typeof import("google-auth-library");
  const client = new OAuth2Client();
  client.setCredentials({ access_token: "test", expiry_date: Date.now() + 365 * DAY_MS });
  return client;
}

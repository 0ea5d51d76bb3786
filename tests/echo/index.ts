import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Policies } from "./iam-policy";
import { isRecord, type Json } from "./json";
import { ApiProblem, invalid, unknownToTheEcho } from "./problem";
import type { ApiRequest, Service, World } from "./service";
import { accessContextManager } from "./services/access-context-manager";
import { artifactRegistry } from "./services/artifact-registry";
import { bigQuery } from "./services/bigquery";
import { budgets } from "./services/billing-budgets";
import { cloudScheduler } from "./services/cloud-scheduler";
import { compute } from "./services/compute";
import { dataCatalog, dataPolicies } from "./services/data-catalog";
import { dataproc } from "./services/dataproc";
import { dns } from "./services/dns";
import { healthcare } from "./services/healthcare";
import { iam } from "./services/iam";
import { iap } from "./services/iap";
import { giveKey, kms } from "./services/kms";
import { logging } from "./services/logging";
import { monitoring } from "./services/monitoring";
import { orgPolicy } from "./services/org-policy";
import { resourceManager, serviceUsage } from "./services/projects";
import { pubsub } from "./services/pubsub";
import { functions, run } from "./services/run";
import { secretManager } from "./services/secret-manager";
import { storage } from "./services/storage";
import { vpcAccess } from "./services/vpc-access";
import { workflows } from "./services/workflows";
import { Store } from "./store";

const SERVICES: readonly Service[] = [
  accessContextManager,
  artifactRegistry,
  bigQuery,
  budgets,
  cloudScheduler,
  compute,
  dataCatalog,
  dataPolicies,
  dataproc,
  dns,
  functions,
  healthcare,
  iam,
  iap,
  kms,
  logging,
  monitoring,
  orgPolicy,
  pubsub,
  resourceManager,
  run,
  secretManager,
  serviceUsage,
  storage,
  vpcAccess,
  workflows,
];

/** A running echo of Google's APIs: what is written is what is read. */
export interface Echo {
  /** Root URL. */
  readonly url: string;
  /** What leads the provider here: `GOOGLE_STORAGE_CUSTOM_ENDPOINT` and its like. */
  readonly environment: Readonly<Record<string, string>>;
  /** Every resource and right that there is. */
  contents(): readonly EchoEntry[];
  /** Requests that it had no answer for, and what they were. */
  readonly gaps: readonly string[];
  stop(): Promise<void>;
}

export interface EchoEntry {
  /** `storage/b/data`, or a right: `storage/b/data roles/storage.objectViewer user:a@b.c`. */
  readonly name: string;
  /** What stands in the last part of the maker's user agent, `maker/NAME`; empty for others. */
  readonly by: string;
  /** Of a version of a key, such as DESTROY_SCHEDULED; DELETED where a name is kept of what is gone. */
  readonly state?: string;
}

/**
 * Starts an echo of its own on a free port of the loopback interface.
 * @param given what somebody else has made: `storage/b/NAME`, `kms/projects/.../cryptoKeys/K`
 */
export async function startEcho(given: readonly string[] = []): Promise<Echo> {
  const world: World = { store: new Store(), policies: new Policies() };
  for (const name of given)
    if (name.startsWith("kms/")) giveKey(name, world);
    else world.store.put(name, { name: name.slice(name.lastIndexOf("/") + 1), etag: "given" });
  const gaps: string[] = [];
  const server = createServer((request, response) => {
    answer(request, response, world, gaps).catch((error: unknown) => {
      gaps.push(`${request.method} ${request.url}: ${error instanceof Error ? error.stack : String(error)}`);
      send(response, 500, { error: { code: 500, status: "INTERNAL", message: String(error) } });
    });
  });
  // Connections that the provider keeps are closed by the provider: a request that meets one that closes is lost.
  Object.assign(server, { keepAliveTimeout: 0, requestTimeout: 0 });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    environment: Object.fromEntries(
      SERVICES.flatMap(({ name, endpoints }) =>
        Object.entries(endpoints).map(([variable, version]) => [
          `GOOGLE_${variable}_CUSTOM_ENDPOINT`,
          `${url}/${name}/${version === "" ? "" : `${version}/`}`,
        ]),
      ),
    ),
    contents: () => [
      ...world.store.names().map((name) => {
        const { state, deleted } = world.store.get(name);
        const known = deleted === true ? "DELETED" : /\/cryptoKeyVersions\//.test(name) ? String(state) : undefined;
        return { name, by: world.store.makerOf(name), ...(known === undefined ? {} : { state: known }) };
      }),
      ...world.policies.rights(),
    ],
    gaps,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(request: IncomingMessage, response: ServerResponse, world: World, gaps: string[]): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  try {
    const { service, call } = understand(request, Buffer.concat(chunks));
    const writer = /\bmaker\/(\S+)/.exec(request.headers["user-agent"] ?? "")?.[1] ?? "";
    world.store.writer = writer;
    world.policies.writer = writer;
    send(response, 200, service.handle(call, world));
  } catch (error) {
    if (!(error instanceof ApiProblem)) throw error;
    if (error.code === 501) gaps.push(`${request.method} ${request.url}: ${error.message}`);
    send(response, error.code, error.toJSON());
  }
}

function understand(request: IncomingMessage, bytes: Buffer): { service: Service; call: ApiRequest } {
  const url = new URL(request.url ?? "/", "http://localhost");
  // Uploads have a path of their own, from the root on.
  const parts = url.pathname
    .replace(/^\/upload\//, "/")
    .split("/")
    .slice(1);
  const [name = "", ...rest] = parts;
  const service = SERVICES.find((candidate) => candidate.name === name);
  if (!service) throw unknownToTheEcho(`${request.method} ${url.pathname}`);
  const versioned = /^v\d/.test(rest[0] ?? "") && !Object.values(service.endpoints).includes("");
  const path = decodePath(versioned ? rest.slice(1) : rest);
  const contentType = request.headers["content-type"] ?? "";
  return {
    service,
    call: {
      method: request.method ?? "GET",
      version: versioned ? (rest[0] ?? "") : "",
      // Some of the provider's clients append the version, and believe to have cut it off before, which they do for https.
      path: versioned ? path.replace(/^(?:dns\/)?v\d\//, "") : path,
      query: url.searchParams,
      body: contentType.startsWith("application/json") ? json(bytes) : {},
      bytes,
      contentType,
    },
  };
}

/** An escaped name keeps what would part it. */
const decodePath = (parts: readonly string[]) =>
  parts.map((part) => (/%2f/i.test(part) ? part : decodeURIComponent(part))).join("/");

function json(bytes: Buffer): Json {
  if (bytes.length === 0) return {};
  const value: unknown = JSON.parse(bytes.toString());
  if (!isRecord(value)) throw invalid("The body is not a JSON object.");
  return value;
}

function send(response: ServerResponse, code: number, body: object): void {
  response.writeHead(code, { "content-type": "application/json; charset=UTF-8" });
  response.end(JSON.stringify(body));
}

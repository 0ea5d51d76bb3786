import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { bucketEnvironment } from "../../../runtime/platform/contract";
import { openWorkspace, type Workspace } from "../../../runtime/platform/workspace";
import { serveContract } from "../../../runtime/serve";
import { BigQueryServer } from "../../support/bigquery-server";
import { headPng } from "../../support/bright-spot";
import { stopProcess } from "../../support/processes";
import { promote, storeModel, until } from "../../support/served-model";

/* The service's own process over real sockets, and its tables in files and in BigQuery. */

/** `PREDICTIONS=10000` is the size that is promised, and says how long answers took; less in every run. */
const PREDICTIONS = Number(process.env.PREDICTIONS ?? 48);
const CLIENTS = 8;
const PROCESS = join(__dirname, "../../../dist/runtime/serve/server.js");

let folder: string;
let workspace: Workspace;
let server: BigQueryServer;
let scan: Buffer;
let child: ChildProcess | undefined;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tables-"));
  workspace = await openWorkspace(join(folder, "workspace"));
  await storeModel(workspace);
  await promote(workspace);
  scan = await headPng(160, 160, { x: 80, y: 70, radius: 16 });
  server = await BigQueryServer.start(join(folder, "server"));
});

afterAll(async () => {
  if (child) await stopProcess(child);
  await server.stop();
  await workspace.close();
  await rm(folder, { recursive: true, force: true });
});

/** Starts the service with its tables at a place. */
async function start(WAREHOUSE: string): Promise<string> {
  const env = {
    ...process.env,
    ...bucketEnvironment(serveContract, workspace.buckets),
    ...server.env,
    ...{ WAREHOUSE, PORT: "0", HOST: "127.0.0.1", AUTH: "none", RATE_LIMIT: "0", DRAIN_SECONDS: "0" },
    PSEUDONYM_KEY: "local:test",
    // While the warehouse is away, callers wait.
    DEADLINE_SECONDS: "300",
  };
  const started = spawn(process.execPath, [PROCESS], { env, stdio: ["ignore", "ignore", "pipe"] });
  child = started;
  let said = "";
  started.stderr?.on("data", (chunk) => (said += chunk));
  const url = await until(
    async () => /"url":"([^"]+)"/.exec(said)?.[1],
    (found) => found !== undefined || started.exitCode !== null,
  );
  if (!url) throw new Error(`The process said: ${said}`);
  return url;
}

interface Reply {
  readonly status: number | undefined;
  readonly body: string;
}

function post(url: string, agent: Agent, key: string): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const headers = { "content-length": scan.length, "idempotency-key": key };
    const sent = request(`${url}/v1/predictions`, { method: "POST", agent, headers }, (response) => {
      let body = "";
      response.on("data", (chunk) => (body += chunk));
      response.on("end", () => resolve({ status: response.statusCode, body }));
      response.on("error", reject);
    });
    sent.on("error", reject);
    sent.end(scan);
  });
}

/**
 * Asks for predictions, several at a time. Who gets none asks again under the same key, as a client does.
 * @param name of the keys: under one that was used, the answer of then is given again, and no row is added
 * @returns the answers' requests, and how long each took, ascending, in milliseconds
 */
async function ask(url: string, name: string, half: () => Promise<void>) {
  const requests: string[] = [];
  const took: number[] = [];
  let next = 0;
  await Promise.all(
    Array.from({ length: CLIENTS }, async () => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      for (let i = next++; i < PREDICTIONS; i = next++) {
        if (i === Math.floor(PREDICTIONS / 2)) await half();
        const from = performance.now();
        let reply = await post(url, agent, `${name}-${i}`);
        for (; reply.status === 503; reply = await post(url, agent, `${name}-${i}`)) await sleep(100);
        took.push(performance.now() - from);
        if (reply.status !== 200) throw new Error(`${reply.status}: ${reply.body}`);
        requests.push((JSON.parse(reply.body) as { request: string }).request);
      }
      agent.destroy();
    }),
  );
  return { requests: requests.sort(), took: took.sort((a, b) => a - b) };
}

function tell(where: string, took: readonly number[]): void {
  if (process.env.PREDICTIONS === undefined) return;
  const at = (part: number) => `${(took[Math.floor((took.length - 1) * part)] ?? 0).toFixed(0)} ms`;
  process.stderr.write(
    `${PREDICTIONS} predictions, tables in ${where}: half within ${at(0.5)}, 99 % ${at(0.99)}, all ${at(1)}\n`,
  );
}

const nothing = async () => {};

test("every prediction has one row in files", async () => {
  const url = await start(workspace.buckets.warehouse.uri);
  const { requests, took } = await ask(url, "files", nothing);
  await stopProcess(child as ChildProcess, "SIGTERM");
  tell("files", took);
  expect(new Set(requests).size).toBe(PREDICTIONS);
  const rows = (await workspace.warehouse.rows("predictions")).map(({ row }) => row.request);
  expect(rows.sort()).toEqual(requests);
}, 7_200_000);

test.each([
  ["", nothing],
  [", also where BigQuery is away for a moment in between", () => server.stop().then(() => server.run())],
])(
  "every prediction has one row in BigQuery%s",
  async (kind, half) => {
    const dataset = kind === "" ? "steady" : "restarted";
    const name = await server.createDataset(dataset);
    const url = await start(server.uri(dataset));
    const { requests, took } = await ask(url, dataset, half);
    await stopProcess(child as ChildProcess, "SIGTERM");
    tell(`BigQuery${kind}`, took);
    expect(new Set(requests).size).toBe(PREDICTIONS);
    // As they lie there, without a reader that takes each batch once.
    const rows = await server.query(`SELECT request FROM \`${name}.predictions\` WHERE predicted_at > '1970-01-01'`);
    expect(rows.map(({ request: id }) => id).sort()).toEqual(requests);
    const acts = await server.query(
      `SELECT request FROM \`${name}.audit\` WHERE action = 'predict' AND recorded_at > '1970-01-01'`,
    );
    expect(acts.map(({ request: id }) => id).sort()).toEqual(requests);
  },
  7_200_000,
);

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { bucketEnvironment } from "../../../runtime/platform/contract";
import { openWorkspace, type Workspace } from "../../../runtime/platform/workspace";
import { buildServer, serveContract } from "../../../runtime/serve";
import type { Prediction } from "../../../runtime/serve/schemas";
import { headPixels, headPng } from "../../support/bright-spot";
import { stopProcess } from "../../support/processes";
import { promote, storeModel, until } from "../../support/served-model";
import { writeTiff } from "../imaging/tiff-writer";

// Under load, over real sockets. `CHANGES=60 STOPS=20` for the long run; the small numbers show the same.
const CHANGES = Number(process.env.CHANGES ?? 6);
const STOPS = Number(process.env.STOPS ?? 2);
const CLIENTS = 3;
/** What the build emitted: a process of its own runs it. */
const PROCESS = join(__dirname, "../../../dist/runtime/serve/server.js");

let folder: string;
let workspace: Workspace;
let scan: Buffer;
const children: ChildProcess[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "changes-"));
  workspace = await openWorkspace(join(folder, "workspace"));
  for (const id of ["model-one", "model-two"]) await storeModel(workspace, id);
  await promote(workspace, "model-one");
  scan = await headPng(160, 160, { x: 80, y: 70, radius: 16 });
});

afterAll(async () => {
  await Promise.all(children.map((child) => stopProcess(child)));
  await workspace.close();
  await rm(folder, { recursive: true, force: true });
});

interface Reply {
  /** Undefined where no connection was to be had: nobody accepted the request. */
  readonly status: number | undefined;
  readonly body: string;
  /** Whether the server said that it ends the connection. */
  readonly last: boolean;
}

/** One request over a kept connection. @throws if the connection ends after it was accepted */
function post(url: string, agent: Agent): Promise<Reply> {
  return new Promise((resolve, reject) => {
    let connected = false;
    const sent = request(`${url}/v1/predictions`, {
      method: "POST",
      agent,
      headers: { "content-length": scan.length },
    });
    sent.on("socket", (socket) => {
      if (socket.connecting) socket.once("connect", () => (connected = true));
      else connected = true;
    });
    sent.on("error", (error: NodeJS.ErrnoException) => {
      // A kept connection that the server had ended before it read anything of this request.
      if (!connected || (sent.reusedSocket && error.code === "ECONNRESET"))
        resolve({ status: undefined, body: "", last: true });
      else reject(error);
    });
    sent.on("response", (response) => {
      let body = "";
      response.on("data", (chunk) => (body += chunk));
      response.on("end", () =>
        resolve({ status: response.statusCode, body, last: response.headers.connection === "close" }),
      );
      response.on("error", reject);
    });
    sent.end(scan);
  });
}

/** Clients that send one request after the other, until they are told to stop. */
function load(url: string) {
  const replies: Reply[] = [];
  let on = true;
  const clients = Array.from({ length: CLIENTS }, async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    while (on) {
      const reply = await post(url, agent);
      replies.push(reply);
      // Who is told that the connection ends, or finds nobody, sends no more here: as a load balancer does.
      if (reply.last || reply.status === undefined) break;
    }
    agent.destroy();
  });
  return {
    replies,
    stop: async () => {
      on = false;
      await Promise.all(clients);
    },
  };
}

const modelsIn = (replies: readonly Reply[]) => replies.map(({ body }) => (JSON.parse(body) as Prediction).model);

test("models change under load without a failed request, and answers follow the pointer", async () => {
  const app = await buildServer({
    models: workspace.buckets.models,
    reports: workspace.buckets.reports,
    warehouse: workspace.warehouse,
    log: pino({ level: "silent" }),
    refreshSeconds: 0.02,
    deadlineSeconds: 600,
  });
  const url = await app.listen({ port: 0, host: "127.0.0.1" });
  const { replies, stop } = load(url);
  for (let change = 1; change <= CHANGES; change++) {
    const next = change % 2 ? "model-two" : "model-one";
    await promote(workspace, next);
    const before = replies.length;
    await until(
      async () => replies.slice(before),
      (since) => since.some(({ status, body }) => status !== 200 || body.includes(`"model":"${next}"`)),
    );
  }
  await stop();
  expect(replies.filter(({ status }) => status !== 200)).toEqual([]);
  const turns = modelsIn(replies).filter((model, i, all) => i === 0 || model !== all[i - 1]).length;
  expect(turns).toBeGreaterThan(CHANGES);
  await app.close();
}, 600_000);

async function start(): Promise<{
  readonly child: ChildProcess;
  readonly url: string;
  readonly ended: Promise<unknown[]>;
}> {
  const env = {
    ...process.env,
    ...bucketEnvironment(serveContract, workspace.buckets),
    PORT: "0",
    HOST: "127.0.0.1",
    AUTH: "none",
    PSEUDONYM_KEY: "local:test",
    DRAIN_SECONDS: "5",
  };
  const child = spawn(process.execPath, [PROCESS], { env, stdio: ["ignore", "ignore", "pipe"] });
  children.push(child);
  let said = "";
  child.stderr?.on("data", (chunk) => (said += chunk));
  const ended = once(child, "close");
  const url = await until(
    async () => /"url":"([^"]+)"/.exec(said)?.[1],
    (found) => found !== undefined || child.exitCode !== null,
  );
  if (!url) throw new Error(`The process said: ${said}`);
  return { child, url, ended };
}

test("a process that is told to stop says so on /readyz first, and fails no request that it has accepted", async () => {
  for (let round = 0; round < STOPS; round++) {
    const { child, url, ended } = await start();
    const { replies, stop } = load(url);
    await until(
      async () => replies.length,
      (count) => count >= CLIENTS,
    );
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    child.kill("SIGTERM");
    const probe = await until(
      () => fetch(`${url}/readyz`).catch(() => undefined),
      (reply) => reply === undefined || reply.status !== 200,
    );
    expect(probe?.status).toBe(503);
    expect(await probe?.json()).toMatchObject({ code: "stopping" });
    // It goes on answering for those who have not looked yet.
    const late = await post(url, new Agent());
    expect(late).toMatchObject({ status: 200, last: true });
    expect((await ended)[0]).toBe(0);
    await stop();
    expect(replies.filter(({ status }) => status !== 200)).toEqual([]);
    expect(replies.filter(({ last }) => last)).toHaveLength(CLIENTS);
  }
}, 600_000);

test("who sends a request again to where its first server was killed is told for how long to wait, and why", async () => {
  // So many that it is at work for a while.
  const page = {
    width: 160,
    height: 160,
    bits: 8 as const,
    values: headPixels(160, 160, { x: 80, y: 70, radius: 16 }),
  };
  const pages = writeTiff(Array.from({ length: 64 }, () => page));
  const headers = { "idempotency-key": "killed" };
  const send = (url: string) =>
    fetch(`${url}/v1/predictions`, { method: "POST", body: new Uint8Array(pages), headers });
  const first = await start();
  const lost = send(first.url).catch(() => "lost");
  const { reports } = workspace.buckets;
  await until(
    () => reports.list({ prefix: "idempotency/" }),
    ({ objects }) => objects.length > 0,
  );
  first.child.kill("SIGKILL");
  expect(await lost).toBe("lost");
  const second = await start();
  const answer = await send(second.url);
  const { code, detail } = (await answer.json()) as { code: string; detail: string };
  expect([answer.status, code]).toEqual([409, "in-progress"]);
  const wait = Number(answer.headers.get("retry-after"));
  const [claim] = (await reports.list({ prefix: "idempotency/" })).objects;
  const name = claim?.name as string;
  const stored = JSON.parse((await reports.read(name)).toString()) as { until: string };
  // The claim outlives the 30 s within which an answer is given, and no more than that is waited for.
  const asked = Date.parse(answer.headers.get("date") as string);
  expect(Math.abs(wait - (Date.parse(stored.until) - asked) / 1000)).toBeLessThanOrEqual(2);
  expect(wait).toBeLessThanOrEqual(45);
  expect(detail).toContain(`Send this one again in ${wait} s`);
  // Then it is done.
  await reports.write(name, JSON.stringify({ ...stored, until: new Date(0) }));
  expect((await send(second.url)).status).toBe(200);
}, 120_000);

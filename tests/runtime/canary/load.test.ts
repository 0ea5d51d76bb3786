import { mkdtemp, rm } from "node:fs/promises";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { abortCanary, advanceCanary, type CanaryContext, type CanaryStep, startCanary } from "../../../runtime/canary";
import { CloudRunShares } from "../../../runtime/platform/cloud-run";
import { openWorkspace, type Workspace } from "../../../runtime/platform/workspace";
import { changePlan } from "../../../runtime/promotion";
import { currentModel, rollback, setCurrent } from "../../../runtime/registry";
import { buildServer, type Prediction } from "../../../runtime/serve";
import { headPng } from "../../support/bright-spot";
import { RunServer, SERVICE } from "../../support/run-server";
import { promote, storeModel, until } from "../../support/served-model";

/*
 * Real servers behind what stands in for Cloud Run, real sockets, and clients that go on all the time: nothing that is done to
 * models and shares may fail a request.
 */

const [STABLE, CANDIDATE] = ["model-stable", "model-candidate"];
const CLIENTS = 3;
const log = pino({ level: "silent" });
/** Wide bounds, so that few answers show that they are held. */
const plan = {
  ...changePlan(),
  canary: {
    shares: [40, 60],
    confidence: 0.8,
    agreement: { least: 0.4 },
    errors: { margin: 0.4 },
    latency: { times: 50, share: 0.6 },
  },
};

let folder: string;
let workspace: Workspace;
/** Others each time: the same one again shows nothing more. */
let scans: readonly Buffer[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "canary-load-"));
  workspace = await openWorkspace(join(folder, "workspace"));
  for (const id of [STABLE, CANDIDATE]) await storeModel(workspace, id);
  await promote(workspace, STABLE);
  scans = await Promise.all(Array.from({ length: 40 }, (_, i) => headPng(160, 160, { x: 60 + i, y: 70, radius: 16 })));
});

afterEach(async () => {
  await workspace.close();
  await rm(folder, { recursive: true, force: true });
});

async function listening(env: Readonly<Record<string, string>>) {
  const { models, reports } = workspace.buckets;
  const app = await buildServer({
    ...{ models, reports, warehouse: workspace.warehouse, log, refreshSeconds: 0.02, deadlineSeconds: 600 },
    ...{ pinned: env.PINNED_MODEL, shadow: env.SHADOW_MODEL },
  });
  const url = await app.listen({ port: 0, host: "127.0.0.1" });
  return { url, stop: () => app.close(), app };
}

interface Reply {
  readonly status: number;
  readonly model: string;
  readonly pinned: boolean;
  readonly revision: string;
}

/** Clients that send one request after the other. A connection that breaks counts as a failed request. */
function load(url: string) {
  const replies: Reply[] = [];
  let on = true;
  let next = 0;
  const post = (agent: Agent) =>
    new Promise<Reply>((resolve) => {
      const scan = scans[next++ % scans.length] as Buffer;
      const failed = (status: number) => resolve({ status, model: "", pinned: false, revision: "" });
      const sent = request(`${url}/v1/predictions`, {
        ...{ method: "POST", agent, headers: { "content-length": scan.length } },
      });
      sent.on("error", () => failed(0));
      sent.on("response", (response) => {
        let body = "";
        response.on("data", (chunk) => {
          body += chunk;
        });
        response.on("error", () => failed(0));
        response.on("end", () => {
          if (response.statusCode !== 200) return failed(response.statusCode ?? 0);
          const { model, pinned = false } = JSON.parse(body) as Prediction;
          resolve({ status: 200, model, pinned, revision: String(response.headers["x-revision"] ?? "") });
        });
      });
      sent.end(scan);
    });
  const clients = Array.from({ length: CLIENTS }, async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    while (on) replies.push(await post(agent));
    agent.destroy();
  });
  return {
    replies,
    /** Waits for an answer that is as wanted, among those that are given from now on. */
    answered: async (wanted: (reply: Reply) => boolean) => {
      const before = replies.length;
      await until(
        async () => replies.slice(before),
        (since) => since.some((reply) => reply.status !== 200 || wanted(reply)),
      );
    },
    stop: async () => {
      on = false;
      await Promise.all(clients);
    },
  };
}

test("a canary begins, is taken back, begins again, advances by what is answered and is promoted: no request fails", async () => {
  const run = new RunServer(listening);
  await run.start();
  const context: CanaryContext = {
    ...{ models: workspace.buckets.models, warehouse: workspace.warehouse, plan },
    shares: new CloudRunShares(SERVICE, { run: run.url, monitoring: run.url }, 10),
    promoting: {
      tryOut: async () => undefined,
      preview: async () => ({ promotes: true, reason: "It is better." }),
      promote: async (model) => {
        const { models } = workspace.buckets;
        const next = { model, reason: "It is better." };
        return {
          promoted: await setCurrent(models, next, await currentModel(models), new Date()),
          reason: next.reason,
        };
      },
    },
  };
  const clients = load(run.url);
  await clients.answered(({ model }) => model === STABLE);
  const first = await startCanary(context, CANDIDATE);
  await clients.answered(({ pinned }) => pinned);
  await abortCanary(context, "The test says so.");
  const aborted = clients.replies.length + CLIENTS;
  await clients.answered(() => clients.replies.length > aborted + 5);
  // What was on its way when the shares moved is among the first few.
  expect(clients.replies.slice(aborted).filter(({ pinned }) => pinned)).toEqual([]);

  const second = await startCanary(context, CANDIDATE);
  expect(second.canary.revision).not.toBe(first.canary.revision);
  const given = new Set<number | null>();
  let step: CanaryStep = second;
  while (step.canary.state === "running" && clients.replies.every(({ status }) => status === 200)) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    step = await advanceCanary(context);
    given.add(step.given);
  }
  expect(step.canary).toMatchObject({ state: "promoted" });
  expect([...given]).toEqual([40, 60, 0]);
  await clients.answered(({ model, pinned }) => model === CANDIDATE && !pinned);
  await clients.stop();
  expect(clients.replies.filter(({ status }) => status !== 200)).toEqual([]);
  for (const { model, pinned, revision } of clients.replies) {
    expect(pinned).toBe(run.pinned.includes(revision));
    if (pinned) expect(model).toBe(CANDIDATE);
  }
  // Pairs came of the canary's own answers, with the stable model beside.
  const pairs = await workspace.warehouse.rows("shadows");
  expect(pairs.map(({ row: { model, shadow } }) => `${model} ${shadow}`)).toContain(`${CANDIDATE} ${STABLE}`);
  await run.stop();
}, 300_000);

test("with a shadow beside, models change and are rolled back under load: no request fails", async () => {
  const { url, app } = await listening({ SHADOW_MODEL: CANDIDATE });
  const { models } = workspace.buckets;
  const clients = load(url);
  for (let turn = 0; turn < 2; turn++) {
    await clients.answered(({ model }) => model === STABLE);
    await promote(workspace, CANDIDATE);
    await clients.answered(({ model }) => model === CANDIDATE);
    expect(await rollback(models, async () => undefined)).toMatchObject({ done: true, model: STABLE });
  }
  await clients.answered(({ model }) => model === STABLE);
  // Busy clients leave a shadow its turn now and then, or it is counted that they did not.
  await clients.stop();
  const { shadow } = (await app.inject("/v1/model")).json();
  expect(shadow).toMatchObject({ model: CANDIDATE, failed: 0 });
  await app.close();
  const rows = await workspace.warehouse.rows("shadows");
  expect(rows.length).toBeGreaterThanOrEqual(shadow.compared);
  expect(clients.replies.filter(({ status }) => status !== 200)).toEqual([]);
}, 300_000);

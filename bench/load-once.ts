import { Agent, request } from "node:http";
import { setTimeout } from "node:timers/promises";
import autocannon from "autocannon";
import { type LoadPlan, LoadRecord, scansOf } from "./load";

/** Load on a server from a process of its own: node load-once.js PLAN prints what came of it, both as JSON. */

/** Above every deadline of a server. */
const TIMEOUT_SECONDS = 60;
const PREDICTIONS = "/v1/predictions";
const HEADERS = { "content-type": "image/png" };

/** Each connection sends its next request when it has an answer: what a server gives when it is never waited for. */
async function closedLoop(plan: LoadPlan, connections: number, answers: number): Promise<LoadRecord> {
  const next = scansOf(plan.scans);
  const record = new LoadRecord();
  interface Pair {
    overlay?: string | undefined;
  }
  const post = {
    method: "POST",
    path: PREDICTIONS,
    headers: HEADERS,
    setupRequest: (sent: object) => Object.assign(sent as { method: string; path: string }, { body: next() }),
    onResponse: (status: number, body: string, context: Pair) => {
      context.overlay = record.answer(status, body);
    },
  };
  const overlay = {
    method: "GET",
    path: PREDICTIONS,
    setupRequest: (sent: { method: string; path: string }, { overlay }: Pair) =>
      overlay !== undefined && Object.assign(sent, { path: overlay }),
    onResponse: (status: number, body: string) => record.overlay(status, body.slice(0, 300)),
  };
  const requests = plan.overlay ? [post, overlay] : [post];
  const { errors } = await autocannon<Pair>({
    url: plan.urls,
    connections,
    amount: connections * answers * requests.length,
    timeout: TIMEOUT_SECONDS,
    // After a connection that broke within an answer autocannon waits in vain for the end of every later one of it.
    bailout: 1,
    requests,
  });
  if (errors > 0) record.fail("A connection failed or gave no answer in time.", errors);
  return record;
}

/**
 * Requests at even intervals. Not by autocannon: it sends those of a second at once at its beginning. Milliseconds count
 * from when a request was due, so that one which had to wait for its turn here does not look quick.
 */
async function openLoop(plan: LoadPlan, rate: number, seconds: number): Promise<LoadRecord> {
  const next = scansOf(plan.scans);
  const agent = new Agent({ keepAlive: true });
  const record = new LoadRecord();
  const one = async (url: string, due: number) => {
    try {
      const { status, body } = await ask(agent, new URL(PREDICTIONS, url), next());
      const overlay = record.answer(status, body.toString(), performance.now() - due);
      if (overlay === undefined || !plan.overlay) return;
      const asked = performance.now();
      const drawn = await ask(agent, new URL(overlay, url));
      record.overlay(drawn.status, drawn.type, performance.now() - asked);
    } catch (error) {
      record.fail(error instanceof Error ? error.message : String(error));
    }
  };
  const start = performance.now();
  const asked: Promise<void>[] = [];
  for (let i = 0; i < rate * seconds; i++) {
    const due = start + (1000 * i) / rate;
    const early = due - performance.now();
    if (early > 0) await setTimeout(early);
    asked.push(one(plan.urls[i % plan.urls.length] as string, due));
  }
  await Promise.all(asked);
  agent.destroy();
  return record;
}

interface Response {
  readonly status: number;
  readonly type: string;
  readonly body: Buffer;
}

/** GET, or POST where there is something to send. */
function ask(agent: Agent, url: URL, body?: Buffer): Promise<Response> {
  return new Promise((resolve, reject) => {
    const method = body ? "POST" : "GET";
    const headers = body ? { ...HEADERS, "content-length": body.length } : {};
    const sent = request(url, { agent, method, headers, timeout: TIMEOUT_SECONDS * 1000 }, (response) => {
      const parts: Buffer[] = [];
      response.on("data", (part: Buffer) => parts.push(part));
      response.on("error", reject);
      response.on("end", () => {
        const { statusCode: status = 0, headers } = response;
        resolve({ status, type: headers["content-type"] ?? "", body: Buffer.concat(parts) });
      });
    });
    sent.on("timeout", () => sent.destroy(new Error(`${method} ${url.pathname} gave no answer.`)));
    sent.on("error", reject);
    sent.end(body);
  });
}

async function main(): Promise<void> {
  const plan = JSON.parse(process.argv[2] ?? "") as LoadPlan;
  const { how } = plan;
  const record =
    "rate" in how ? await openLoop(plan, how.rate, how.seconds) : await closedLoop(plan, how.connections, how.answers);
  // What a connection still waits for keeps nobody waiting.
  process.stdout.write(`${JSON.stringify(record.measurement())}\n`, () => process.exit());
}

void main();

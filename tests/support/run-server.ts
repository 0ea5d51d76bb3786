import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { failedAnswersFilter } from "../../runtime/platform/cloud-run";

export const SERVICE = "projects/a-project/locations/europe-west4/services/st-anna-serve";
const SHORT = "st-anna-serve";

interface Revision {
  readonly name: string;
  readonly env: Readonly<Record<string, string>>;
  /** Whether its instances have a processor during requests alone. */
  readonly cpuIdle: boolean;
  /** State of its condition `Ready`, and why it failed. */
  ready: "CONDITION_RECONCILING" | "CONDITION_SUCCEEDED" | "CONDITION_FAILED";
  message?: string;
  /** Where it answers; undefined where nothing is started. */
  readonly url: string | undefined;
  readonly stop: (() => Promise<void>) | undefined;
}

/** An entry of Cloud Run's log of requests. */
export interface LoggedRequest {
  readonly method: string;
  readonly url: string;
  readonly status: number;
}

/** A request for an answer, as Cloud Run's log has it. */
export const asked = (status: number): LoggedRequest => ({
  method: "POST",
  url: "https://serve.example.org/v1/predictions",
  status,
});

interface Target {
  readonly type: string;
  readonly revision?: string;
  readonly percent?: number;
}

// biome-ignore lint/suspicious/noExplicitAny: whatever a client writes
type Json = any;

/** Starts what a revision runs. @throws what keeps it from becoming ready */
export type StartRevision = (
  env: Readonly<Record<string, string>>,
) => Promise<{ url: string; stop: () => Promise<void> }>;

/**
 * Cloud Run's Admin API v2 and Cloud Monitoring over HTTP, as far as a canary needs them, and the front door of the one service
 * that there is: it shares requests among revisions as `traffic` says. LATEST is the newest revision that is ready; a change is
 * an operation that is done later; a write with an old etag is refused. A revision that does not become ready is kept, and
 * so is its name.
 */
export class RunServer {
  private server!: Server;
  url = "";
  readonly revisions = new Map<string, Revision>();
  /** Requests as Cloud Run's log has them, of each revision: how many there are of each kind. */
  private readonly log = new Map<string, Map<string, number>>();
  /** The log metric that a deploy makes; without it Cloud Monitoring knows none of its name. */
  deployed = true;
  readonly writes: { readonly mask: string; readonly traffic: Target[] | undefined }[] = [];
  service: Json;
  private made = 0;
  private drawn = 0;
  private readonly operations = new Map<string, { polls: number; error?: string; finish: () => void }>();
  /** Refuses the next write with this status. */
  refuse: number | undefined;
  /** Between a write and the end of its operation. */
  pollsUntilDone = 2;

  constructor(private readonly startRevision?: StartRevision) {}

  async start(env: Readonly<Record<string, string>> = {}): Promise<void> {
    this.service = {
      name: SERVICE,
      etag: '"1"',
      template: {
        serviceAccount: "a@b.c",
        timeout: "60s",
        containers: [{ image: "an/image", env: envList(env), resources: RESOURCES }],
      },
      traffic: [{ type: "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", percent: 100 }],
    };
    (await this.revise()).ready = "CONDITION_SUCCEEDED";
    this.service.latestReadyRevision = this.service.latestCreatedRevision;
    this.server = createServer((incoming, answer) => void this.handle(incoming, answer));
    await new Promise<void>((resolve) => this.server.listen(0, "127.0.0.1", resolve));
    this.url = `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
    for (const { stop } of this.revisions.values()) await stop?.();
  }

  /** Puts so many requests into the log. */
  count(revision: string, request: LoggedRequest, requests: number): void {
    const logged = this.log.get(revision) ?? new Map<string, number>();
    this.log.set(revision, logged);
    const kind = JSON.stringify(request);
    logged.set(kind, (logged.get(kind) ?? 0) + requests);
  }

  /** Percent by revision, LATEST by what it is now. */
  get shares(): Readonly<Record<string, number>> {
    const shares: Record<string, number> = {};
    for (const { type, revision, percent = 0 } of this.service.traffic as Target[]) {
      const name = type.endsWith("LATEST") ? last(this.service.latestReadyRevision) : String(revision);
      if (percent > 0) shares[name] = (shares[name] ?? 0) + percent;
    }
    return shares;
  }

  get pinned(): string[] {
    return [...this.revisions.values()].flatMap(({ name, env }) => (env.PINNED_MODEL ? [name] : []));
  }

  private async handle(incoming: IncomingMessage, answer: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(incoming.url ?? "/", this.url);
    if (!/^\/v[23]\/projects\//.test(pathname)) return this.forward(incoming, answer);
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const body = chunks.length > 0 ? JSON.parse(Buffer.concat(chunks).toString()) : undefined;
    const [status, said] = await this.api(String(incoming.method), pathname, searchParams, body);
    answer.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(said));
  }

  private async api(method: string, path: string, query: URLSearchParams, body: Json): Promise<[number, Json]> {
    const refused = (code: number, message: string): [number, Json] => [code, { error: { code, message } }];
    if (path === `/v2/${SERVICE}` && method === "GET") {
      this.goOn();
      const reconciling = [...this.operations.values()].some(({ polls }) => polls > 0);
      return [200, { ...this.service, ...(reconciling ? { reconciling } : {}) }];
    }
    if (path === "/v3/projects/a-project/timeSeries")
      return this.deployed ? [200, this.timeSeries(query)] : refused(404, "Cannot find metric(s) that match type.");
    const [, revision] = new RegExp(`^/v2/${SERVICE}/revisions/(.+)$`).exec(path) ?? [];
    if (revision) {
      this.goOn();
      const found = this.revisions.get(revision);
      if (!found) return refused(404, "Not found.");
      const { ready: state, message } = found;
      return [200, { name: path.slice(4), conditions: [{ type: "Ready", state, ...(message ? { message } : {}) }] }];
    }
    const operation = this.operations.get(path.slice("/v2/".length));
    if (operation) return [200, this.poll(path.slice("/v2/".length), operation)];
    if (path !== `/v2/${SERVICE}` || method !== "PATCH") return refused(404, `${method} ${path} is nothing.`);
    if (this.refuse) return refused(this.refuse, "The test says so.");
    if (body.etag !== this.service.etag) return refused(409, "The etag is an old one.");
    const mask = query.get("updateMask") ?? "";
    const problem = this.problemOf(mask.split(","), body);
    if (problem) return refused(400, problem);
    this.writes.push({ mask, traffic: body.traffic });
    return [200, await this.change(mask.split(","), body)];
  }

  private problemOf(mask: readonly string[], { template, traffic }: Json): string | undefined {
    const name = template?.revision;
    if (mask.includes("template") && name !== undefined) {
      if (!name.startsWith(`${SHORT}-`) || name.length > 63) return `${name} must begin with the service's name.`;
      if (this.revisions.has(name)) return `There is a revision ${name}.`;
    }
    if (!mask.includes("traffic")) return undefined;
    const sum = traffic.reduce((total: number, { percent = 0 }: Target) => total + percent, 0);
    if (sum !== 100) return `The traffic sums up to ${sum}.`;
    const unknown = traffic.find(({ revision }: Target) => revision !== undefined && !this.revisions.has(revision));
    return unknown && `There is no revision ${unknown.revision}.`;
  }

  private async change(mask: readonly string[], body: Json): Promise<Json> {
    if (mask.includes("traffic")) this.service.traffic = body.traffic;
    let made: Revision | undefined;
    if (mask.includes("template") && JSON.stringify(body.template) !== JSON.stringify(this.service.template)) {
      this.service.template = body.template;
      made = await this.revise();
    }
    this.service.etag = `"${Number(JSON.parse(this.service.etag)) + 1}"`;
    const name = `projects/a-project/locations/europe-west4/operations/${++this.made}`;
    const finish = () => {
      if (made?.ready !== "CONDITION_RECONCILING") return;
      made.ready = "CONDITION_SUCCEEDED";
      const order = [...this.revisions.keys()];
      if (order.indexOf(made.name) > order.indexOf(last(this.service.latestReadyRevision)))
        this.service.latestReadyRevision = `${SERVICE}/revisions/${made.name}`;
    };
    const error = made?.message;
    this.operations.set(name, { polls: this.pollsUntilDone, finish, ...(error ? { error } : {}) });
    return { name, done: false };
  }

  /** What was begun goes on, whether or not somebody asks for the operation. */
  private goOn(): void {
    for (const [name, operation] of this.operations) if (operation.polls > 0) this.poll(name, operation);
  }

  private poll(name: string, operation: { polls: number; error?: string; finish: () => void }): Json {
    if (--operation.polls > 0) return { name, done: false };
    operation.finish();
    return { name, done: true, ...(operation.error ? { error: { message: operation.error } } : { response: {} }) };
  }

  /** A revision of the template as it is, with the reason where it will not become ready. */
  private async revise(): Promise<Revision> {
    const { template } = this.service;
    const [{ resources }] = template.containers;
    const name = template.revision ?? `${SHORT}-${String(this.revisions.size + 1).padStart(5, "0")}-xyz`;
    const env = Object.fromEntries(
      (template.containers[0].env ?? []).map(({ name: key, value }: { name: string; value: string }) => [key, value]),
    );
    const started = await this.startRevision?.(env).catch((failure: Error) => failure);
    const [running, failure] = started instanceof Error ? [undefined, started] : [started, undefined];
    const revision: Revision = {
      ...{ name, env, cpuIdle: resources?.cpuIdle === true, url: running?.url, stop: running?.stop },
      ready: failure ? "CONDITION_FAILED" : "CONDITION_RECONCILING",
      ...(failure ? { message: failure.message } : {}),
    };
    this.revisions.set(name, revision);
    this.service.latestCreatedRevision = `${SERVICE}/revisions/${name}`;
    return revision;
  }

  /** Every hundredth draws of one hundred: shares hold exactly. */
  private draw(): Revision | undefined {
    let place = (this.drawn++ * 37) % 100;
    for (const [name, percent] of Object.entries(this.shares)) {
      if (place < percent) return this.revisions.get(name);
      place -= percent;
    }
    return undefined;
  }

  private forward(incoming: IncomingMessage, answer: ServerResponse): void {
    const revision = this.draw();
    if (!revision?.url) {
      answer.writeHead(503).end("No revision has the request.");
      return;
    }
    const { method, headers } = incoming;
    const logged = { method: String(method), url: `https://serve.example.org${incoming.url}` };
    const passed = request(`${revision.url}${incoming.url}`, { method, headers }, (reply) => {
      this.count(revision.name, { ...logged, status: reply.statusCode ?? 502 }, 1);
      answer.writeHead(reply.statusCode ?? 502, { ...reply.headers, "x-revision": revision.name });
      reply.pipe(answer);
    });
    passed.on("error", () => {
      this.count(revision.name, { ...logged, status: 502 }, 1);
      answer.writeHead(502).end();
    });
    incoming.pipe(passed);
  }

  /** What the log metric counts, by its own filter. */
  private timeSeries(query: URLSearchParams): Json {
    const filter = query.get("filter") ?? "";
    const metric = `metric.type="logging.googleapis.com/user/${SHORT}-failed-answers"`;
    if (!filter.includes(metric) || !filter.includes(`service_name="${SHORT}"`)) return {};
    const counts = failedAnswersFilter(SHORT);
    return {
      timeSeries: [...this.log].flatMap(([revision_name, requests]) => {
        let counted = 0;
        for (const [kind, times] of requests) if (isCounted(counts, JSON.parse(kind))) counted += times;
        const points = [{ value: { int64Value: String(counted) } }];
        return counted > 0 ? [{ resource: { labels: { revision_name } }, points }] : [];
      }),
    };
  }
}

/** Whether a filter of Cloud Logging takes an entry of the log of requests, as far as it is about the request. */
function isCounted(filter: string, { method, url, status }: LoggedRequest): boolean {
  const [, wanted] = /httpRequest\.requestMethod="(\w+)"/.exec(filter) ?? [];
  const [, pattern = "^$"] = /httpRequest\.requestUrl=~"([^"]+)"/.exec(filter) ?? [];
  const [, least = "0"] = /httpRequest\.status>=(\d+)/.exec(filter) ?? [];
  return (wanted ?? method) === method && new RegExp(pattern).test(url) && status >= Number(least);
}

/** As a hospital's service has them. */
const RESOURCES = { limits: { cpu: "1", memory: "2Gi" }, cpuIdle: true, startupCpuBoost: true };
const envList = (env: Readonly<Record<string, string>>) =>
  Object.entries(env).map(([name, value]) => ({ name, value }));
const last = (name: string) => name.slice(name.lastIndexOf("/") + 1);

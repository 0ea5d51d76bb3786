import { setTimeout as sleep } from "node:timers/promises";
import type { GoogleAuth } from "google-auth-library";

/** `projects/P/locations/L/services/S` */
export const RUN_SERVICE =
  /^projects\/([a-z][a-z0-9.:-]{1,61})\/locations\/([a-z0-9-]+)\/services\/([a-z][a-z0-9-]{0,48})$/;

/** Root URLs of servers that stand in for Google's, without credentials. */
export interface RunEndpoints {
  readonly run?: string | undefined;
  readonly monitoring?: string | undefined;
}

export const runEndpointsOf = (env: NodeJS.ProcessEnv): RunEndpoints => ({
  run: env.CLOUD_RUN_API_ENDPOINT,
  monitoring: env.MONITORING_API_ENDPOINT,
});

interface TrafficTarget {
  readonly type: "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST" | "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION";
  readonly revision?: string;
  readonly percent?: number;
  readonly tag?: string;
}

interface Template {
  readonly revision?: string;
  readonly containers: readonly {
    readonly env?: readonly { readonly name: string; readonly value?: string }[];
    readonly resources?: { readonly cpuIdle?: boolean; readonly [more: string]: unknown };
    readonly [more: string]: unknown;
  }[];
  readonly [more: string]: unknown;
}

interface Service {
  readonly template: Template;
  readonly traffic?: readonly TrafficTarget[];
  /** `projects/.../revisions/R` */
  readonly latestReadyRevision?: string;
  readonly latestCreatedRevision?: string;
  /** Whether a change is being carried out. */
  readonly reconciling?: boolean;
  readonly etag: string;
}

interface Revision {
  /** The one of type `Ready` says whether it was ever ready: succeeded and failed are final. */
  readonly conditions?: readonly { readonly type: string; readonly state?: string; readonly message?: string }[];
}

interface Operation {
  readonly name: string;
  readonly done?: boolean;
  readonly error?: { readonly message?: string };
}

/** Cloud Run refused something. The message is a sentence; `status` is HTTP's, undefined where an operation failed. */
export class CloudRunError extends Error {
  constructor(
    message: string,
    readonly status?: number,
  ) {
    super(message);
    this.name = "CloudRunError";
  }
}

const LATEST: TrafficTarget = { type: "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", percent: 100 };
const MARK = /^[0-9a-f]{8}$/;
/** Whose presence says that a template is a canary's. */
export const PIN = "PINNED_MODEL";

/** Whether a revision of a service is a canary's. @param service its last name */
export function isCanaryRevision(service: string, revision: string): boolean {
  return revision.startsWith(`${service}-c`) && MARK.test(revision.slice(service.length + 2));
}

/** A revision has four minutes to begin; longer than that nothing is waited for. */
const OPERATION_SECONDS = 600;

/** A metric of a service that counts requests for an answer that ended in 5xx, by revision. */
export const failedAnswersMetric = (service: string) => `${service}-failed-answers`;

/**
 * What of Cloud Run's log of requests {@link failedAnswersMetric} counts. What Cloud Run counts itself tells nothing of what
 * was asked for: pages and pictures that failed would be among it, and no answer is compared with them.
 */
export const failedAnswersFilter = (service: string) =>
  `resource.type="cloud_run_revision" AND resource.labels.service_name="${service}" AND log_id("run.googleapis.com/requests") AND httpRequest.requestMethod="POST" AND httpRequest.requestUrl=~"^https?://[^/]+/v1/predictions(/batch)?([?]|$)" AND httpRequest.status>=500`;

const revisionIn = (name: string) => name.slice(name.lastIndexOf("/") + 1);
const toRevision = (revision: string, percent: number): TrafficTarget => ({
  type: "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION",
  revision,
  percent,
});

/**
 * The shares of a Cloud Run service, by its Admin API v2 (https://cloud.google.com/run/docs/reference/rest/v2). Everybody but
 * the canary is `LATEST`, whatever is deployed meanwhile: nobody who deploys has to know of a canary.
 *
 * A change is refused by the service's etag where another process changed something meanwhile.
 */
export class CloudRunShares {
  private readonly short: string;
  private readonly project: string;
  private auth: GoogleAuth | undefined;

  /**
   * @param service `projects/P/locations/L/services/S`
   * @param pollMilliseconds how often it is looked whether a change is done
   * @param signal ends what only reads and waits: what was asked of Cloud Run goes on by itself, and the next call meets it
   * @throws {RangeError} if it is none
   */
  constructor(
    private readonly service: string,
    private readonly endpoints: RunEndpoints = {},
    private readonly pollMilliseconds = 1000,
    private readonly signal?: AbortSignal,
  ) {
    const [, project = "", , short = ""] = RUN_SERVICE.exec(service) ?? [];
    if (short === "")
      throw new RangeError(`"${service}" is no service: write projects/PROJECT/locations/REGION/services/NAME.`);
    this.project = project;
    this.short = short;
  }

  /** A name for the revision of a canary. @param mark eight hex digits, which make it this one's */
  revisionName(mark: string): string {
    return `${this.short}-c${mark}`;
  }

  /** Percent of the requests that go to a revision. */
  async shareOf(revision: string): Promise<number> {
    const { traffic = [] } = await this.read();
    return traffic.reduce((sum, target) => sum + (target.revision === revision ? (target.percent ?? 0) : 0), 0);
  }

  /**
   * Makes a revision like the one that is deployed with more of an environment, to which no request goes yet, and leaves
   * the service's template as it was: what deploys sees no difference. Killed in between and called again it goes on with
   * the revision that it made, once that is ready. Nobody's requests go elsewhere meanwhile: until all is ready they are held at the revision that has them.
   *
   * @throws {CloudRunError} if the revision does not become ready; the template is as it was then too
   */
  async makeRevision(revision: string, environment: Readonly<Record<string, string>>): Promise<void> {
    const service = await this.read();
    const { template } = service;
    if (!(await this.findRevision(revision))) {
      if (isPinned(template))
        throw new CloudRunError(
          `The template of ${this.service} has ${PIN} already: a canary was being started. Abort it first: npm run models -- canary abort.`,
        );
      const ready = revisionIn(service.latestReadyRevision ?? "");
      if (ready === "") throw new CloudRunError(`${this.service} has no revision that is ready: deploy it first.`);
      const failed = await this.change(
        { template: { ...withEnvironment(template, environment), revision }, traffic: [toRevision(ready, 100)] },
        service.etag,
      ).then(
        () => undefined,
        (error: unknown) => error,
      );
      await this.restoreTemplate();
      if (failed) {
        await this.reset();
        throw failed;
      }
      return;
    }
    await this.restoreTemplate();
    await this.requireReady(revision);
  }

  /** Gives a revision a share of the requests; all others go to what is deployed. @param percent 1 to 99 */
  async give(revision: string, percent: number): Promise<void> {
    await this.restoreTemplate();
    const { etag } = await this.settled();
    await this.change({ traffic: [{ ...LATEST, percent: 100 - percent }, toRevision(revision, percent)] }, etag);
  }

  /** Lets what is deployed have all requests again. Changes nothing where it is so. */
  async reset(): Promise<void> {
    await this.restoreTemplate();
    const { traffic = [], etag } = await this.settled();
    const [only, ...others] = traffic.filter(({ percent = 0 }) => percent > 0);
    if (others.length === 0 && only?.type === LATEST.type) return;
    await this.change({ traffic: [LATEST] }, etag);
  }

  /**
   * How many requests for an answer a revision, and all others, failed (5xx) since a time: {@link failedAnswersMetric}, which a
   * deploy makes.
   */
  async failures(revision: string, since: Date, now: Date): Promise<Readonly<Record<"its" | "others", number>>> {
    const seconds = Math.max(60, Math.ceil((now.getTime() - since.getTime()) / 1000));
    const query = new URLSearchParams({
      filter: `metric.type="logging.googleapis.com/user/${failedAnswersMetric(this.short)}" AND resource.type="cloud_run_revision" AND resource.labels.service_name="${this.short}"`,
      "interval.startTime": new Date(now.getTime() - seconds * 1000).toISOString(),
      "interval.endTime": now.toISOString(),
      "aggregation.alignmentPeriod": `${seconds}s`,
      "aggregation.perSeriesAligner": "ALIGN_SUM",
      "aggregation.crossSeriesReducer": "REDUCE_SUM",
      "aggregation.groupByFields": "resource.labels.revision_name",
    });
    const root = this.endpoints.monitoring ?? "https://monitoring.googleapis.com";
    const counts = { its: 0, others: 0 };
    let page: string | undefined = "";
    while (page !== undefined) {
      const url: string = `${root}/v3/projects/${this.project}/timeSeries?${query}${page && `&pageToken=${encodeURIComponent(page)}`}`;
      const { timeSeries = [], nextPageToken } = await this.send<{
        readonly timeSeries?: readonly TimeSeries[];
        readonly nextPageToken?: string;
      }>("GET", url).catch((error: unknown) => {
        if (error instanceof CloudRunError && error.status === 404)
          throw new CloudRunError(
            `${this.project} has no metric ${failedAnswersMetric(this.short)}, so nothing is known of answers that failed: deploy the app stack.`,
            404,
          );
        throw error;
      });
      for (const { resource, points = [] } of timeSeries) {
        const sum = points.reduce((total, { value }) => total + Number(value.int64Value ?? 0), 0);
        counts[resource.labels.revision_name === revision ? "its" : "others"] += sum;
      }
      page = nextPageToken || undefined;
    }
    return counts;
  }

  /**
   * The service once LATEST, the newest revision that is ready, is none of a canary's: of a process that was killed what
   * comes after it may still be starting.
   */
  private async settled(): Promise<Service> {
    for (let left = OPERATION_SECONDS * 1000; ; left -= this.pollMilliseconds) {
      const service = await this.read();
      const [ready, made] = [service.latestReadyRevision, service.latestCreatedRevision].map((name = "") =>
        revisionIn(name),
      );
      if (!this.isCanary(ready ?? "")) return service;
      if (this.isCanary(made ?? "") || !service.reconciling || left <= 0)
        throw new CloudRunError(
          `${this.service} has no ready revision after ${ready}, which is a canary's: what is deployed must become ready first. Nobody's requests were moved.`,
        );
      await this.pause();
    }
  }

  private isCanary(revision: string): boolean {
    return isCanaryRevision(this.short, revision);
  }

  /** Takes a canary's environment out of the template again, if it is there. */
  private async restoreTemplate(): Promise<void> {
    const { template, etag } = await this.read();
    if (!isPinned(template)) return;
    const { revision: _, ...rest } = withoutEnvironment(template);
    await this.change({ template: rest }, etag);
  }

  /** Waits for what a process that was killed has made. Of a revision that failed Cloud Run keeps the name. */
  private async requireReady(revision: string): Promise<void> {
    for (let left = OPERATION_SECONDS * 1000; ; left -= this.pollMilliseconds) {
      const { conditions = [] } = (await this.findRevision(revision)) ?? {};
      const ready = conditions.find(({ type }) => type === "Ready");
      if (ready?.state === "CONDITION_SUCCEEDED") return;
      if (ready?.state === "CONDITION_FAILED" || left <= 0) {
        await this.reset();
        throw new CloudRunError(
          `The canary's revision ${revision} did not become ready, and has no requests${ready?.message ? ` (${ready.message})` : ""}: abort it and start again (npm run models -- canary abort).`,
        );
      }
      await this.pause();
    }
  }

  private async findRevision(revision: string): Promise<Revision | undefined> {
    try {
      return await this.send<Revision>("GET", this.url(`${this.service}/revisions/${revision}`));
    } catch (error) {
      if (error instanceof CloudRunError && error.status === 404) return undefined;
      throw error;
    }
  }

  private read(): Promise<Service> {
    return this.send("GET", this.url(this.service));
  }

  private async change(what: Partial<Pick<Service, "template" | "traffic">>, etag: string): Promise<void> {
    const mask = Object.keys(what).join(",");
    let operation = await this.send<Operation>("PATCH", `${this.url(this.service)}?updateMask=${mask}`, {
      ...{ name: this.service, etag },
      ...what,
    });
    const end = performance.now() + OPERATION_SECONDS * 1000;
    while (!operation.done) {
      if (performance.now() > end)
        throw new CloudRunError(`${this.service} was not changed within ${OPERATION_SECONDS} s: ${operation.name}.`);
      await this.pause();
      operation = await this.send("GET", this.url(operation.name));
    }
    if (operation.error) throw new CloudRunError(`${this.service} was not changed: ${operation.error.message}`);
  }

  private async pause(): Promise<void> {
    await sleep(this.pollMilliseconds, undefined, this.signal ? { signal: this.signal } : {});
  }

  private url(name: string): string {
    return `${this.endpoints.run ?? "https://run.googleapis.com"}/v2/${name}`;
  }

  private async send<T>(method: "GET" | "PATCH", url: string, body?: unknown): Promise<T> {
    const late = AbortSignal.timeout(60_000);
    const response = await fetch(url, {
      method,
      headers: { ...(await this.credentials()), "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      // A change that is cut off is one of which nobody knows.
      signal: this.signal && method === "GET" ? AbortSignal.any([this.signal, late]) : late,
    }).catch((error: Error) => {
      if (method === "GET") this.signal?.throwIfAborted();
      const { cause } = error as { readonly cause?: { readonly message?: string } };
      throw new CloudRunError(`${new URL(url).origin} cannot be reached: ${cause?.message ?? error.message}.`);
    });
    const answer = (await response.json().catch(() => ({}))) as T & { readonly error?: { readonly message?: string } };
    if (response.ok) return answer;
    const said = answer.error?.message ?? response.statusText;
    const meant = MEANT[response.status];
    throw new CloudRunError(
      `Cloud Run answers ${response.status}: ${said}${meant ? ` ${meant}` : ""}`,
      response.status,
    );
  }

  private async credentials(): Promise<Readonly<Record<string, string>>> {
    if (this.endpoints.run !== undefined) return {};
    if (!this.auth) {
      const { GoogleAuth } = require("google-auth-library") as typeof import("google-auth-library");
      this.auth = new GoogleAuth({ scopes: "https://www.googleapis.com/auth/cloud-platform" });
    }
    return { authorization: `Bearer ${await this.auth.getAccessToken()}` };
  }
}

interface TimeSeries {
  readonly resource: { readonly labels: { readonly revision_name?: string } };
  readonly points?: readonly { readonly value: { readonly int64Value?: string } }[];
}

const MEANT: Readonly<Record<number, string>> = {
  403: "Who runs this needs to be named under serve.releasers, and to act as that account.",
  409: "Somebody else changed the service meanwhile: look at the status, and run this again.",
};

const isPinned = ({ containers: [first] }: Template) => first?.env?.some(({ name }) => name === PIN) ?? false;

/** Says of a canary's template that what is deployed has a processor during requests alone. */
const CPU_WAS_IDLE = "CPU_WAS_IDLE";
/** Variables of a canary, which no template has that is deployed. */
const CANARYS = [PIN, "SHADOW_MODEL", CPU_WAS_IDLE];

function withoutEnvironment(template: Template): Template {
  const [first, ...others] = template.containers;
  if (!first) return template;
  const env = (first.env ?? []).filter(({ name }) => !CANARYS.includes(name));
  const wasIdle = (first.env ?? []).some(({ name }) => name === CPU_WAS_IDLE);
  const resources = wasIdle ? { resources: { ...first.resources, cpuIdle: true } } : {};
  return { ...template, containers: [{ ...first, env, ...resources }, ...others] };
}

function withEnvironment(template: Template, environment: Readonly<Record<string, string>>): Template {
  const { containers, ...rest } = withoutEnvironment(template);
  const [first, ...others] = containers;
  const isIdle = first?.resources?.cpuIdle === true;
  const more = Object.entries({ ...environment, ...(isIdle ? { [CPU_WAS_IDLE]: "true" } : {}) });
  const env = [...(first?.env ?? []), ...more.map(([name, value]) => ({ name, value }))];
  // The model beside is asked after the answer was given: then an instance has a processor only if it always has one.
  const resources = isIdle ? { resources: { ...first.resources, cpuIdle: false } } : {};
  return { ...rest, containers: [{ ...first, env, ...resources }, ...others] };
}

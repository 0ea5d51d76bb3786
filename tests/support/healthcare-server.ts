import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface StoredInstance {
  readonly patient: string;
  readonly study: string;
  readonly series: string;
  readonly instance: string;
}

type Resource = Record<string, unknown> & { readonly resourceType: string; readonly id: string };

const DELETED = Symbol("deleted");

/**
 * Stands in for the Cloud Healthcare API as its reference describes it: QIDO-RS with paging, an exact match of a patient's id
 * in which `*` and `?` stand for anything, deletion of instances; FHIR search with paging, deletion that keeps versions and
 * is refused for what others refer to, and `$purge`, which keeps the current version.
 */
export class HealthcareServer {
  readonly instances: StoredInstance[] = [];
  /** Versions of each resource, the newest last. */
  readonly resources = new Map<string, (Resource | typeof DELETED)[]>();
  readonly asked: string[] = [];
  /** Requests after which each is answered 503. */
  failAfter = Number.POSITIVE_INFINITY;
  private readonly server: Server;

  private constructor(
    private readonly dicom: string,
    private readonly fhir: string,
  ) {
    this.server = createServer((request, response) => this.answer(request, response));
  }

  static async start(stores: { readonly dicom: string; readonly fhir: string }): Promise<HealthcareServer> {
    const started = new HealthcareServer(stores.dicom, stores.fhir);
    await new Promise<void>((resolve) => started.server.listen(0, "127.0.0.1", resolve));
    return started;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.server.closeAllConnections();
    this.server.close();
  }

  /** @returns `Type/id` */
  put(resource: Record<string, unknown> & { readonly resourceType: string }, earlier: readonly object[] = []): string {
    const id = randomUUID();
    const name = `${resource.resourceType}/${id}`;
    const versions = [...earlier, resource].map((one) => ({ ...resource, ...one, id }) as Resource);
    this.resources.set(name, versions);
    return name;
  }

  /** Everything that is there, in every version. */
  get everything(): string {
    return JSON.stringify([this.instances, [...this.resources.values()]]);
  }

  private answer(request: IncomingMessage, response: ServerResponse): void {
    const { method = "", url = "" } = request;
    this.asked.push(`${method} ${url}`);
    const say = (status: number, body?: unknown, type = "application/json") =>
      response.writeHead(status, { "content-type": type }).end(body === undefined ? undefined : JSON.stringify(body));
    if (this.asked.length > this.failAfter) {
      say(503, { error: { status: "UNAVAILABLE", message: "of a patient" } });
      return;
    }
    const { pathname, searchParams } = new URL(url, this.endpoint);
    const [, store, path] = /^\/v1\/(projects\/.*?\/(?:dicomStores|fhirStores)\/[^/]+)\/(?:dicomWeb|fhir)\/(.*)$/.exec(
      pathname,
    ) ?? [undefined, "", ""];
    if (store === this.dicom) this.dicomWeb(method, path ?? "", searchParams, say);
    else if (store === this.fhir) this.fhirRest(method, path ?? "", searchParams, say);
    else say(404, { error: { status: "NOT_FOUND" } });
  }

  private dicomWeb(
    method: string,
    path: string,
    query: URLSearchParams,
    say: (s: number, b?: unknown) => unknown,
  ): unknown {
    const [, study, , series, , instance] = /^(?:studies\/([^/]+))?(\/?series\/([^/]+))?(\/?instances\/([^/]+))?/.exec(
      path,
    ) as unknown as (string | undefined)[];
    const within = this.instances.filter(
      (one) => (study ?? one.study) === one.study && (series ?? one.series) === one.series,
    );
    if (method === "DELETE") {
      const at = this.instances.findIndex((one) => within.includes(one) && one.instance === instance);
      if (at >= 0) this.instances.splice(at, 1);
      return say(at >= 0 ? 200 : 404, {});
    }
    const level = /(studies|series|instances)$/.exec(path)?.[1];
    const key = ({ studies: "study", series: "series", instances: "instance" } as const)[
      level as "studies" | "series" | "instances"
    ];
    const asked = query.get("PatientID");
    const pattern = asked
      ?.replace(/[.+^${}()|[\]\\]/g, "\\$&")
      .replace(/\*/g, ".*")
      .replace(/\?/g, ".");
    const matching = within.filter(({ patient }) => pattern === undefined || new RegExp(`^${pattern}$`).test(patient));
    const distinct = [...new Map(matching.map((one) => [one[key], one])).values()];
    const offset = Number(query.get("offset") ?? 0);
    const ui = (value: string) => ({ vr: "UI", Value: [value] });
    return say(
      200,
      distinct.slice(offset, offset + Number(query.get("limit") ?? 100)).map((one) => ({
        "0020000D": ui(one.study),
        ...(key === "study" ? {} : { "0020000E": ui(one.series) }),
        ...(key === "instance" ? { "00080018": ui(one.instance) } : {}),
        ...(key === "study" || query.get("includefield") === "00100020"
          ? { "00100020": { vr: "LO", Value: [one.patient] } }
          : {}),
      })),
    );
  }

  private fhirRest(
    method: string,
    path: string,
    query: URLSearchParams,
    say: (s: number, b?: unknown) => unknown,
  ): unknown {
    const [type = "", id, operation] = path.split("/");
    const name = `${type}/${id}`;
    const current = (one: string) => {
      const last = this.resources.get(one)?.at(-1);
      return last === DELETED ? undefined : last;
    };
    if (method === "GET") {
      const all = [...this.resources.keys()]
        .filter((one) => one.startsWith(`${type}/`))
        .flatMap((one) => current(one) ?? []);
      const [offset, count] = [Number(query.get("_page_token") ?? 0), Math.min(2, Number(query.get("_count")))];
      const base = `${this.endpoint}/v1/${this.fhir}/fhir/${type}?_count=${count}`;
      say(200, {
        resourceType: "Bundle",
        entry: all.slice(offset, offset + count).map((resource) => ({ resource })),
        link: [
          { relation: "self", url: base },
          ...(offset + count < all.length ? [{ relation: "next", url: `${base}&_page_token=${offset + count}` }] : []),
        ],
      });
      return undefined;
    }
    const versions = this.resources.get(name);
    if (!versions) return say(404, { resourceType: "OperationOutcome" });
    if (operation === "$purge") {
      const last = versions.at(-1);
      if (last === DELETED || last === undefined) this.resources.delete(name);
      else this.resources.set(name, [last]);
      return say(200, {});
    }
    const refers = [...this.resources.keys()].some(
      (one) => one !== name && JSON.stringify(current(one) ?? null).includes(`"${name}"`),
    );
    if (refers) return say(409, { resourceType: "OperationOutcome" });
    versions.push(DELETED);
    return say(200, {});
  }
}

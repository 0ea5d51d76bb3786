import { createHash } from "node:crypto";
import { type Json, recordOf } from "../json";
import { failedPrecondition, invalid, notFound } from "../problem";
import { type Context, doneOperation, NOW, resourceService } from "../resources";
import type { ApiRequest, Service, World } from "../service";
import { projectNumber } from "../store";
import { checkKey } from "./storage";

/** https://cloud.google.com/artifact-registry/docs/reference/rest/v1/projects.locations.repositories */
export const artifactRegistry = resourceService({
  name: "artifactregistry",
  endpoints: { ARTIFACT_REGISTRY: "v1" },
  operation: doneOperation,
  maps: ["cleanupPolicies"],
  kinds: [
    {
      collection: "projects/*/locations/*/repositories",
      id: ({ query }) => query.get("repository_id"),
      complete: (repository, { name, project, id, world }) => {
        checkKey(repository.kmsKeyName, world);
        const [, location = ""] = /\/locations\/([^/]+)/.exec(name) ?? [];
        return {
          mode: "STANDARD_REPOSITORY",
          ...repository,
          name,
          createTime: NOW,
          updateTime: NOW,
          sizeBytes: "0",
          satisfiesPzs: false,
          vulnerabilityScanningConfig: {
            ...recordOf(repository.vulnerabilityScanningConfig),
            lastEnableTime: NOW,
            enablementState: "SCANNING_DISABLED",
            enablementStateReason: "API containerscanning.googleapis.com is not enabled.",
          },
          registryUri: `${location}-docker.pkg.dev/${project}/${id}`,
        };
      },
    },
  ],
});

/** https://cloud.google.com/billing/docs/reference/budget/rest */
export const budgets = resourceService({
  name: "billingbudgets",
  endpoints: { BILLING: "v1" },
  kinds: [
    {
      collection: "billingAccounts/*/budgets",
      id: (_request, world) => uuid(`budget ${world.store.next()}`),
      complete: (budget, { name }) => {
        const amount = recordOf(budget.amount);
        const { specifiedAmount } = amount;
        const filter = recordOf(budget.budgetFilter);
        return {
          ...budget,
          name,
          // The currency is the billing account's.
          ...(specifiedAmount === undefined
            ? {}
            : { amount: { ...amount, specifiedAmount: { currencyCode: "EUR", ...recordOf(specifiedAmount) } } }),
          budgetFilter: { calendarPeriod: "MONTH", creditTypesTreatment: "INCLUDE_ALL_CREDITS", ...filter },
          etag: "1",
        };
      },
    },
  ],
});

/** https://cloud.google.com/logging/docs/reference/v2/rest */
export const logging = resourceService({
  name: "logging",
  endpoints: { LOGGING: "v2" },
  maps: ["labelExtractors"],
  kinds: [
    {
      collection: "projects/*/metrics",
      id: ({ body }) => encodeURIComponent(String(body.name)),
      complete: (metric, { id, project, before }) => {
        const name = decodeURIComponent(id);
        const type = `logging.googleapis.com/user/${name}`;
        return {
          ...metric,
          name,
          metricDescriptor: {
            ...recordOf(metric.metricDescriptor),
            name: `projects/${project}/metricDescriptors/${type}`,
            type,
            description: metric.description,
          },
          createTime: before?.createTime ?? NOW,
          updateTime: NOW,
        };
      },
    },
    {
      collection: "projects/*/sinks",
      complete: (sink, { id, project }) => {
        // Its destination may come later: until then what is routed there is lost.
        return {
          ...sink,
          name: id,
          resourceName: `projects/${project}/sinks/${id}`,
          writerIdentity: `serviceAccount:service-${projectNumber(project)}@gcp-sa-logging.iam.gserviceaccount.com`,
          createTime: NOW,
          updateTime: NOW,
        };
      },
    },
  ],
});

/** https://cloud.google.com/pubsub/docs/reference/rest */
export const pubsub = resourceService({
  name: "pubsub",
  endpoints: { PUBSUB: "v1" },
  maps: ["attributes"],
  kinds: [
    {
      collection: "projects/*/topics",
      madeByPut: true,
      body: unwrapped("topic"),
      complete: (topic, { name, world }) => {
        checkKey(topic.kmsKeyName, world);
        return { ...topic, name };
      },
    },
    {
      collection: "projects/*/subscriptions",
      madeByPut: true,
      body: unwrapped("subscription"),
      complete: completeSubscription,
    },
  ],
});

/** A change has the message below its name and the mask in the body; to make one, the message is the body. */
function unwrapped(field: string): (request: ApiRequest) => Json {
  return ({ method, body }) => (method === "PATCH" ? recordOf(body[field]) : body);
}

function completeSubscription(subscription: Json, { name, world }: Context): Json {
  for (const topic of [subscription.topic, recordOf(subscription.deadLetterPolicy).deadLetterTopic])
    if (topic !== undefined && !world.store.find(`pubsub/${String(topic)}`)) throw notFound(String(topic));
  // A version of the endpoint's API may be asked for, and is not told.
  const { "x-goog-version": _version, ...attributes } = recordOf(recordOf(subscription.pushConfig).attributes);
  const push = { ...recordOf(subscription.pushConfig), attributes };
  return {
    ackDeadlineSeconds: 10,
    messageRetentionDuration: "604800s",
    expirationPolicy: { ttl: "2678400s" },
    ...subscription,
    name,
    state: "ACTIVE",
    pushConfig: push,
  };
}

const UPTIME_REGIONS: readonly string[] = [];

/** https://cloud.google.com/monitoring/api/ref_v3/rest */
export const monitoring: Service = (() => {
  const kinds = resourceService({
    name: "monitoring",
    endpoints: {},
    maps: ["labels", "bodyHeaders", "headers"],
    // Wrapped, or one of several: both are written once they were set.
    optional: ["enabled", "thresholdValue"],
    kinds: [
      {
        collection: "projects/*/alertPolicies",
        id: (_request, { store }) => String(1000 + store.next()),
        complete: (policy, { name, world, before }) => ({
          ...policy,
          name,
          conditions: ((policy.conditions as Json[] | undefined) ?? []).map((condition, at) => {
            checkMetric(condition, name, world);
            return { name: `${name}/conditions/${1000 + at}`, ...condition };
          }),
          enabled: policy.enabled ?? true,
          creationRecord: before?.creationRecord ?? { mutateTime: NOW, mutatedBy: "echo@example.org" },
          mutationRecord: { mutateTime: NOW, mutatedBy: "echo@example.org" },
        }),
      },
      {
        collection: "projects/*/notificationChannels",
        id: (_request, { store }) => String(1000 + store.next()),
        complete: (channel, { name }) => ({ ...channel, name, enabled: channel.enabled ?? true }),
      },
      {
        collection: "projects/*/uptimeCheckConfigs",
        id: ({ body }, { store }) => `${slug(String(body.displayName))}-${store.next()}`,
        complete: (check, { name }) => ({
          ...check,
          name,
          checkerType: check.checkerType ?? "STATIC_IP_CHECKERS",
          ...(UPTIME_REGIONS.length > 0 ? { selectedRegions: UPTIME_REGIONS } : {}),
        }),
      },
      {
        collection: "projects/*/services",
        id: ({ query }, { store }) => query.get("serviceId") ?? uuid(`service ${store.next()}`),
        complete: (service, { name }) => ({ ...service, name }),
      },
      {
        collection: "projects/*/services/*/serviceLevelObjectives",
        needs: (collection) => `monitoring/${collection.replace(/\/serviceLevelObjectives$/, "")}`,
        id: ({ query }, { store }) => query.get("serviceLevelObjectiveId") ?? uuid(`slo ${store.next()}`),
        complete: (slo, { name }) => ({ ...slo, name }),
      },
      {
        collection: "projects/*/dashboards",
        id: (_request, { store }) => uuid(`dashboard ${store.next()}`),
        complete: (dashboard, { name, project, id }) => ({
          ...dashboard,
          name: name.replace(project, projectNumber(project)).replace(/[^/]+$/, id),
          etag: uuid(JSON.stringify(dashboard)),
        }),
      },
    ],
  });
  return {
    ...kinds,
    endpoints: { MONITORING: "" },
    handle(request, world) {
      // The provider's base path ends before the version, and dashboards name their project by its number.
      const path = request.path.replace(/^v[13]\//, "");
      const [, number] = /^projects\/(\d{12})\/dashboards\//.exec(path) ?? [];
      const project = number === undefined ? undefined : projectOf(number, world);
      return kinds.handle(
        { ...request, path: project === undefined ? path : path.replace(`projects/${number}`, `projects/${project}`) },
        world,
      );
    },
  };
})();

function projectOf(number: string, world: World): string | undefined {
  for (const name of world.store.names()) {
    const [, project] = /^monitoring\/projects\/([^/]+)\//.exec(name) ?? [];
    if (project !== undefined && projectNumber(project) === number) return project;
  }
  return undefined;
}

/** An alert on a metric that is in no log metric's name is refused, as at Google. */
function checkMetric(condition: Json, policy: string, world: World): void {
  const { filter } = recordOf(condition.conditionThreshold);
  const [, metric] = /metric\.type="logging\.googleapis\.com\/user\/([^"]+)"/.exec(String(filter)) ?? [];
  const [project] = /^projects\/[^/]+/.exec(policy) ?? [];
  if (metric !== undefined && !world.store.find(`logging/${project}/metrics/${encodeURIComponent(metric)}`))
    throw notFound(`The metric logging.googleapis.com/user/${metric}`);
}

/** Who may pass to a backend service. https://cloud.google.com/iap/docs/reference/rest/v1/V1 */
export const iap = resourceService({
  name: "iap",
  endpoints: { IAP: "v1" },
  kinds: [],
  policyOf: (path, world) => {
    const [, project, backend] = /^projects\/([^/]+)\/iap_web\/compute\/services\/([^/]+)$/.exec(path) ?? [];
    return world.store.find(`compute/projects/${project}/global/backendServices/${backend}`) !== undefined;
  },
});

/** https://cloud.google.com/secret-manager/docs/reference/rest */
export const secretManager = resourceService({
  name: "secretmanager",
  endpoints: { SECRET_MANAGER: "v1" },
  kinds: [
    {
      collection: "projects/*/secrets",
      id: ({ query }) => query.get("secretId"),
      complete: (secret, { id, project }) => ({
        ...secret,
        name: `projects/${projectNumber(project)}/secrets/${id}`,
        createTime: NOW,
      }),
    },
  ],
});

/** https://cloud.google.com/dns/docs/reference/rest/v1 */
export const dns: Service = (() => {
  const zones = resourceService({
    name: "dns",
    endpoints: {},
    keepsDefaults: true,
    kinds: [
      {
        collection: "projects/*/managedZones",
        complete: (zone, { id, world, before }) => {
          const servers = ["ns-gcp-private.googledomains.com."];
          return {
            ...zone,
            kind: "dns#managedZone",
            name: id,
            id: before?.id ?? String(1000 + world.store.next()),
            creationTime: NOW,
            nameServers: servers,
            cloudLoggingConfig: { kind: "dns#managedZoneCloudLoggingConfig", ...recordOf(zone.cloudLoggingConfig) },
            ...(zone.visibility === "private" ? {} : { visibility: "public" }),
          };
        },
        deleting: (_zone, { name, world }) => {
          if (rrsets(world, name).length > 0) throw failedPrecondition(`${name} has record sets.`);
        },
      },
    ],
  });
  return {
    // The provider cuts "/dns/" out of the address, wherever it stands.
    name: "clouddns",
    endpoints: { DNS: "v1" },
    handle(request, world) {
      const { method, path, body, query } = request;
      const [, zone = "", what] =
        /^(projects\/[^/]+\/managedZones\/[^/]+)\/(rrsets|changes)(?:\/.*)?$/.exec(path) ?? [];
      if (what === undefined) return zones.handle(request, world);
      const { dnsName } = world.store.get(`dns/${zone}`);
      if (what === "rrsets") {
        const wanted = rrsets(world, zone).filter(
          ({ name, type }) => (query.get("name") ?? name) === name && (query.get("type") ?? type) === type,
        );
        return {
          kind: "dns#resourceRecordSetsListResponse",
          rrsets: [...ownRecords(String(dnsName), query), ...wanted],
        };
      }
      if (method === "POST") {
        const list = (value: unknown) => (Array.isArray(value) ? (value as Json[]) : []);
        for (const record of list(body.deletions)) world.store.delete(rrset(zone, record));
        for (const record of list(body.additions)) {
          if (!String(record.name).endsWith(String(dnsName))) throw invalid(`${record.name} is not below ${dnsName}`);
          world.store.create(rrset(zone, record), { kind: "dns#resourceRecordSet", ...record });
        }
      }
      return { kind: "dns#change", ...body, id: "1", status: "done", startTime: NOW };
    },
  };
})();

/** `rrsets` of a zone lie beside it under one name each. */
const rrset = (zone: string, { name, type }: Json) => `dns/${zone}/rrsets/${String(name)}:${String(type)}`;
const rrsets = (world: World, zone: string) => world.store.below(`dns/${zone}/rrsets`).map(([, record]) => record);

/** Every zone has these two, and they go with it. */
function ownRecords(name: string, query: URLSearchParams): Json[] {
  const own = [
    { kind: "dns#resourceRecordSet", name, type: "NS", ttl: 21600, rrdatas: ["ns-gcp-private.googledomains.com."] },
    {
      kind: "dns#resourceRecordSet",
      name,
      type: "SOA",
      ttl: 21600,
      rrdatas: ["ns-gcp-private.googledomains.com. cloud-dns-hostmaster.google.com. 1 21600 3600 259200 300"],
    },
  ];
  return own.filter(
    (record) => query.get("name") === null || (query.get("name") === name && query.get("type") === record.type),
  );
}

const slug = (text: string) => text.toLowerCase().replace(/[^a-z0-9]+/g, "-");

function uuid(seed: string): string {
  const hex = createHash("sha256").update(seed).digest("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

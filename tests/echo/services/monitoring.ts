import { type Json, recordOf } from "../json";
import { notFound } from "../problem";
import { NOW, resourceService } from "../resources";
import type { Service, World } from "../service";
import { projectNumber } from "../store";
import { uuid } from "../uuid";

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

const slug = (text: string) => text.toLowerCase().replace(/[^a-z0-9]+/g, "-");

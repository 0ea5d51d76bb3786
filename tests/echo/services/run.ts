import { type Json, recordOf } from "../json";
import { invalid, notFound } from "../problem";
import { type Context, doneOperation, NOW, resourceService } from "../resources";
import { projectNumber } from "../store";
import { checkAccount } from "./iam";
import { checkKey } from "./kms";

/** https://cloud.google.com/run/docs/reference/rest/v2/projects.locations.services */
export const run = resourceService({
  name: "run",
  endpoints: { CLOUD_RUN_V2: "v2" },
  operation: doneOperation,
  maps: ["annotations", "limits", "nodeSelector"],
  kinds: [
    {
      collection: "projects/*/locations/*/services",
      id: ({ query }) => query.get("serviceId"),
      complete: completeService,
    },
    {
      // Nobody writes one: there are those that services are made of, and none is kept here.
      collection: "projects/*/locations/*/services/*/revisions",
    },
    {
      collection: "projects/*/locations/*/jobs",
      id: ({ query }) => query.get("jobId"),
      complete: completeJob,
    },
  ],
});

function completeService(service: Json, { id, name, project, world, before }: Context): Json {
  const [, location = ""] = /\/locations\/([^/]+)/.exec(name) ?? [];
  const template = recordOf(service.template);
  checkKey(template.encryptionKey, world);
  checkAccount(template.serviceAccount, world);
  const containers = (template.containers as Json[] | undefined) ?? [];
  if (containers.length === 0) throw invalid("A service has a container.");
  const generation = Number(before?.generation ?? 0) + 1;
  const uri = `https://${id}-${projectNumber(project)}.${location}.run.app`;
  const revision = `${name}/revisions/${id}-${String(generation).padStart(5, "0")}-abc`;
  const ready = { type: "Ready", state: "CONDITION_SUCCEEDED", lastTransitionTime: NOW };
  return {
    ingress: "INGRESS_TRAFFIC_ALL",
    launchStage: "GA",
    traffic: [{ type: "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", percent: 100 }],
    ...service,
    scaling: recordOf(service.scaling),
    name,
    template: {
      timeout: "300s",
      maxInstanceRequestConcurrency: 80,
      ...template,
      scaling: { maxInstanceCount: 100, ...recordOf(template.scaling) },
      containers: containers.map((container) => ({ ports: [{ name: "http1", containerPort: 8080 }], ...container })),
    },
    uid: projectNumber(name),
    generation: String(generation),
    observedGeneration: String(generation),
    createTime: NOW,
    updateTime: NOW,
    creator: "echo@example.org",
    lastModifier: "echo@example.org",
    latestReadyRevision: revision,
    latestCreatedRevision: revision,
    terminalCondition: ready,
    conditions: [ready],
    trafficStatuses: [{ type: "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", percent: 100 }],
    uri,
    urls: [uri],
    satisfiesPzs: true,
    etag: `"${generation}"`,
  };
}

/** https://cloud.google.com/run/docs/reference/rest/v2/projects.locations.jobs */
function completeJob(job: Json, { name, world, before }: Context): Json {
  const execution = recordOf(job.template);
  const task = recordOf(execution.template);
  checkKey(task.encryptionKey, world);
  checkAccount(task.serviceAccount, world);
  const containers = (task.containers as Json[] | undefined) ?? [];
  if (containers.length === 0) throw invalid("A job has a container.");
  const generation = Number(before?.generation ?? 0) + 1;
  const ready = { type: "Ready", state: "CONDITION_SUCCEEDED", lastTransitionTime: NOW };
  return {
    launchStage: "GA",
    ...job,
    name,
    template: {
      taskCount: 1,
      parallelism: 1,
      ...execution,
      template: { timeout: "600s", maxRetries: 3, executionEnvironment: "EXECUTION_ENVIRONMENT_GEN2", ...task },
    },
    uid: projectNumber(name),
    generation: String(generation),
    observedGeneration: String(generation),
    createTime: NOW,
    updateTime: NOW,
    creator: "echo@example.org",
    lastModifier: "echo@example.org",
    terminalCondition: ready,
    conditions: [ready],
    etag: `"${generation}"`,
  };
}

/** https://cloud.google.com/functions/docs/reference/rest/v2/projects.locations.functions: each is a service of Cloud Run. */
export const functions = resourceService({
  name: "cloudfunctions",
  endpoints: { CLOUDFUNCTIONS2: "v2" },
  operation: doneOperation,
  maps: ["environmentVariables"],
  kinds: [
    {
      collection: "projects/*/locations/*/functions",
      id: ({ query }) => query.get("functionId"),
      complete: completeFunction,
      deleting: (_function, { name, world }) => {
        const service = `run/${serviceOf(name)}`;
        world.store.delete(service);
        world.policies.forget(service);
      },
    },
  ],
});

const serviceOf = (name: string) => name.replace("/functions/", "/services/");

function completeFunction(written: Json, { id, name, project, world }: Context): Json {
  const [, location = ""] = /\/locations\/([^/]+)/.exec(name) ?? [];
  const build = recordOf(written.buildConfig);
  const service = recordOf(written.serviceConfig);
  const { storageSource } = recordOf(build.source);
  const source = recordOf(storageSource);
  const object = world.store.find(`storage/b/${source.bucket}/o/${encodeURIComponent(String(source.object))}`);
  if (!object) throw notFound(`The source gs://${source.bucket}/${source.object}`);
  checkKey(written.kmsKeyName, world);
  checkAccount(service.serviceAccountEmail, world);
  checkAccount(
    String(build.serviceAccount ?? "")
      .split("/")
      .pop(),
    world,
  );
  if (build.dockerRepository !== undefined && !world.store.find(`artifactregistry/${build.dockerRepository}`))
    throw notFound(String(build.dockerRepository));
  const uri = `https://${id}-${projectNumber(project)}.${location}.run.app`;
  world.store.put(`run/${serviceOf(name)}`, { name: serviceOf(name), uri, managedBy: "cloudfunctions" });
  return {
    ...written,
    name,
    environment: "GEN_2",
    state: "ACTIVE",
    updateTime: NOW,
    createTime: NOW,
    url: `https://${location}-${project}.cloudfunctions.net/${id}`,
    satisfiesPzs: true,
    buildConfig: {
      dockerRegistry: "ARTIFACT_REGISTRY",
      automaticUpdatePolicy: {},
      ...build,
      build: `projects/${projectNumber(project)}/locations/${location}/builds/1`,
      source: { storageSource: { generation: object.generation, ...source } },
      sourceProvenance: { resolvedStorageSource: { generation: object.generation, ...source } },
    },
    serviceConfig: {
      timeoutSeconds: 60,
      availableMemory: "256M",
      availableCpu: "0.1666",
      maxInstanceCount: 100,
      maxInstanceRequestConcurrency: 1,
      ingressSettings: "ALLOW_ALL",
      allTrafficOnLatestRevision: true,
      ...service,
      service: serviceOf(name),
      uri,
      revision: `${id}-00001-abc`,
      // New functions log it.
      environmentVariables: { LOG_EXECUTION_ID: "true", ...recordOf(service.environmentVariables) },
    },
  };
}

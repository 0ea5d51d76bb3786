import { type Json, recordOf } from "../json";
import { notFound } from "../problem";
import { type Context, NOW, resourceService } from "../resources";
import { checkKey } from "./kms";

/**
 * https://cloud.google.com/dataproc/docs/reference/rest: templates are kept as they are written, and nothing in them that
 * a cluster would be given is filled in.
 */
export const dataproc = resourceService({
  name: "dataproc",
  endpoints: { DATAPROC: "v1" },
  // `optional` in the API's own definition.
  optional: ["internalIpOnly", "enableSecureBoot", "enableVtpm", "enableIntegrityMonitoring"],
  maps: ["properties", "metadata", "clusterLabels"],
  kinds: [
    {
      collection: "projects/*/locations/*/autoscalingPolicies",
      id: ({ body }) => body.id,
      complete: (policy, { id, name }) => {
        const algorithm = recordOf(policy.basicAlgorithm);
        const workers = (config: unknown): Json => ({ weight: 1, ...recordOf(config) });
        return {
          ...policy,
          id,
          name,
          basicAlgorithm: { cooldownPeriod: "120s", ...algorithm },
          workerConfig: workers(policy.workerConfig),
          // Without one there are none, at the same weight.
          secondaryWorkerConfig: workers(policy.secondaryWorkerConfig),
        };
      },
    },
    {
      collection: "projects/*/locations/*/workflowTemplates",
      id: ({ body }) => body.id,
      complete: completeTemplate,
      deleting: () => {},
    },
  ],
});

function completeTemplate(template: Json, { id, name, world, before }: Context): Json {
  const config = recordOf(recordOf(recordOf(template.placement).managedCluster).config);
  const policy = recordOf(config.autoscalingConfig).policyUri;
  if (typeof policy === "string" && !world.store.find(`dataproc/${policy.replace(/^.*?projects\//, "projects/")}`))
    throw notFound(policy);
  for (const bucket of [config.configBucket, config.tempBucket])
    if (typeof bucket === "string" && !world.store.find(`storage/b/${bucket}`)) throw notFound(`The bucket ${bucket}`);
  checkKey(recordOf(template.encryptionConfig).kmsKey, world);
  checkKey(recordOf(config.encryptionConfig).gcePdKmsKeyName, world);
  return {
    ...template,
    id,
    name,
    version: Number(before?.version ?? 0) + 1,
    createTime: before?.createTime ?? NOW,
    updateTime: NOW,
  };
}

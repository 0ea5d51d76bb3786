import { recordOf } from "../json";
import { doneOperation, NOW, resourceService } from "../resources";
import { checkKey } from "./kms";

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

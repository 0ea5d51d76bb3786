import { NOW, resourceService } from "../resources";
import { projectNumber } from "../store";

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

import { recordOf } from "../json";
import { NOW, resourceService } from "../resources";

/** https://cloud.google.com/resource-manager/docs/reference/orgpolicy/rest */
export const orgPolicy = resourceService({
  name: "orgpolicy",
  endpoints: { ORG_POLICY: "v2" },
  // One of several: written once they were set.
  optional: ["enforce", "allowAll", "denyAll"],
  kinds: [
    {
      collection: "projects/*/policies",
      id: ({ body }) => String(body.name).split("/").pop(),
      complete: (policy, { name, world }) => {
        const etag = String(world.store.next());
        return { ...policy, name, etag, spec: { ...recordOf(policy.spec), etag, updateTime: NOW } };
      },
    },
  ],
});

import { doneOperation, resourceService } from "../resources";

/**
 * Perimeters of the organisation, which its administrators have made.
 * https://cloud.google.com/access-context-manager/docs/reference/rest
 */
export const accessContextManager = resourceService({
  name: "accesscontextmanager",
  endpoints: { ACCESS_CONTEXT_MANAGER: "v1" },
  operation: doneOperation,
  kinds: [
    {
      collection: "accessPolicies/*/servicePerimeters",
      complete: (perimeter, { name, world }) => ({ ...perimeter, name, etag: String(world.store.next()) }),
    },
  ],
});

import { resourceService } from "../resources";
import { uuid } from "../uuid";

/** Policy tags of columns. https://cloud.google.com/data-catalog/docs/reference/rest */
export const dataCatalog = resourceService({
  name: "datacatalog",
  endpoints: { DATA_CATALOG: "v1" },
  kinds: [
    {
      collection: "projects/*/locations/*/taxonomies",
      id: ({ body }) => uuid(String(body.displayName)),
      complete: (taxonomy, { name }) => ({ ...taxonomy, name }),
      deleting: (_, { name, world }) => {
        for (const [tag] of world.store.below(`datacatalog/${name}/policyTags`)) world.store.delete(tag);
      },
    },
    {
      collection: "projects/*/locations/*/taxonomies/*/policyTags",
      id: ({ body }) => uuid(String(body.displayName)),
      needs: (collection) => `datacatalog/${collection.replace(/\/policyTags$/, "")}`,
      complete: (tag, { name }) => ({ ...tag, name }),
    },
  ],
});

/** What is shown of tagged columns to whom. https://cloud.google.com/bigquery/docs/reference/bigquerydatapolicy/rest */
export const dataPolicies = resourceService({
  name: "bigquerydatapolicy",
  endpoints: { BIGQUERY_DATAPOLICY: "v1" },
  kinds: [
    {
      collection: "projects/*/locations/*/dataPolicies",
      id: ({ body }) => body.dataPolicyId,
      complete: (policy, { name, world }) => {
        world.store.get(`datacatalog/${String(policy.policyTag)}`);
        return { ...policy, name };
      },
    },
  ],
});

import { type Json, recordOf } from "../json";
import { failedPrecondition, notFound } from "../problem";
import { type Context, resourceService } from "../resources";
import { checkKey } from "./kms";

const DATASETS = "projects/*/locations/*/datasets";

/** A store knows its dataset by its own name. */
const datasetOf = (collection: string) => `healthcare/${collection.replace(/\/\w+$/, "")}`;

/** https://cloud.google.com/healthcare-api/docs/reference/rest */
export const healthcare = resourceService({
  name: "healthcare",
  endpoints: { HEALTHCARE: "v1" },
  kinds: [
    {
      collection: DATASETS,
      id: ({ query }) => query.get("datasetId"),
      complete: (dataset, { name, world, before }) => {
        const key = recordOf(dataset.encryptionSpec).kmsKeyName;
        checkKey(key, world);
        if (before && recordOf(before.encryptionSpec).kmsKeyName !== key)
          throw failedPrecondition("The key of a dataset cannot be changed.");
        return { ...dataset, name };
      },
      // What lies in it goes too.
      deleting: (_, { name, world }) => {
        for (const kind of ["dicomStores", "fhirStores"])
          for (const [store] of world.store.below(`healthcare/${name}/${kind}`)) world.store.delete(store);
      },
    },
    {
      collection: `${DATASETS}/*/dicomStores`,
      id: ({ query }) => query.get("dicomStoreId"),
      needs: datasetOf,
      complete: (store, context) => {
        checkTopic(recordOf(store.notificationConfig).pubsubTopic, context);
        return { ...store, name: context.name };
      },
    },
    {
      collection: `${DATASETS}/*/fhirStores`,
      id: ({ query }) => query.get("fhirStoreId"),
      needs: datasetOf,
      complete: (store, { name }) => ({
        complexDataTypeReferenceParsing: "COMPLEX_DATA_TYPE_REFERENCE_PARSING_UNSPECIFIED",
        ...store,
        name,
      }),
    },
  ],
});

/** The API publishes to it while it makes the store: the topic has to be there, and its agent let in. */
function checkTopic(topic: unknown, { world }: Context): void {
  if (topic === undefined || topic === "") return;
  const name = `pubsub/${String(topic)}`;
  if (!world.store.find(name)) throw notFound(String(topic));
  const { bindings = [] } = world.policies.get(name) as { bindings?: Json[] };
  const agent = /@gcp-sa-healthcare\.iam\.gserviceaccount\.com$/;
  const mayPublish = bindings.some(
    ({ role, members }) =>
      role === "roles/pubsub.publisher" && (members as string[]).some((member) => agent.test(member)),
  );
  if (!mayPublish) throw failedPrecondition(`The Cloud Healthcare Service Agent may not publish to ${String(topic)}.`);
}

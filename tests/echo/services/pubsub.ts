import { type Json, recordOf } from "../json";
import { notFound } from "../problem";
import { type Context, resourceService } from "../resources";
import type { ApiRequest } from "../service";
import { checkKey } from "./kms";

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
    pushConfig: subscription.pushConfig === undefined ? {} : push,
  };
}

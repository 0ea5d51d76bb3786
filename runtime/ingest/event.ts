import { z } from "zod";
import { pushedMessage, UnusableEventError } from "../platform/event-request";

/** An object that landed. */
export interface LandingEvent {
  readonly bucket: string;
  readonly name: string;
  readonly generation: number;
}

/** CloudEvents that Cloud Storage sends. https://cloud.google.com/eventarc/docs/event-types */
const FINALIZED = "google.cloud.storage.object.v1.finalized";
const PUBSUB_MESSAGE = "google.cloud.pubsub.topic.v1.messagePublished";

const generation = z.union([z.string().regex(/^[0-9]{1,16}$/), z.number().int().nonnegative()]).transform(Number);

/** https://cloud.google.com/storage/docs/json_api/v1/objects#resource */
const objectSchema = z.object({ bucket: z.string(), name: z.string(), generation });

/** https://cloud.google.com/storage/docs/pubsub-notifications#attributes */
const attributesSchema = z.object({
  eventType: z.string(),
  bucketId: z.string(),
  objectId: z.string(),
  objectGeneration: generation,
});

/**
 * Reads the body of a Pub/Sub push: a notification of Cloud Storage, by its attributes or, where there are none, by
 * the object in its data.
 * @returns undefined for notifications of anything else than a new object: they are nothing to do.
 * @throws {UnusableEventError}
 */
export function fromPush(body: unknown): LandingEvent | undefined {
  const message = pushedMessage(body);
  if (!message) throw new UnusableEventError("The request is neither a CloudEvent nor a Pub/Sub push.");
  const { attributes, data } = message;
  if (attributes?.eventType && attributes.eventType !== "OBJECT_FINALIZE") return undefined;
  const told = attributesSchema.safeParse(attributes);
  if (told.success) {
    const { bucketId, objectId, objectGeneration } = told.data;
    return { bucket: bucketId, name: objectId, generation: objectGeneration };
  }
  let decoded: unknown;
  try {
    decoded = JSON.parse(Buffer.from(data ?? "", "base64").toString());
  } catch {
    throw new UnusableEventError(
      "The Pub/Sub message has neither Cloud Storage's attributes nor an object as its data.",
    );
  }
  // A CloudEvent in structured form may itself be what was published.
  const event = decoded as { type?: unknown; data?: unknown } | null;
  if (typeof event?.type === "string" && event.data) return fromCloudEvent({ type: event.type, data: event.data });
  return fromObject(decoded);
}

/**
 * Reads a CloudEvent: `google.cloud.storage.object.v1.finalized`, or a Pub/Sub message that carries the notification.
 * @returns undefined for other events of Cloud Storage.
 * @throws {UnusableEventError}
 */
export function fromCloudEvent(event: { readonly type: string; readonly data?: unknown }): LandingEvent | undefined {
  if (event.type === PUBSUB_MESSAGE) return fromPush(event.data);
  if (event.type === FINALIZED) return fromObject(event.data);
  if (event.type.startsWith("google.cloud.storage.object.v1.")) return undefined;
  throw new UnusableEventError(`Events of type "${event.type}" are not taken; ${FINALIZED} is.`);
}

function fromObject(data: unknown): LandingEvent {
  const object = objectSchema.safeParse(data);
  if (object.success) return object.data;
  throw new UnusableEventError("The event does not name an object: bucket, name and generation are needed.");
}

import { isUid } from "../imaging";
import { pushedMessage, UnusableEventError } from "../platform/event-request";
import { DICOM_STORE } from "../platform/healthcare";

/** Where an instance lies in its store: UIDs as the hospital gave them. */
export interface StoredInstance {
  /** `projects/P/locations/L/datasets/D/dicomStores/S` */
  readonly store: string;
  /** Below the store: `dicomWeb/studies/.../series/.../instances/...`. */
  readonly path: string;
}

const INSTANCE = /^(.+)\/(dicomWeb\/studies\/([0-9.]+)\/series\/([0-9.]+)\/instances\/([0-9.]+))$/;

/**
 * Reads the body of a Pub/Sub push: a notification of a DICOM store, whose data is the instance's resource name.
 * https://cloud.google.com/healthcare-api/docs/dicom-pubsub
 *
 * @returns undefined where an instance was deleted: what was landed of it is taken away by `npm run forget`
 * @throws {UnusableEventError}
 */
export function fromNotification(body: unknown): StoredInstance | undefined {
  const message = pushedMessage(body);
  if (!message) throw new UnusableEventError("The request is no Pub/Sub push.");
  if (/delete/i.test(message.attributes?.action ?? "")) return undefined;
  const [, store, path, ...uids] = INSTANCE.exec(Buffer.from(message.data ?? "", "base64").toString("utf8")) ?? [];
  // What is asked for is a path: dots alone in it would climb.
  if (store === undefined || path === undefined || !DICOM_STORE.test(store) || !uids.every(isUid))
    throw new UnusableEventError("The message names no instance of a DICOM store.");
  return { store, path };
}

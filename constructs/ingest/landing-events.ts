import { PubsubTopic } from "@cdktf/provider-google/lib/pubsub-topic";
import { PubsubTopicIamMember } from "@cdktf/provider-google/lib/pubsub-topic-iam-member";
import { StorageNotification } from "@cdktf/provider-google/lib/storage-notification";
import { Construct } from "constructs";
import { dataClass } from "../core/labels";
import { type HospitalRef, resourceName } from "../core/naming";
import { serviceAgentMember } from "../core/service-agents";
import type { EncryptionKey } from "../security";
import type { BucketRef } from "../storage";

export interface LandingEventsProps {
  readonly hospital: HospitalRef;
  readonly landing: BucketRef;
  readonly key: EncryptionKey;
}

/** 7 days: a message can be replayed for as long. */
export const MESSAGE_RETENTION = "604800s";

/** A topic of this project: encrypted, and kept in the hospital's region. */
export function hospitalTopic(
  scope: Construct,
  id: string,
  props: { readonly hospital: HospitalRef; readonly name: string; readonly key: EncryptionKey },
): PubsubTopic {
  return new PubsubTopic(scope, id, {
    project: props.hospital.project,
    name: props.name,
    kmsKeyName: props.key.id,
    messageRetentionDuration: MESSAGE_RETENTION,
    messageStoragePolicy: { allowedPersistenceRegions: [props.hospital.region], enforceInTransit: true },
    // Object names can say more than they should.
    labels: dataClass("phi"),
    dependsOn: [...props.key.ready],
  });
}

/** Tells a topic of every object that lands. */
export class LandingEvents extends Construct {
  readonly topic: PubsubTopic;

  constructor(scope: Construct, id: string, props: LandingEventsProps) {
    super(scope, id);
    const { hospital, landing, key } = props;
    this.topic = hospitalTopic(this, "topic", { hospital, name: resourceName(hospital, "landing"), key });
    this.topic.overrideLogicalId("landing");
    const publish = new PubsubTopicIamMember(this, "storage-publishes", {
      project: hospital.project,
      topic: this.topic.name,
      role: "roles/pubsub.publisher",
      member: serviceAgentMember(hospital, "storage"),
    });
    new StorageNotification(this, "finalize", {
      bucket: landing.name,
      topic: this.topic.id,
      payloadFormat: "JSON_API_V1",
      eventTypes: ["OBJECT_FINALIZE"],
      // Cloud Storage tries to publish when the notification is made, and refuses it without the grant.
      dependsOn: [publish],
    });
  }
}

import { PubsubTopic } from "@cdktf/provider-google/lib/pubsub-topic";
import { PubsubTopicIamMember } from "@cdktf/provider-google/lib/pubsub-topic-iam-member";
import { StorageNotification } from "@cdktf/provider-google/lib/storage-notification";
import { Construct } from "constructs";
import type { ITerraformDependable } from "../core/cdktf";
import { dataClass } from "../core/labels";
import { type HospitalRef, resourceName } from "../core/naming";
import { type Removal, removalPolicy } from "../core/removal";
import { serviceAgentMember } from "../core/service-agents";
import type { EncryptionKey } from "../security";
import type { BucketRef } from "../storage";

/** https://cloud.google.com/storage/docs/pubsub-notifications */
export type NotificationPayload = "JSON_API_V1" | "NONE";
export type NotificationEvent = "OBJECT_FINALIZE" | "OBJECT_METADATA_UPDATE" | "OBJECT_DELETE" | "OBJECT_ARCHIVE";

export interface BucketEventsProps {
  readonly hospital: HospitalRef;
  readonly bucket: BucketRef;
  /** Name of the topic, behind the hospital's. */
  readonly name: string;
  /**
   * The folder whose objects are told of, with a slash at its end.
   * @default all of the bucket
   */
  readonly folder?: string;
  readonly key: EncryptionKey;
  readonly removal: Removal;
}

/** 7 days: a message can be replayed for as long. */
export const MESSAGE_RETENTION = "604800s";

/** A topic of this project: encrypted, and kept in the hospital's region. */
export function hospitalTopic(
  scope: Construct,
  id: string,
  props: {
    readonly hospital: HospitalRef;
    readonly name: string;
    readonly key: EncryptionKey;
    readonly removal: Removal;
  },
): PubsubTopic {
  return new PubsubTopic(scope, id, {
    project: props.hospital.project,
    name: props.name,
    kmsKeyName: props.key.id,
    messageRetentionDuration: MESSAGE_RETENTION,
    messageStoragePolicy: { allowedPersistenceRegions: [props.hospital.region], enforceInTransit: false },
    // Object names can say more than they should.
    labels: dataClass("phi"),
    dependsOn: [...props.key.ready],
    ...removalPolicy(props.removal).lifecycle,
  });
}

/** The topic that hears of every object that is finished in a bucket. */
export class BucketEvents extends Construct {
  readonly topic: PubsubTopic;
  private readonly mayPublish: ITerraformDependable;

  constructor(
    scope: Construct,
    id: string,
    private readonly props: BucketEventsProps,
  ) {
    super(scope, id);
    const { hospital, key, removal, name } = props;
    this.topic = hospitalTopic(this, "topic", { hospital, name: resourceName(hospital, name), key, removal });
    this.topic.overrideLogicalId(name);
    this.mayPublish = new PubsubTopicIamMember(this, "storage-publishes", {
      project: hospital.project,
      topic: this.topic.name,
      role: "roles/pubsub.publisher",
      member: serviceAgentMember(hospital, "storage"),
    });
  }

  /**
   * Starts the bucket's notifications.
   * @param listeners what must be there first: a topic drops what comes before its first subscription
   */
  notify(listeners: readonly ITerraformDependable[]): void {
    new StorageNotification(this, "finalize", {
      bucket: this.props.bucket.name,
      ...(this.props.folder === undefined ? {} : { objectNamePrefix: this.props.folder }),
      topic: this.topic.id,
      payloadFormat: "JSON_API_V1" satisfies NotificationPayload,
      eventTypes: ["OBJECT_FINALIZE" satisfies NotificationEvent],
      // Cloud Storage checks that it may publish when the notification is made.
      dependsOn: [this.mayPublish, ...listeners],
    });
  }
}

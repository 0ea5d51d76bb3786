import { PubsubSubscription } from "@cdktf/provider-google/lib/pubsub-subscription";
import { PubsubSubscriptionIamMember } from "@cdktf/provider-google/lib/pubsub-subscription-iam-member";
import type { PubsubTopic } from "@cdktf/provider-google/lib/pubsub-topic";
import { PubsubTopicIamMember } from "@cdktf/provider-google/lib/pubsub-topic-iam-member";
import { ServiceAccountIamMember } from "@cdktf/provider-google/lib/service-account-iam-member";
import { Construct } from "constructs";
import { Identity, runsAs } from "../core/identity";
import { dataClass } from "../core/labels";
import { type HospitalRef, resourceName } from "../core/naming";
import { type Removal, removalPolicy } from "../core/removal";
import { serviceAgentMember } from "../core/service-agents";
import type { EncryptionKey } from "../security";
import { hospitalTopic, MESSAGE_RETENTION } from "./bucket-events";
import type { EventFunction } from "./event-function";

export interface PushSubscriptionProps {
  readonly hospital: HospitalRef;
  /** Part of the names of the subscription, and of the account that calls. */
  readonly name: string;
  /** Part of the name of the topic for what keeps failing. */
  readonly topicName: string;
  /** Of the topic that is subscribed to. */
  readonly topicId: string;
  readonly target: EventFunction;
  readonly key: EncryptionKey;
  readonly removal: Removal;
  /** Seconds after which an unanswered push counts as failed: the target's own limit. */
  readonly ackDeadlineSeconds: number;
}

/** With a backoff of up to ten minutes this is more than two hours of trying. */
const MAX_DELIVERY_ATTEMPTS = 20;
/** The longest that Pub/Sub keeps a message: 31 days to look at what could not be ingested. */
const DEAD_LETTER_RETENTION = "2678400s";

/** Pushes events to the function as an identity of its own; what keeps failing goes to a dead-letter topic and waits there. */
export class PushSubscription extends Construct {
  readonly deadLetterTopic: PubsubTopic;
  readonly resource: PubsubSubscription;
  /** Where events wait that nobody could deal with. */
  readonly deadLetters: PubsubSubscription;

  constructor(scope: Construct, id: string, props: PushSubscriptionProps) {
    super(scope, id);
    const { hospital, key, removal, name, topicName } = props;
    const { lifecycle } = removalPolicy(removal);
    const pubsubAgent = serviceAgentMember(hospital, "pubsub");

    const pusher = new Identity(this, "pusher", {
      hospital,
      role: `${name}-push`,
      description: `Pub/Sub calls the ${name} function as this account`,
    });
    props.target.grantInvoke(pusher);
    const mintTokens = new ServiceAccountIamMember(this, "pubsub-mints-tokens", {
      serviceAccountId: pusher.account.name,
      role: "roles/iam.serviceAccountTokenCreator",
      member: pubsubAgent,
    });

    this.deadLetterTopic = hospitalTopic(this, "dead-letter-topic", {
      hospital,
      name: resourceName(hospital, `${topicName}-dead-letter`),
      key,
      removal,
    });
    this.deadLetterTopic.overrideLogicalId(`${topicName}_dead_letter`);
    this.deadLetters = new PubsubSubscription(this, "dead-letters", {
      project: hospital.project,
      name: resourceName(hospital, `${name}-dead-letter`),
      topic: this.deadLetterTopic.id,
      ackDeadlineSeconds: 600,
      messageRetentionDuration: DEAD_LETTER_RETENTION,
      retainAckedMessages: false,
      expirationPolicy: { ttl: "" },
      labels: dataClass("phi"),
      ...lifecycle,
    });
    this.deadLetters.overrideLogicalId(`${name}_dead_letter`);
    const forward = new PubsubTopicIamMember(this, "pubsub-forwards", {
      project: hospital.project,
      topic: this.deadLetterTopic.name,
      role: "roles/pubsub.publisher",
      member: pubsubAgent,
    });

    this.resource = new PubsubSubscription(this, "subscription", {
      project: hospital.project,
      name: resourceName(hospital, name),
      topic: props.topicId,
      ackDeadlineSeconds: props.ackDeadlineSeconds,
      messageRetentionDuration: MESSAGE_RETENTION,
      retainAckedMessages: false,
      enableMessageOrdering: false,
      expirationPolicy: { ttl: "" },
      pushConfig: {
        pushEndpoint: props.target.uri,
        oidcToken: { serviceAccountEmail: pusher.email, audience: props.target.uri },
      },
      retryPolicy: { minimumBackoff: "10s", maximumBackoff: "600s" },
      deadLetterPolicy: { deadLetterTopic: this.deadLetterTopic.id, maxDeliveryAttempts: MAX_DELIVERY_ATTEMPTS },
      labels: dataClass("phi"),
      // A dead-letter topic without a subscription drops what is sent to it.
      dependsOn: [mintTokens, forward, this.deadLetters],
      ...lifecycle,
    });
    this.resource.overrideLogicalId(name);
    runsAs(this.resource, pusher);
    // Forwarding acknowledges the message on the subscription that it came from.
    new PubsubSubscriptionIamMember(this, "pubsub-acknowledges", {
      project: hospital.project,
      subscription: this.resource.name,
      role: "roles/pubsub.subscriber",
      member: pubsubAgent,
    });
  }
}

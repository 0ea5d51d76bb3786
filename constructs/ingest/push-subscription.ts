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
import type { IngestFunction } from "./ingest-function";
import { hospitalTopic, MESSAGE_RETENTION } from "./landing-events";

export interface PushSubscriptionProps {
  readonly hospital: HospitalRef;
  readonly topic: PubsubTopic;
  readonly target: IngestFunction;
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
    const { hospital, key, removal } = props;
    const { lifecycle } = removalPolicy(removal);
    const pubsubAgent = serviceAgentMember(hospital, "pubsub");

    const pusher = new Identity(this, "pusher", {
      hospital,
      role: "ingest-push",
      description: "Pub/Sub calls the ingest function as this account",
    });
    props.target.grantInvoke(pusher);
    const mintTokens = new ServiceAccountIamMember(this, "pubsub-mints-tokens", {
      serviceAccountId: pusher.account.name,
      role: "roles/iam.serviceAccountTokenCreator",
      member: pubsubAgent,
    });

    this.deadLetterTopic = hospitalTopic(this, "dead-letter-topic", {
      hospital,
      name: resourceName(hospital, "landing-dead-letter"),
      key,
      removal,
    });
    this.deadLetterTopic.overrideLogicalId("landing_dead_letter");
    this.deadLetters = new PubsubSubscription(this, "dead-letters", {
      project: hospital.project,
      name: resourceName(hospital, "ingest-dead-letter"),
      topic: this.deadLetterTopic.id,
      ackDeadlineSeconds: 600,
      messageRetentionDuration: DEAD_LETTER_RETENTION,
      retainAckedMessages: false,
      expirationPolicy: { ttl: "" },
      labels: dataClass("phi"),
      ...lifecycle,
    });
    this.deadLetters.overrideLogicalId("ingest_dead_letter");
    const forward = new PubsubTopicIamMember(this, "pubsub-forwards", {
      project: hospital.project,
      topic: this.deadLetterTopic.name,
      role: "roles/pubsub.publisher",
      member: pubsubAgent,
    });

    this.resource = new PubsubSubscription(this, "subscription", {
      project: hospital.project,
      name: resourceName(hospital, "ingest"),
      topic: props.topic.id,
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
    this.resource.overrideLogicalId("ingest");
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

import { Construct } from "constructs";
import { deliverContract } from "../../runtime/deliver/contract";
import type { Bindings } from "../../runtime/platform/contract";
import { bindEnvironment } from "../core/binding";
import { type GrantableTables, grantDeclaredAccess } from "../core/declared-access";
import { Identity } from "../core/identity";
import type { MonitoringContribution } from "../core/monitoring";
import type { HospitalRef } from "../core/naming";
import type { Removal } from "../core/removal";
import { BucketEvents, EventFunction, PushSubscription, queueMonitoring } from "../ingest";
import type { Network } from "../network";
import { PacsRefs } from "../pacs";
import type { EncryptionKey } from "../security";
import type { BucketRefs, SecureBucket } from "../storage";
import type { Receiver } from "./config";
import { grantSecrets, outletTo, receiverSecrets, receiverVariables } from "./receiver";

export interface DeliverProps {
  readonly hospital: HospitalRef;
  readonly buckets: BucketRefs;
  readonly warehouse: GrantableTables;
  readonly key: EncryptionKey;
  /** Where the function's code is uploaded. */
  readonly source: SecureBucket;
  readonly maxInstances: number;
  /** Of topics and subscriptions, in which answers wait that could not be delivered yet. */
  readonly removal: Removal;
  /** Whether answers go to the hospital's FHIR store. */
  readonly fhirStore: boolean;
  /**
   * A receiver outside Google, and the network that the way to it leads through.
   * @default none
   */
  readonly outside?: { readonly receiver: Receiver; readonly network: Network } | undefined;
  /** The environment variables of `runtime/deliver/contract.ts` that are no bucket's, no table's and no receiver's. */
  readonly bindings: Omit<Bindings<typeof deliverContract>, "FHIR_STORE" | `RECEIVER_${string}`>;
}

/** Part of the names of the topics. */
const TOPIC = "answers";
/** Where serve adds an empty object for each answer, once all of it is kept. */
const HISTORY = "history/";

/**
 * Bucket of reports -> topic -> push subscription -> function -> FHIR store, receiver outside Google, or both: each answer is
 * delivered, or waits as a dead letter.
 */
export class Deliver extends Construct {
  readonly identity: Identity;
  readonly function: EventFunction;
  readonly subscription: PushSubscription;
  readonly monitoring: MonitoringContribution;

  constructor(scope: Construct, id: string, props: DeliverProps) {
    super(scope, id);
    const { hospital, buckets, warehouse, key, removal } = props;
    const { receiver, network } = props.outside ?? {};
    const secrets = receiver ? receiverSecrets(receiver) : {};
    const refs = new PacsRefs(hospital);
    const places = { buckets, warehouse };
    this.identity = new Identity(this, "identity", {
      hospital,
      role: deliverContract.name,
      description: receiver ? "Delivers answers to receivers" : "Delivers answers to the FHIR store",
    });
    const environment = bindEnvironment(deliverContract, places, this.identity, {
      ...props.bindings,
      ...(props.fhirStore ? { FHIR_STORE: refs.fhirStore } : {}),
      ...(receiver ? receiverVariables(receiver) : {}),
    });
    grantDeclaredAccess(deliverContract, this.identity, places);
    if (props.fhirStore) refs.grantDeliver(this.identity);
    grantSecrets(hospital, this.identity, secrets);
    const outlet = receiver && network && outletTo(this, hospital, network, receiver);

    this.function = new EventFunction(this, "function", {
      hospital,
      description: `Delivers answers of ${hospital.name} to its ${receiver ? "receivers" : "FHIR store"}`,
      repository: "deliver-functions",
      contract: deliverContract,
      environment,
      secrets,
      ...(outlet ? { outlet } : {}),
      identity: this.identity,
      key,
      source: props.source,
      maxInstances: props.maxInstances,
    });
    const events = new BucketEvents(this, "events", {
      hospital,
      bucket: buckets.reports,
      name: TOPIC,
      folder: HISTORY,
      key,
      removal,
    });
    this.subscription = new PushSubscription(this, "subscription", {
      hospital,
      name: deliverContract.name,
      topicName: TOPIC,
      topicId: events.topic.id,
      target: this.function,
      key,
      removal,
      ackDeadlineSeconds: deliverContract.resources.timeoutSeconds,
    });
    events.notify([this.subscription.resource]);
    this.monitoring = queueMonitoring(hospital, {
      name: deliverContract.name,
      what: "Answers",
      failure: "delivered",
      topic: TOPIC,
      again: "an answer that was delivered is not delivered twice.",
    });
  }
}

import { Construct } from "constructs";
import { pacsContract } from "../../runtime/pacs/contract";
import type { Bindings } from "../../runtime/platform/contract";
import { bindEnvironment } from "../core/binding";
import { type GrantableTables, grantDeclaredAccess } from "../core/declared-access";
import { Identity } from "../core/identity";
import type { MonitoringContribution } from "../core/monitoring";
import type { HospitalRef } from "../core/naming";
import type { Removal } from "../core/removal";
import { EventFunction, PushSubscription, queueMonitoring } from "../ingest";
import type { KeyRefs } from "../security";
import type { BucketRefs, SecureBucket } from "../storage";
import { PacsRefs, TOPIC } from "./stores";

export interface PacsProps {
  readonly hospital: HospitalRef;
  readonly buckets: BucketRefs;
  readonly warehouse: GrantableTables;
  readonly keys: KeyRefs;
  /** Where the function's code is uploaded. */
  readonly source: SecureBucket;
  /** Who may store into the DICOM store. */
  readonly senders: readonly string[];
  /** The limit on what an avalanche of instances can cost. */
  readonly maxInstances: number;
  /** Of topics and subscriptions, in which notifications wait. */
  readonly removal: Removal;
  /** The environment variables of `runtime/pacs/contract.ts` that are no bucket's and not the store. */
  readonly bindings: Omit<Bindings<typeof pacsContract>, "DICOM_STORE">;
}

/**
 * DICOM store -> topic -> push subscription -> function -> landing, from where on a scan has the one way: whoever stores here
 * has used one more door.
 */
export class Pacs extends Construct {
  readonly identity: Identity;
  readonly function: EventFunction;
  readonly subscription: PushSubscription;
  readonly monitoring: MonitoringContribution;

  constructor(scope: Construct, id: string, props: PacsProps) {
    super(scope, id);
    const { hospital, buckets, warehouse, keys, removal } = props;
    const refs = new PacsRefs(hospital);
    const places = { buckets, warehouse };
    this.identity = new Identity(this, "identity", {
      hospital,
      role: pacsContract.name,
      description: "Lands instances of the DICOM store",
    });
    const environment = bindEnvironment(pacsContract, places, this.identity, {
      ...props.bindings,
      DICOM_STORE: refs.dicomStore,
    });
    grantDeclaredAccess(pacsContract, this.identity, places);
    refs.grantRetrieve(this.identity);
    keys.pseudonym.grantSign(this.identity);

    this.function = new EventFunction(this, "function", {
      hospital,
      description: `Lands what the DICOM store of ${hospital.name} is sent`,
      repository: "pacs-functions",
      contract: pacsContract,
      environment,
      identity: this.identity,
      key: keys.data,
      source: props.source,
      maxInstances: props.maxInstances,
    });
    this.subscription = new PushSubscription(this, "subscription", {
      hospital,
      name: pacsContract.name,
      topicName: TOPIC,
      topicId: refs.topic,
      target: this.function,
      key: keys.data,
      removal,
      ackDeadlineSeconds: pacsContract.resources.timeoutSeconds,
    });
    // A topic drops what comes before its first subscription.
    for (const sender of props.senders) refs.grantSend(this, sender, [this.subscription.resource]);
    this.monitoring = queueMonitoring(hospital, {
      name: pacsContract.name,
      what: "Instances of the DICOM store",
      failure: "landed",
      topic: TOPIC,
      again: "landing an instance twice does no harm.",
    });
  }
}

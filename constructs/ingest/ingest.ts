import { Construct } from "constructs";
import { ingestContract } from "../../runtime/ingest/contract";
import type { Bindings } from "../../runtime/platform/contract";
import { bindEnvironment } from "../core/binding";
import { type GrantableTables, grantDeclaredAccess } from "../core/declared-access";
import { Identity } from "../core/identity";
import type { MonitoringContribution } from "../core/monitoring";
import type { HospitalRef } from "../core/naming";
import type { Removal } from "../core/removal";
import type { KeyRefs } from "../security";
import type { BucketRefs, SecureBucket } from "../storage";
import { BucketEvents } from "./bucket-events";
import { EventFunction } from "./event-function";
import { type IngestObjectives, ingestMonitoring } from "./monitoring";
import { PushSubscription } from "./push-subscription";

export interface IngestProps {
  readonly hospital: HospitalRef;
  readonly buckets: BucketRefs;
  readonly warehouse: GrantableTables;
  readonly keys: KeyRefs;
  /** Where the function's code is uploaded. */
  readonly source: SecureBucket;
  /** The environment variables of `runtime/ingest/contract.ts` that are no bucket's and no table's. */
  readonly bindings: Bindings<typeof ingestContract>;
  /** The limit on what an avalanche of uploads can cost. */
  readonly maxInstances: number;
  /** Of topics and subscriptions, in which events of scans wait that could not be ingested yet. */
  readonly removal: Removal;
  /**
   * What people may rely on.
   * @default nothing is promised
   */
  readonly objectives?: IngestObjectives;
}

/** Landing bucket -> topic -> push subscription -> function: every scan that lands is ingested, or waits as a dead letter. */
export class Ingest extends Construct {
  readonly identity: Identity;
  readonly function: EventFunction;
  readonly events: BucketEvents;
  readonly subscription: PushSubscription;
  readonly monitoring: MonitoringContribution;

  constructor(scope: Construct, id: string, props: IngestProps) {
    super(scope, id);
    const { hospital, buckets, warehouse, keys, removal } = props;
    const places = { buckets, warehouse };

    this.identity = new Identity(this, "identity", {
      hospital,
      role: ingestContract.name,
      description: "Runs the ingest function",
    });
    const environment = bindEnvironment(ingestContract, places, this.identity, props.bindings);
    grantDeclaredAccess(ingestContract, this.identity, places);
    keys.pseudonym.grantSign(this.identity);

    this.function = new EventFunction(this, "function", {
      hospital,
      description: `Validates, de-identifies and stores what lands in ${hospital.name}`,
      repository: "functions",
      contract: ingestContract,
      environment,
      identity: this.identity,
      key: keys.data,
      source: props.source,
      maxInstances: props.maxInstances,
    });
    this.events = new BucketEvents(this, "events", {
      hospital,
      bucket: buckets.landing,
      name: "landing",
      key: keys.data,
      removal,
    });
    this.subscription = new PushSubscription(this, "subscription", {
      hospital,
      name: ingestContract.name,
      topicName: "landing",
      topicId: this.events.topic.id,
      target: this.function,
      key: keys.data,
      removal,
      ackDeadlineSeconds: ingestContract.resources.timeoutSeconds,
    });
    this.events.notify([this.subscription.resource]);
    this.monitoring = ingestMonitoring(hospital, props.objectives);
  }
}

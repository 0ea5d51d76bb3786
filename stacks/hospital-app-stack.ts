import type { Construct } from "constructs";
import { TerraformOutput } from "../constructs/core/cdktf";
import { bucketName } from "../constructs/core/naming";
import { Ingest } from "../constructs/ingest";
import { hospitalKeysFromNames } from "../constructs/security";
import { hospitalBucketsFromNames, SecureBucket } from "../constructs/storage";
import { BaseStack, keyChoice } from "./base-stack";
import type { Hospital } from "./config";

/**
 * What works on a hospital's data and holds none: it can be destroyed and deployed again at any time. It knows the data
 * stack's keys and buckets by their names, so neither stack reads the other's state.
 */
export class HospitalAppStack extends BaseStack {
  readonly ingest: Ingest;

  constructor(scope: Construct, hospital: Hospital) {
    super(scope, `${hospital.name}-app`, hospital, "code");
    const keys = hospitalKeysFromNames(hospital, keyChoice(hospital));
    const buckets = hospitalBucketsFromNames(hospital, keys.data);

    const source = new SecureBucket(this, "source", {
      hospital,
      name: bucketName(hospital, "source"),
      key: keys.data,
      // Every object in it is made again by the next deploy.
      removal: "destroy",
      dataClass: "code",
      noncurrentDays: 30,
    });

    this.ingest = new Ingest(this, "ingest", {
      hospital,
      buckets,
      keys,
      source,
      maxInstances: hospital.ingest.maxInstances,
      bindings: {
        LANDING_BUCKET: buckets.landing.uri,
        CURATED_BUCKET: buckets.curated.uri,
        QUARANTINE_BUCKET: buckets.quarantine.uri,
        WAREHOUSE_BUCKET: buckets.warehouse.uri,
        PSEUDONYM_KEY: keys.pseudonym.uri,
        LOG_LEVEL: hospital.tier === "prod" ? "info" : "debug",
      },
    });

    new TerraformOutput(this, "ingest_uri", {
      value: this.ingest.function.uri,
      description: "The ingest function; it answers Pub/Sub of this project only",
    });
  }
}

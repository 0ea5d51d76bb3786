import type { Construct } from "constructs";
import { TerraformOutput } from "../constructs/core/cdktf";
import { ProjectServices } from "../constructs/core/project-services";
import { HospitalKeys } from "../constructs/security";
import { HospitalBuckets } from "../constructs/storage";
import { BaseStack, keyChoice } from "./base-stack";
import type { Hospital } from "./config";

/** What holds a hospital's data: its project's APIs, its keys, its buckets. Protected, and rarely deployed. */
export class HospitalDataStack extends BaseStack {
  constructor(scope: Construct, hospital: Hospital) {
    super(scope, `${hospital.name}-data`, hospital, "phi");
    const { removal, tier, project } = hospital;

    // The project of ephemeral environments belongs to none of them, and its APIs are on already.
    const services = tier === "ephemeral" ? [] : new ProjectServices(this, "services", { project }).all;
    const keys = new HospitalKeys(this, "keys", { hospital, removal, dependsOn: services, ...keyChoice(hospital) });
    const storage = new HospitalBuckets(this, "storage", { hospital, key: keys.data, removal, dependsOn: services });

    new TerraformOutput(this, "landing_uri", {
      value: storage.buckets.landing.uri,
      description: "Where scans are uploaded: npm run upload -- --data DIR --bucket <this>",
    });
  }
}

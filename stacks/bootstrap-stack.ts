import { KmsKeyRing } from "@cdktf/provider-google/lib/kms-key-ring";
import type { Construct } from "constructs";
import { type ITerraformDependable, TerraformOutput } from "../constructs/core/cdktf";
import { cryptoKeyId, keyRingName, resourceName } from "../constructs/core/naming";
import { ProjectServices } from "../constructs/core/project-services";
import { removalPolicy } from "../constructs/core/removal";
import { acknowledge } from "../constructs/policy";
import { retrainerRole } from "../constructs/retrain";
import { starterRole } from "../constructs/schedule";
import { AuditConfig, AuditSink, Budget, DataKey } from "../constructs/security";
import { AccessLogBucket, SecureBucket } from "../constructs/storage";
import { appenderRole } from "../constructs/warehouse";
import { BaseStack, platformSettings } from "./base-stack";
import { CiAccess } from "./ci-access";
import { DeliveryFederation } from "./delivery-access";
import { NO_BUDGET } from "./hospital-data-stack";
import { CI_NAME, ephemeralStateBucketName, logArchiveName, type Platform, stateBucketName } from "./platform-config";

/** The Google APIs that the platform's own project needs. */
const PLATFORM_SERVICES = [
  "artifactregistry.googleapis.com",
  "billingbudgets.googleapis.com",
  "cloudbuild.googleapis.com",
  "cloudkms.googleapis.com",
  "cloudresourcemanager.googleapis.com",
  "iam.googleapis.com",
  "iamcredentials.googleapis.com",
  "logging.googleapis.com",
  "monitoring.googleapis.com",
  "serviceusage.googleapis.com",
  "storage.googleapis.com",
  "sts.googleapis.com",
];

/**
 * What has to be there before any other stack, deployed once by a person: the platform's APIs and key, the bucket that
 * keeps the state of every stack (of this one too, once it is there), CI's way in without a key, and what the project of
 * ephemeral environments has once for all of them.
 */
export class BootstrapStack extends BaseStack {
  constructor(scope: Construct, platform: Platform) {
    super(scope, "bootstrap", {
      ...platformSettings(platform, "metadata"),
      quotaProject: platform.billingAccount ? platform.project : undefined,
    });
    const { project, projectNumber, removal, ci } = platform;
    const services = new ProjectServices(this, "services", { project, services: PLATFORM_SERVICES }).all;
    new AuditConfig(this, "audit", { project, dependsOn: services });
    this.addBudget(
      "budget",
      "Brain tumour service: platform",
      platform,
      { projectNumber, budget: platform.budget },
      services,
    );

    const ring = new KmsKeyRing(this, "ring", {
      project,
      name: keyRingName(platform),
      location: platform.region,
      dependsOn: [...services],
      ...removalPolicy(removal).lifecycle,
    });
    ring.overrideLogicalId("platform");
    const key = new DataKey(this, "key", {
      hospital: platform,
      ring,
      keyId: cryptoKeyId(platform, keyRingName(platform), "data"),
      removal,
      agents: ["storage", "artifactRegistry"],
    });
    const accessLogs = new AccessLogBucket(this, "access-logs", {
      hospital: platform,
      key,
      removal,
      dependsOn: services,
    });
    const state = new SecureBucket(this, "state", {
      hospital: platform,
      name: stateBucketName(platform),
      key,
      removal,
      dataClass: "metadata",
      // A state that was overwritten is the way back from a failed deploy.
      noncurrentDays: 365,
      dependsOn: [accessLogs.resource],
    });

    if (platform.repository)
      new DeliveryFederation(this, "delivery", { platform, repository: platform.repository, dependsOn: services });
    if (ci) this.addCiProject(platform, ci, ring, accessLogs, services);
    else
      acknowledge(this, "log-sink", "The platform's own sink stands in its stack, beside the archive that it fills.");
    new TerraformOutput(this, "state_bucket", {
      value: state.name,
      description: 'Keeps the state of every stack, once the platform\'s line says state: "gcs"',
    });
  }

  /** What the project of ephemeral environments has once for all of them. */
  private addCiProject(
    platform: Platform,
    ci: NonNullable<Platform["ci"]>,
    ring: KmsKeyRing,
    accessLogs: AccessLogBucket,
    platformServices: readonly ITerraformDependable[],
  ): void {
    const { project } = ci;
    // The platform's project may pay for these calls, too: its APIs come first.
    const services = new ProjectServices(this, "ci-services", { project, dependsOn: platformServices }).all;
    new AuditConfig(this, "ci-audit", { project, dependsOn: services });
    appenderRole(this, project, services);
    starterRole(this, project, services);
    retrainerRole(this, project, services);
    new AuditSink(this, "ci-audit-sink", {
      project,
      name: resourceName({ name: "ephemeral" }, "audit"),
      archive: logArchiveName(platform),
      dependsOn: services,
    });
    this.addBudget("ci-budget", "Brain tumour service: ephemeral environments", platform, ci, services);

    const { region, removal } = platform;
    const states = new SecureBucket(this, "environment-states", {
      hospital: { ...ci, name: CI_NAME, region },
      name: ephemeralStateBucketName(project),
      // Its own key, so that nobody of this project has a right on the one that the platform's state lies under.
      key: new DataKey(this, "environment-states-key", {
        hospital: ci,
        ring,
        keyId: cryptoKeyId(platform, keyRingName(platform), "environment-states"),
        removal,
        agents: ["storage"],
        logicalId: "environment_states",
      }),
      removal,
      dataClass: "metadata",
      noncurrentDays: 30,
      // With the platform: CI may change whatever lies in this project, and no log of what it did.
      accessLogs: accessLogs.name,
      logicalId: "environment_states",
      dependsOn: [...services, accessLogs.resource],
    });
    new TerraformOutput(this, "environment_state_bucket", {
      value: states.name,
      description: "Keeps the states of ephemeral environments",
    });
    if (platform.repository) this.letCiIn(platform, platform.repository, ci, states, platformServices);
  }

  private letCiIn(
    platform: Platform,
    repository: string,
    environments: NonNullable<Platform["ci"]>,
    states: SecureBucket,
    dependsOn: readonly ITerraformDependable[],
  ): void {
    const access = new CiAccess(this, "ci-access", { platform, repository, environments, states, dependsOn });
    new TerraformOutput(this, "workload_identity_provider", {
      value: access.providerName,
      description: "For the workflow: google-github-actions/auth, workload_identity_provider",
    });
    new TerraformOutput(this, "ci_service_account", {
      value: access.identity.email,
      description: "For the workflow: google-github-actions/auth, service_account",
    });
  }

  private addBudget(
    id: string,
    displayName: string,
    { billingAccount }: Platform,
    { projectNumber, budget }: { readonly projectNumber: string; readonly budget: number },
    dependsOn: readonly ITerraformDependable[],
  ): void {
    if (billingAccount) new Budget(this, id, { displayName, billingAccount, projectNumber, amount: budget, dependsOn });
    else acknowledge(this, "budget", NO_BUDGET);
  }
}

import { GoogleProvider } from "@cdktf/provider-google/lib/provider";
import type { Construct } from "constructs";
import { Aspects, GcsBackend, LocalBackend, TerraformStack } from "../constructs/core/cdktf";
import { withoutCreationStacks } from "../constructs/core/creation-stacks";
import { type DataClass, type HospitalLabels, LabelAspect } from "../constructs/core/labels";
import { withQuickResolve } from "../constructs/core/quick-resolve";
import type { Removal } from "../constructs/core/removal";
import { acknowledge, PolicyAspect } from "../constructs/policy";
import type { KeyChoice } from "../constructs/security";
import type { Hospital } from "./config";
import { type Platform, stateBucketName } from "./platform-config";

export interface StackSettings {
  readonly project: string;
  readonly region: string;
  /** Keeps the state; beside the output folder if undefined. */
  readonly stateBucket: string | undefined;
  /**
   * The folder of the state, with a slash at its end.
   * @default the uppermost
   */
  readonly stateFolder?: string;
  readonly labels: HospitalLabels;
  readonly removal: Removal;
  /**
   * Pays for every call of the stack, in place of the project of whoever calls: a person's credentials have none, and
   * some APIs, those of budgets among them, answer 403 then. Who deploys needs `serviceusage.services.use` on it, and what
   * is called has to be switched on there: hence no stack without need.
   * @default each API's own choice
   */
  readonly quotaProject?: string | undefined;
  /** Whether every access to the stack's buckets is logged. */
  readonly usageLogs: boolean;
}

/** Rules that hold for what is kept, and not where a destroy is meant to take everything away. */
const RULES_OF_WHAT_IS_KEPT = ["bigquery-deletion-protection", "kms-prevent-destroy", "prod-retained"];

/** Why a stack's buckets may do without usage logs. */
const NO_USAGE_LOGS =
  "The line says usageLogs: false, for an organisation that lets no group of Google's in: the audit logs name every read.";

/** What every stack has: provider, state, labels. */
export abstract class BaseStack extends TerraformStack {
  /** The JSON that the policy looked at, until it is written. */
  private checked: unknown;
  private isChecking = false;

  constructor(scope: Construct, id: string, settings: StackSettings) {
    super(scope, id);
    const { project, region, quotaProject } = settings;
    new GoogleProvider(this, "google", {
      project,
      region,
      // Not an alias for budgets alone: whatever stands in for the provider would have to know of a second one.
      ...(quotaProject ? { userProjectOverride: true, billingProject: quotaProject } : {}),
    });
    // The provider's bindings pin one version and a registry's short name; this is what OpenTofu understands as well.
    this.addOverride("terraform.required_providers.google", { source: "hashicorp/google", version: "~> 6.50" });
    this.addOverride("terraform.required_version", ">= 1.9");

    const { stateBucket, stateFolder = "" } = settings;
    if (stateBucket) new GcsBackend(this, { bucket: stateBucket, prefix: `${stateFolder}${id}` });
    // Relative to the stack's folder, which a synth may remove: beside the output folder, so that a state outlives it.
    else {
      const file = stateFolder === "" ? `terraform.${id}.tfstate` : `${stateFolder}${id}/default.tfstate`;
      new LocalBackend(this, { path: `../../../${file}` });
    }

    // An aspect on the app is never visited in cdktf 0.21: it stands on each stack.
    Aspects.of(this).add(new LabelAspect(settings.labels));
    Aspects.of(this).add(new PolicyAspect());
    this.node.addValidation({
      validate: () => {
        this.isChecking = true;
        return [];
      },
    });
    if (!settings.usageLogs) acknowledge(this, "bucket-access-log", NO_USAGE_LOGS);
    if (settings.removal === "destroy")
      for (const rule of RULES_OF_WHAT_IS_KEPT)
        acknowledge(
          this,
          rule,
          `The line of ${settings.labels.hospital} (${settings.labels.env}) lets a destroy take its data along.`,
        );
  }

  /** What the policy looked at is what is written: resolving a stack is most of the work of a synth. */
  override toTerraform(): unknown {
    const checked = this.checked;
    this.checked = undefined;
    if (checked !== undefined) return checked;
    const json: unknown = withoutCreationStacks(() => withQuickResolve(() => super.toTerraform()));
    if (this.isChecking) this.checked = json;
    this.isChecking = false;
    return json;
  }

  /**
   * Everything is resolved once more here than it needs to be, in search of references between stacks, and there are
   * none: stacks know each other by names.
   */
  override prepareStack(): void {
    this.ensureBackendExists();
  }
}

export function hospitalSettings(hospital: Hospital, dataClass: DataClass): StackSettings {
  return {
    project: hospital.project,
    region: hospital.region,
    stateBucket: hospital.stateBucket,
    stateFolder: hospital.stateFolder,
    removal: hospital.removal,
    usageLogs: hospital.usageLogs,
    labels: {
      hospital: hospital.name,
      env: hospital.tier,
      owner: hospital.owner,
      dataClass,
      expiresAt: hospital.expiresAt,
    },
  };
}

export function platformSettings(platform: Platform, dataClass: DataClass): StackSettings {
  return {
    project: platform.project,
    region: platform.region,
    stateBucket: platform.state === "gcs" ? stateBucketName(platform) : undefined,
    removal: platform.removal,
    usageLogs: platform.usageLogs,
    labels: { hospital: platform.name, env: "platform", owner: platform.owner, dataClass },
  };
}

/** Ephemeral environments share the platform's long-lived keys; every other hospital has its own. */
export function keyChoice(hospital: Hospital, platform: Pick<Platform, "project">): KeyChoice {
  const { kmsKey, pseudonymKey, auditKey } = hospital;
  return { kmsKey, pseudonymKey, auditKey, shared: hospital.tier === "ephemeral" && { project: platform.project } };
}

import { GoogleProvider } from "@cdktf/provider-google/lib/provider";
import type { Construct } from "constructs";
import { Aspects, GcsBackend, LocalBackend, TerraformStack } from "../constructs/core/cdktf";
import { type DataClass, LabelAspect } from "../constructs/core/labels";
import type { KeyChoice } from "../constructs/security";
import type { Hospital } from "./config";

/** What every stack of a hospital has: provider, state, labels. */
export abstract class BaseStack extends TerraformStack {
  constructor(
    scope: Construct,
    id: string,
    protected readonly hospital: Hospital,
    dataClass: DataClass,
  ) {
    super(scope, id);
    new GoogleProvider(this, "google", { project: hospital.project, region: hospital.region });
    // The provider's bindings pin one version and a registry's short name; this is what OpenTofu understands as well.
    this.addOverride("terraform.required_providers.google", { source: "hashicorp/google", version: "~> 6.50" });
    this.addOverride("terraform.required_version", ">= 1.9");

    if (hospital.stateBucket) new GcsBackend(this, { bucket: hospital.stateBucket, prefix: id });
    // Relative to the stack's folder, which a synth may remove: beside the output folder, so that a state outlives it.
    else new LocalBackend(this, { path: `../../../terraform.${id}.tfstate` });

    // An aspect on the app is never visited in cdktf 0.21: it stands on each stack.
    Aspects.of(this).add(
      new LabelAspect({
        hospital: hospital.name,
        env: hospital.tier,
        owner: hospital.owner,
        dataClass,
        expiresAt: hospital.expiresAt,
      }),
    );
  }
}

/** Ephemeral environments share one project and its long-lived keys; every other hospital has its own. */
export function keyChoice(hospital: Hospital): KeyChoice {
  const { kmsKey, pseudonymKey } = hospital;
  return { kmsKey, pseudonymKey, shared: hospital.tier === "ephemeral" };
}

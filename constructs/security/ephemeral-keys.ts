import { KmsKeyRing } from "@cdktf/provider-google/lib/kms-key-ring";
import { KmsKeyRingIamMember } from "@cdktf/provider-google/lib/kms-key-ring-iam-member";
import { Construct } from "constructs";
import { cryptoKeyId, type HospitalRef, SHARED_KEY_RING } from "../core/naming";
import { type Removal, removalPolicy } from "../core/removal";
import { DataKey } from "./data-key";
import { PseudonymKey } from "./pseudonym-key";

export interface EphemeralKeysProps {
  /** Owns the ring. */
  readonly platform: Pick<HospitalRef, "project">;
  readonly region: string;
  readonly removal: Removal;
  /** The project of the environments, whose service agents use the key. */
  readonly environments: Pick<HospitalRef, "projectNumber">;
  /**
   * Gives environments' identities their rights on the keys, with a role that can do nothing else.
   * @default nobody but the ring's owners
   */
  readonly granter?: { readonly member: string; readonly role: string };
}

/** One long-lived ring and its two keys for all ephemeral environments of a region: rings and keys are never deleted. */
export class EphemeralKeys extends Construct {
  constructor(scope: Construct, id: string, props: EphemeralKeysProps) {
    super(scope, id);
    const { platform, region, removal } = props;
    const suffix = region.replaceAll("-", "_");
    const ring = new KmsKeyRing(this, "ring", {
      project: platform.project,
      name: SHARED_KEY_RING,
      location: region,
      ...removalPolicy(removal).lifecycle,
    });
    ring.overrideLogicalId(`ephemeral_${suffix}`);
    new DataKey(this, "data", {
      hospital: props.environments,
      ring,
      keyId: cryptoKeyId({ project: platform.project, region }, SHARED_KEY_RING, "data"),
      removal,
      logicalId: `ephemeral_data_${suffix}`,
    });
    new PseudonymKey(this, "pseudonym", { ring, removal, logicalId: `ephemeral_pseudonym_${suffix}` });
    if (props.granter)
      new KmsKeyRingIamMember(this, "granter", {
        keyRingId: ring.id,
        role: props.granter.role,
        member: props.granter.member,
      });
  }
}

import { KmsCryptoKey } from "@cdktf/provider-google/lib/kms-crypto-key";
import type { KmsKeyRing } from "@cdktf/provider-google/lib/kms-key-ring";
import { Construct } from "constructs";
import type { ITerraformDependable } from "../core/cdktf";
import type { Identity } from "../core/identity";
import { type Removal, removalPolicy } from "../core/removal";
import { DESTROY_SCHEDULED_DURATION } from "./data-key";
import { grantOnKey } from "./key-grants";

/** The MAC key that turns a patient's id into a pseudonym. */
export interface PseudonymKeyRef {
  /** The one version in use: `projects/P/locations/L/keyRings/R/cryptoKeys/K/cryptoKeyVersions/N`. */
  readonly versionId: string;
  /** What a runtime takes as its key: `gcp-kms://` and the version. */
  readonly uri: string;
  /** Lets an identity compute pseudonyms. It never sees the key itself. @returns what a consumer waits for */
  grantSign(grantee: Identity): readonly ITerraformDependable[];
}

/** Refers to a key version that exists, or will, under a known name. */
export function pseudonymKeyFromVersion(versionId: string): PseudonymKeyRef {
  const keyId = versionId.replace(/\/cryptoKeyVersions\/[^/]+$/, "");
  return {
    versionId,
    uri: `gcp-kms://${versionId}`,
    grantSign: (grantee) => grantOnKey(grantee, keyId, "pseudonym", "roles/cloudkms.signerVerifier"),
  };
}

/**
 * The hospital's own pseudonym key: HMAC-SHA256 inside Cloud KMS. It is never rotated, and Cloud KMS offers no rotation
 * for it: under another key the same patient would become another patient.
 */
export class PseudonymKey extends Construct {
  constructor(
    scope: Construct,
    id: string,
    props: {
      readonly ring: KmsKeyRing;
      readonly removal: Removal;
      /** @default pseudonym */
      readonly logicalId?: string;
    },
  ) {
    super(scope, id);
    const key = new KmsCryptoKey(this, "key", {
      name: "pseudonym",
      keyRing: props.ring.id,
      purpose: "MAC",
      destroyScheduledDuration: DESTROY_SCHEDULED_DURATION,
      versionTemplate: { algorithm: "HMAC_SHA256", protectionLevel: "SOFTWARE" },
      ...removalPolicy(props.removal).lifecycle,
    });
    key.overrideLogicalId(props.logicalId ?? "pseudonym");
  }
}
